"""Whether a text is JSON, and what it says, found out without holding the event loop.

A large text is looked at in windows; between two of them others have their turn. Within a window one regular expression
runs over all that is not nested deeply; its groups are atomic, so that it looks at a character once for each
of the three levels it knows. What is deeper the parser in C may try; what it tries in vain is bounded by what is done.
A value is built window by window, too: that parser keeps the interpreter's lock for as long as its text is long.
RFC 8259. A nesting deeper than 1,000 is refused, as AWS's own parser (Jackson) does: counted here, for what the parser
in C takes differs between versions of Python, and before 3.12 with the caller's stack.
"""

import asyncio
import json
import re
from collections.abc import Callable, Generator, Iterator
from functools import cache
from itertools import accumulate
from json import JSONDecodeError
from typing import Any

SMALL_CHARACTERS = 65_536
"""Up to here the parser in C is done within some milliseconds."""
MAX_DEPTH = 1000
_WINDOW = 32_768
_GLANCES = (2_048, _WINDOW)
"""A container is tried whole within these, the short one first: what is cut out is copied."""
_WASTE = 2
"""What is tried in vain is at most so many times what has been passed, and a window for each: else each of a thousand
brackets in a row would cost a window."""
_STEP_COST = 64
"""In characters: what a step outside the regular expression counts towards a window."""

_SPACE = r"[ \t\n\r]*+"
_PIECE = r'(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))'
_STRING = rf'"(?>{_PIECE}*)"'
_NUMBER = r"-?+(?:0|[1-9][0-9]*+)(?>(?:\.[0-9]++)?)(?>(?:[eE][+-]?+[0-9]++)?)"
_SCALAR = rf"(?:{_STRING}|{_NUMBER}|true|false|null)"


def _container_of(value: str) -> str:
    element, member = rf"{value}{_SPACE}", rf"{_STRING}{_SPACE}:{_SPACE}{value}{_SPACE}"
    array = rf"\[{_SPACE}(?>(?:{element}(?>(?:,{_SPACE}{element})*))?)\]"
    return rf"(?:{array}|\{{{_SPACE}(?>(?:{member}(?>(?:,{_SPACE}{member})*))?)\}})"


_LEVELS = 2


@cache
def _elements_in(closing: str, levels: int) -> re.Pattern[str]:
    """Elements, nested up to `levels` deep, of what ends with "]" or "}". Compiled at first use: it takes 8 ms."""
    value = _SCALAR
    for _ in range(levels):
        value = rf"(?:{_SCALAR}|{_container_of(value)})"
    name = "" if closing == "]" else rf"{_STRING}{_SPACE}:{_SPACE}"
    return re.compile(rf"(?>(?:{name}{value}{_SPACE},{_SPACE})*)")


_SPACES = re.compile(_SPACE)
_PLAIN = re.compile(rf"(?:{_NUMBER}|true|false|null)")
_PIECES = re.compile(rf"(?>{_PIECE}*)")
_LONGEST_PIECE = 6
"""A window may end inside of \\uXXXX."""
_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b'[]{}"'))
_QUOTED = re.compile(rb'"[^"]*+"')
_ROUNDS = 8
"""Most texts have no more levels: the rest is counted bracket by bracket."""


