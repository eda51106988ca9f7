r"""The models' regular expressions, which are Java's, as Python reads them.

Rule: a pattern holds for the whole value (Java's `matches`), unless it is anchored at one side only. \w, \d and \s are
ASCII, as in Java; Unicode classes (\p{L}) are written out for the basic plane and, roughly, for the others.
AWS: the `pattern` constraints in botocore's models; java.util.regex.Pattern.
"""

import re
import unicodedata
import warnings
from collections.abc import Callable
from functools import cache, lru_cache

_ASTRAL = {
    "L": "\U00010000-\U0001d3ff\U0001d400-\U0001d7cb\U00020000-\U0003ffff",
    "S": "\U0001d000-\U0001d2ff\U0001f000-\U0001faff",
}
_ASCII_CLASSES = {
    "Print": r"\x20-\x7e",
    "ASCII": r"\x00-\x7f",
    "Graph": r"\x21-\x7e",
    "Alpha": "a-zA-Z",
    "Alnum": "a-zA-Z0-9",
    "Digit": "0-9",
    "Lower": "a-z",
    "Upper": "A-Z",
    "Space": r"\s",
    "Punct": r"!-/:-@\[-`{-~",
}
_PROPERTY = re.compile(r"\\p\{(\w+)\}")
_CLASS_THEN_DASH = re.compile(r"(\\[wds])-(?=[^\]])")
_SURROGATES = re.compile(r"\\u[dD]800\\u[dD][cC]00-\\u[dD][bB][fF]{2}\\u[dD][fF]{3}")


@lru_cache(maxsize=8192)
def matcher(pattern: str) -> Callable[[str], bool] | None:
    """Whether a value keeps a pattern. None for a pattern that has no meaning in Python: it is not enforced."""
    try:
        with warnings.catch_warnings():
            # Python reserves "--" and "||" inside a class for sets to come; Java's patterns mean the characters.
            warnings.simplefilter("ignore", FutureWarning)
            compiled = re.compile(translated(pattern), re.ASCII)
    except (re.error, OverflowError, KeyError):
        return None
    whole = pattern.startswith("^") == (pattern.endswith("$") and not pattern.endswith(r"\$"))
    match = compiled.fullmatch if whole else compiled.search
    return lambda value: match(value) is not None


def translated(pattern: str) -> str:
    """A Java pattern in Python's words. Raises KeyError for a class that we do not know."""
    text = _SURROGATES.sub("\U00010000-\U0010ffff", pattern)
    text = _CLASS_THEN_DASH.sub(r"\1\\-", text)
    return _PROPERTY.sub(lambda found: _property(found, text), text)


def _property(found: re.Match[str], text: str) -> str:
    before = text[: found.start()].replace(r"\[", "").replace(r"\]", "")
    inside = before.rfind("[") > before.rfind("]")
    ranges = _ASCII_CLASSES.get(found[1]) or _ranges(found[1])
    return ranges if inside else f"[{ranges}]"


@cache
def _ranges(category: str) -> str:
    """The basic plane's characters of a category ("L", "Zs") as ranges of a character class."""
    parts: list[tuple[int, int]] = []
    for code in range(0x10000):
        if unicodedata.category(chr(code)).startswith(category):
            if parts and parts[-1][1] == code - 1:
                parts[-1] = (parts[-1][0], code)
            else:
                parts.append((code, code))
    if not parts:
        raise KeyError(category)
    return "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in parts) + _ASTRAL.get(category[0], "")
