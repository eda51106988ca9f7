"""A string that matches a regular expression, the same one every time.

Walks the parsed pattern; repetitions are made `more` times longer than they must be. Assertions are not solved: the
caller checks the sample. AWS: the `pattern` constraints of the service models.
"""

import warnings
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    import sre_constants as sc
    import sre_parse

_CATEGORIES = {
    sc.CATEGORY_DIGIT: "7",
    sc.CATEGORY_WORD: "w",
    sc.CATEGORY_SPACE: " ",
    sc.CATEGORY_NOT_SPACE: "é",
    sc.CATEGORY_NOT_DIGIT: "d",
    sc.CATEGORY_NOT_WORD: "-",
}
_PREFERRED = "aA0-_/.é漢 :+=@"


def sample(pattern: str, more: int) -> str:
    """A candidate for the pattern."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return _sequence(sre_parse.parse(pattern), more, {})


def _sequence(items: Any, more: int, groups: dict[int, str]) -> str:
    return "".join(_item(op, argument, more, groups) for op, argument in items)


def _item(op: Any, argument: Any, more: int, groups: dict[int, str]) -> str:
    if op is sc.LITERAL:
        return chr(argument)
    if op is sc.NOT_LITERAL:
        return "a" if argument != ord("a") else "b"
    if op is sc.ANY:
        return "é" if more else "a"
    if op is sc.IN:
        return _of_class(argument, more)
    if op in (sc.MAX_REPEAT, sc.MIN_REPEAT, sc.POSSESSIVE_REPEAT):
        low, high, inside = argument
        return "".join(_sequence(inside, more, groups) for _ in range(min(int(high), int(low) + more)))
    if op is sc.SUBPATTERN:
        text = _sequence(argument[3], more, groups)
        if argument[0] is not None:
            groups[argument[0]] = text
        return text
    if op is sc.BRANCH:
        branches = argument[1]
        return _sequence(branches[0] if more % 2 == 0 else branches[-1], more, groups)
    if op is sc.GROUPREF:
        return groups.get(argument, "")
    return ""


def _of_class(items: list[Any], more: int) -> str:
    negated = bool(items) and items[0][0] is sc.NEGATE
    candidates = _PREFERRED[more % len(_PREFERRED) :] + _PREFERRED
    for character in candidates:
        if _contains(items, character) != negated:
            return character
    for op, argument in items:
        if op is sc.LITERAL:
            return chr(argument)
        if op is sc.RANGE:
            return chr(argument[0])
        if op is sc.CATEGORY:
            return _CATEGORIES[argument]
    return "a"


def _contains(items: list[Any], character: str) -> bool:
    code = ord(character)
    for op, argument in items:
        if op is sc.LITERAL and argument == code:
            return True
        if op is sc.RANGE and argument[0] <= code <= argument[1]:
            return True
        if op is sc.CATEGORY and _in_category(argument, character):
            return True
    return False


def _in_category(category: Any, character: str) -> bool:
    tests = {
        sc.CATEGORY_DIGIT: character.isdecimal(),
        sc.CATEGORY_NOT_DIGIT: not character.isdecimal(),
        sc.CATEGORY_SPACE: character.isspace(),
        sc.CATEGORY_NOT_SPACE: not character.isspace(),
        sc.CATEGORY_WORD: character.isalnum() or character == "_",
        sc.CATEGORY_NOT_WORD: not (character.isalnum() or character == "_"),
    }
    return bool(tests[category])
