"""SPECIFICATION.md tells the truth: every promise names a test, and the test is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def rows() -> list[str]:
    """The rows of promises: table lines that are neither a head nor a rule."""
    lines = (ROOT / "SPECIFICATION.md").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.startswith("| ") and not line.startswith("| promise")]


def test_every_promise_names_a_test_that_exists() -> None:
    """A promise without a test is none."""
    wrong = []
    for row in rows():
        named = NAMED.findall(row)
        if not named:
            wrong.append(f"no test: {row}")
        for file, test in named:
            path = ROOT / file
            if not path.exists() or not re.search(rf"def {test}\(", path.read_text(encoding="utf-8")):
                wrong.append(f"{file}::{test} does not exist")
    assert wrong == []
    assert len(rows()) > 40
