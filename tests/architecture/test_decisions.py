"""Decisions are found by their numbers: each has one of its own, the same in its name and in its first line."""

import re
from pathlib import Path

DECISIONS = Path(__file__).resolve().parents[2] / "docs/decisions"


def test_each_decision_has_a_number_of_its_own() -> None:
    """`NNNN-name.md` begins with `# N. Title`."""
    numbers = []
    for page in sorted(DECISIONS.glob("[0-9]*.md")):
        title = re.match(r"# (\d+)\. \S", page.read_text(encoding="utf-8"))
        assert title is not None, page.name
        assert int(page.name[:4]) == int(title.group(1)), page.name
        numbers.append(int(title.group(1)))
    assert numbers[-1] > 60
    assert numbers == sorted(set(numbers))