def is_json(text: str) -> bool:
    """Whether a small text is JSON: it is parsed at once, by the parser in C."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


async def check(text: str) -> None:
    """Raises JSONDecodeError, a ValueError, unless the text is one JSON value."""
    if len(text) <= SMALL_CHARACTERS:
        check_small(text)
        return
    for _ in _Scan(text).windows():
        await asyncio.sleep(0)  # not to wait, but to let others run


def check_small(text: str) -> None:
    """The same at once, for at most SMALL_CHARACTERS."""
    try:
        try:
            _, end = _CHECK_SCAN(text, 0)
        except StopIteration:
            end = -1
        if end != len(text):
            _CHECK_DECODER.decode(text)  # there is white space around the value, or it raises what is wrong
    except RecursionError:
        for _ in _Scan(text).windows():  # the parser in C had no more stack: that says nothing about the text
            pass
    else:
        check_depth(text)


def check_depth(text: str, left: int = MAX_DEPTH) -> None:
    """Raises JSONDecodeError where a small text, known to be JSON, is nested deeper than that."""
    if len(text) <= 2 * left or text.count("[") + text.count("{") <= left:
        return
    unescaped = text.replace("\\\\", "").replace('\\"', "").encode("utf-8", "surrogatepass")
    brackets = _QUOTED.sub(b"", unescaped.translate(_SQUARE, _NO_BRACKETS).replace(b'""', b""))
    for passed in range(_ROUNDS):
        if len(brackets) // 2 <= left - passed:
            return
        brackets = brackets.replace(b"[]", b"")  # the innermost level of each
    if max(accumulate(1 if bracket == ord("[") else -1 for bracket in brackets), default=0) > left - _ROUNDS:
        raise JSONDecodeError("Nested too deeply", text, 0)


def load(text: str, look: Callable[[Any], object], pause: Callable[[], object]) -> Any:
    """The value of a text; raises ValueError for one that is no JSON, or has an integer that Python refuses to convert.

    For a thread: it calls `pause` between two windows, to let others run. `look` sees what was made of each piece with
    an escaped character in it, and may raise.
    """
    scan = _Load(text, look)
    for _ in scan.windows():
        pause()
    return scan.value


class _Scan:
    """One pass over a text. What it comes by is for those to see who make something of it (`_Load`)."""

    _makes_numbers = False

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._open: list[str] = []
        """The closing brackets that are to come, the innermost last."""
        self._spent = 0
        self._wasted = 0
        """In characters: what the parser in C has tried in vain."""

    def windows(self) -> Iterator[None]:
        """Yields whenever about a window has been looked at. Raises JSONDecodeError."""
        self._skip()
        while True:
            ended = yield from self._value()
            while ended:
                self._skip()
                if not self._open:
                    if self._at != len(self._text):
                        raise self._wrong("Extra data")
                    return
                ended = self._close_or_comma()

    def _value(self) -> Generator[None, None, bool]:
        """Read on where a value, or in an object a member, begins. Gives whether a value has ended there."""
        before, text = self._at, self._text
        if self._open:
            run = _elements_in(self._open[-1], min(MAX_DEPTH - len(self._open), _LEVELS))
            self._at = self._end(run, self._at + _WINDOW)
            if self._at > before:
                self._passed(before, self._at)
                self._skip()  # the window may have ended behind a comma
        self._spent += self._at - before + _STEP_COST
        if self._spent >= _WINDOW:
            self._spent = 0
            yield
        if self._open and self._open[-1] == "}":
            yield from self._key()
        first = text[self._at : self._at + 1]
        if first in ("[", "{"):
            return self._within_a_window() or self._enter("]" if first == "[" else "}")
        start = self._at
        if first == '"':
            yield from self._string()
            self._ended(start)
            return True
        if (plain := _PLAIN.match(text, self._at)) is None:
            raise self._wrong("Expecting value")
        self._at = plain.end()
        self._ended(start)
        return True

    def _within_a_window(self) -> bool:
        """Read a container in one go, by the parser in C, where it is no longer than a window."""
        start, scan = self._at, _SCAN if self._makes_numbers else _CHECK_SCAN
        for size in _GLANCES:
            if self._wasted + size > _WASTE * (start + _WINDOW):
                return False
            piece = self._text[start : start + size]
            try:
                value, length = scan(piece, 0)
            except (ValueError, StopIteration, RecursionError):
                self._wasted += len(piece)
                self._spent += len(piece)
                if len(piece) < size:
                    return False  # it is wrong or too deep: step by step it will be found where
                continue
            check_depth(piece[:length], MAX_DEPTH - len(self._open))
            self._at += length
            self._spent += length
            self._held(value, piece[:length])
            return True
        return False

    def _enter(self, closing: str) -> bool:
        self._open.append(closing)
        self._entered()
        if len(self._open) > MAX_DEPTH:
            raise self._wrong("Nested too deeply")
        self._at += 1
        self._skip()
        if self._text[self._at : self._at + 1] != closing:
            return False
        self._at += 1
        self._open.pop()
        self._left()
        return True

    def _close_or_comma(self) -> bool:
        found = self._text[self._at : self._at + 1]
        if found == self._open[-1]:
            self._open.pop()
            self._left()
        elif found != ",":
            raise self._wrong("Expecting ',' delimiter")
        self._at += 1
        if found == ",":
            self._skip()
        return found != ","

    def _key(self) -> Iterator[None]:
        if self._text[self._at : self._at + 1] != '"':
            raise self._wrong("Expecting property name enclosed in double quotes")
        start = self._at
        yield from self._string()
        self._named(start)
        self._skip()
        if self._text[self._at : self._at + 1] != ":":
            raise self._wrong("Expecting ':' delimiter")
        self._at += 1
        self._skip()

    def _string(self) -> Iterator[None]:
        text, start = self._text, self._at
        self._at += 1
        while True:
            before = self._at
            self._at = self._end(_PIECES, before + _WINDOW)
            found = text[self._at : self._at + 1]
            if found == '"':
                self._at += 1
                return
            if self._at < before + _WINDOW - _LONGEST_PIECE or not found:
                if not found:
                    raise JSONDecodeError("Unterminated string starting at", text, start)
                raise self._wrong("Invalid \\escape" if found == "\\" else "Invalid control character at")
            yield

    def _end(self, pattern: re.Pattern[str], until: int) -> int:
        found = pattern.match(self._text, self._at, until)
        return self._at if found is None else found.end()

    def _skip(self) -> None:
        self._at = self._end(_SPACES, len(self._text))

    def _wrong(self, message: str) -> JSONDecodeError:
        return JSONDecodeError(message, self._text, self._at)

    def _passed(self, start: int, end: int) -> None:
        """Whole elements or members of the innermost container stand there, a comma behind each."""

    def _named(self, start: int) -> None:
        """A member's name begins there."""

    def _ended(self, start: int) -> None:
        """A string or another plain value begins there."""

    def _held(self, value: Any, text: str) -> None:
        """A whole container is this text."""

    def _entered(self) -> None:
        """A container has begun, the last of `_open`."""

    def _left(self) -> None:
        """The innermost container has ended."""


