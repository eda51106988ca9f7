"""SPECIFICATION.md tells the truth: every promise names a test, and the test is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("*.md", "docs/**/*.md", "examples/**/*.md", "src/**/*.md")
FILES = re.compile(r"`(tests/[\w/.-]+\w)/?(?:::(\w+))?[^`]*`")
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


def test_every_test_and_file_of_tests_that_a_page_names_exists() -> None:
    """Decisions, benchmarks and the pages of services lead to tests, too."""
    wrong = []
    count = 0
    for page in [page for pattern in PAGES for page in ROOT.glob(pattern)]:
        for file, test in FILES.findall(page.read_text(encoding="utf-8")):
            path = ROOT / file
            count += 1
            if not path.exists() or (test and not re.search(rf"def {test}\(", path.read_text(encoding="utf-8"))):
                wrong.append(f"{page.relative_to(ROOT)}: {file} {test}")
    assert wrong == []
    assert count > 400
