"""Regular expressions and globs of queries, matched in time linear in the message by RE2.

Pure. AWS runs Java's; what RE2 lacks of them (look-around, back-references) is refused with its place in the query.
"""

import re
from collections.abc import Callable, Mapping

import re2

from undercast.services.logs.insights.tokens import QueryError, Token

_LINEAR = re2.Options()
_LINEAR.log_errors = False
_LINEAR.max_mem = 1 << 22


def compiled_regex(token: Token) -> Callable[[str], bool]:
    """Whether a text contains a match. Raises QueryError."""
    return searcher(token.text, token.start, token.end - 1)


def searcher(text: str, start: int = 0, end: int = 0) -> Callable[[str], bool]:
    """The same for a text that is known to be right, or with its place."""
    _compile(text, start, end)
    pattern = re2.compile(text.encode(errors="replace"), _LINEAR)  # bytes spare the counting of characters
    return lambda value: pattern.search(value.encode(errors="replace")) is not None


def groups_of(text: str, start: int, end: int) -> Callable[[str], Mapping[str, str]]:
    """Takes the named groups out of a text; nothing where it does not match. Raises QueryError."""
    pattern = _compile(text, start, end)
    names = {number: name for name, number in pattern.groupindex.items()}
    if not names:
        raise QueryError("a regular expression of parse needs a named group, like (?<name>.*)", start, end)

    def taken(value: str) -> dict[str, str]:
        found = pattern.search(_clean(value))
        if found is None:
            return {}
        return {name: found[number] for number, name in names.items() if found[number] is not None}

    return taken


def glob_of(text: str, names: tuple[str, ...]) -> Callable[[str], Mapping[str, str]]:
    """Takes what stands at the wildcards out of a text. A last wildcard takes all that is left."""
    pieces = [re.escape(piece) for piece in text.split("*")]
    pattern = _compile(f"(?s){'(.*?)'.join(pieces[:-1])}{'(.*)' if not pieces[-1] else f'(.*?){pieces[-1]}'}", 0, 0)

    def taken(value: str) -> dict[str, str]:
        found = pattern.search(_clean(value))
        return {} if found is None else dict(zip(names, found.groups(), strict=True))

    return taken


def _compile(text: str, start: int, end: int) -> "re2._Regexp":
    try:
        return re2.compile(text, _LINEAR)
    except re2.error as error:
        reason = error.args[0].decode(errors="replace") if error.args else "not understood"
        raise QueryError(f"invalid regular expression: {reason}", start, end) from None


def _clean(value: str) -> str:
    """Without halves of surrogate pairs, which UTF-8 has not."""
    return value if value.isascii() else value.encode(errors="replace").decode()
