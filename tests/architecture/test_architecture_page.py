"""ARCHITECTURE.md leads a stranger to the code: each file, folder and name on it is where the page says."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "undercast"
PAGE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
FILES = re.compile(r"`((?:tests|tools|benchmarks|docs)/[\w/.]+|(?:[a-z_0-9]+/)+(?:[a-z_0-9]+\.py)?)`")
HOPS = re.compile(r"^\| \d+ \| (?P<where>.*?) \|", re.MULTILINE)


def place(name: str) -> Path:
    """A path of the page: from the checkout, else from the package."""
    return ROOT / name if (ROOT / name).exists() else SOURCE / name


def test_every_file_on_the_page_exists() -> None:
    """A page that names what is gone leads nowhere."""
    named = set(FILES.findall(PAGE))
    assert sorted(name for name in named if not place(name).exists()) == []
    assert len(named) > 20


def test_every_hop_has_the_name_that_the_page_gives() -> None:
    """The table of one Invoke names functions and classes beside their files."""
    hops = HOPS.findall(PAGE)
    assert len(hops) == 10
    missing = []
    for hop in hops:
        names = re.findall(r"`([^`]+)`", hop)
        text = "".join(place(name).read_text(encoding="utf-8") for name in names if name.endswith(".py"))
        assert text, hop
        for name in names:
            for part in [] if name.endswith(".py") else name.split("."):
                if not re.search(rf"\b(?:class|def) {part}\b", text):
                    missing.append(f"{hop}: {part}")
    assert missing == []
