"""The page that draws durations: three lines, a point a minute, nothing that a name could smuggle in."""

import xml.etree.ElementTree as ElementTree
from datetime import UTC, datetime, timedelta

import pytest

from undercast.cli.metrics_page import page

AT = datetime(2026, 11, 29, 14, 0, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def chart(text: str) -> ElementTree.Element:
    """Its SVG, which must be well-formed."""
    return ElementTree.fromstring(text[text.index("<svg") : text.index("</svg>") + len("</svg>")])


def test_minimum_average_and_maximum_are_drawn() -> None:
    """S2-46: by minute; what took longer is higher up; a minute that only had throttles has no point."""
    found = {
        AT: {"Minimum": 1.0, "Average": 10.0, "Maximum": 29.4},
        AT + timedelta(minutes=1): {"Throttles": 1.0},
        AT + timedelta(minutes=4): {"Minimum": 2.0, "Average": 3.0, "Maximum": 4.0},
    }
    drawn = chart(page("f", found))
    lines = drawn.findall(f"{SVG}polyline")
    assert len(lines) == 3
    tops = [[float(point.split(",")[1]) for point in line.attrib["points"].split()] for line in lines]
    assert [len(line) for line in tops] == [2, 2, 2]
    assert tops[0][0] > tops[1][0] > tops[2][0]
    told = [title.text for title in drawn.iter(f"{SVG}title")]
    assert told[:2] == ["Minimum 1.00 ms at 2026-11-29 14:00 UTC", "Minimum 2.00 ms at 2026-11-29 14:04 UTC"]
    assert "40" in [text.text for text in drawn.iter(f"{SVG}text")]


@pytest.mark.parametrize("longest", [0.0, 0.0004, 1.0, 99.0, 900_000.0])
def test_any_duration_has_its_place(longest: float) -> None:
    """From nothing to fifteen minutes; a single minute, too."""
    drawn = chart(page("f", {AT: {"Minimum": 0.0, "Average": longest, "Maximum": longest}}))
    circles = list(drawn.iter(f"{SVG}circle"))
    assert len(circles) == 3
    assert all(40 <= float(circle.attrib["cy"]) <= 320 for circle in circles)


def test_a_name_is_only_a_name() -> None:
    """It is text in the page."""
    assert "<script" not in page("<script>alert(1)</script>", {})
    assert "nothing has run" in page("f", {})
