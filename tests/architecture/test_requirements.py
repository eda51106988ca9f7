"""docs/requirements.md tells the truth: a row that holds names a test, and the test is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
STATES = ("holds", "partly", "not here")
PROMISED = [
    *(f"X{number}" for number in (*range(1, 12),)),
    *(f"S0-{number:02}" for number in range(1, 28)),
    *(f"S1-{number:02}" for number in (*range(1, 12), 21, *range(23, 27), 30, *range(33, 37))),
    *(f"S2-{number:02}" for number in (*range(1, 18), *range(33, 51))),
    *(f"S3d-{number:02}" for number in range(1, 44)),
    *(f"S4-{number:02}" for number in (*range(3, 10), *range(20, 29), 34, 60)),
]
"""The rows that the foundation, the execution environment, and the event sources were to satisfy."""


def rows() -> dict[str, list[str]]:
    """The cells of each row by its name."""
    text = (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8")
    cells = [
        [cell.strip() for cell in line.strip("| \n").split(" | ")] for line in text.splitlines() if line[:2] == "| "
    ]
    return {name: row for row in cells for name in row[0].split(", ") if name != "row"}


def test_every_promised_row_is_there_with_a_state() -> None:
    """None is forgotten; no state is made up."""
    found = rows()
    assert [name for name in PROMISED if name not in found] == []
    assert {name: row[2] for name, row in found.items() if row[2] not in STATES} == {}


def test_every_test_that_a_row_names_exists() -> None:
    """A row that holds, or holds in part, names the test that would fail otherwise."""
    missing = []
    for name, row in rows().items():
        named = NAMED.findall(row[3])
        if row[2] != "not here" and not named and "same tests" not in row[3]:
            missing.append(f"{name} names no test")
        for file, test in named:
            path = ROOT / file
            if not path.exists() or not re.search(rf"def {test}\(", path.read_text(encoding="utf-8")):
                missing.append(f"{name}: {file}::{test} does not exist")
    assert missing == []
