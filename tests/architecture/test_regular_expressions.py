"""Regular expressions mean the same on every Python that runs us.

CPython 3.11.0 to 3.11.4 (Debian 12 has 3.11.2) keep what a group of a possessive quantifier has read when it fails
(github.com/python/cpython/issues/106052): `(?:ab)*+` reads "aba" of "aba". An atomic group around a greedy quantifier,
`(?>(?:ab)*)`, says the same and is right there.
"""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POSSESSIVE_GROUP = re.compile(r"(?<![\\(])\)(?:[*+?]|\{\d*,?\d*\})\+")
"""No group is empty: what has `()` lists characters."""


def possessive_groups(source: str) -> list[str]:
    """The texts of a module that have one, those of f-strings included."""
    texts = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    return [text for text in texts if isinstance(text, str) and POSSESSIVE_GROUP.search(text)]


def test_they_are_found() -> None:
    """Of each kind, and no single character's: that one is right everywhere."""
    assert possessive_groups('a = r"(?:ab)*+"; b = rf"({a})?+x"; c = r"(?:x){2,3}+"') == [
        "(?:ab)*+", "(?:x){2,3}+", ")?+x",
    ]  # fmt: skip
    assert possessive_groups(r'a = r"[ab]*+\d++"; b = r"(?>(?:ab)*)"; c = r"\)?+"') == []


def test_no_group_has_a_possessive_quantifier() -> None:
    """Anywhere in what users run."""
    paths = [path for folder in ("src", "examples") for path in (ROOT / folder).rglob("*.py")]
    sources = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}
    sources = {path: source for path, source in sources.items() if "import re\n" in source}
    assert len(sources) > 100
    found = {path: possessive_groups(source) for path, source in sources.items()}
    assert {path: texts for path, texts in found.items() if texts} == {}