class _Load(_Scan):
    """A pass that builds the value."""

    _makes_numbers = True

    def __init__(self, text: str, look: Callable[[Any], object]) -> None:
        super().__init__(text)
        self._look = look
        self._whole: list[Any] = []
        self._holders: list[Any] = [self._whole]
        self._names: list[str] = []
        """Of members whose value is to come."""

    @property
    def value(self) -> Any:
        """What the whole text says, once it has been passed."""
        return self._whole[0]

    def _passed(self, start: int, end: int) -> None:
        elements = self._text[start:end].rstrip(" \t\n\r")[:-1]
        if self._open[-1] == "]":
            self._holders[-1].extend(self._seen(elements, _DECODER.decode(f"[{elements}]")))
        else:
            self._holders[-1].update(self._seen(elements, _DECODER.decode(f"{{{elements}}}")))

    def _named(self, start: int) -> None:
        self._names.append(self._scalar(start))

    def _ended(self, start: int) -> None:
        self._put(self._scalar(start))

    def _held(self, value: Any, text: str) -> None:
        self._put(self._seen(text, value))

    def _entered(self) -> None:
        made: Any = [] if self._open[-1] == "]" else {}
        self._put(made)
        self._holders.append(made)

    def _left(self) -> None:
        self._holders.pop()

    def _put(self, value: Any) -> None:
        holder = self._holders[-1]
        if isinstance(holder, list):
            holder.append(value)
        else:
            holder[self._names.pop()] = value

    def _scalar(self, start: int) -> Any:
        value, end = _SCAN(self._text, start)
        return self._seen(self._text[start:end], value)

    def _seen(self, text: str, value: Any) -> Any:
        if "\\u" in text:
            self._look(value)
        return value


def _refuse_constant(text: str) -> None:
    raise ValueError(f"Unrecognized token '{text}': was expecting ('true', 'false' or 'null')")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_CHECK_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=str, parse_float=str)
"""Leaves numbers as they are: `int` refuses more than 4,300 digits, which are JSON all the same."""
_SCAN: Callable[[str, int], tuple[object, int]] = vars(_DECODER)["scan_once"]
"""The parser in C by itself: `decode` looks for white space around the value with two regular expressions."""
_CHECK_SCAN: Callable[[str, int], tuple[object, int]] = vars(_CHECK_DECODER)["scan_once"]
