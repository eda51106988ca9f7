"""The regular expressions of filter patterns, matched in time linear in the message (Pike's machine).

Python's `re` would let one pattern stop the platform for hours. AWS's subset has no groups and no back-references:
literals, ".", classes, \\d \\D \\s \\S \\w \\W \\xhh, ? * + {n} {n,} {n,m}, |, ^ and $.
AWS: CloudWatch Logs User Guide, "Supported regular expressions (regex) syntax". R. Cox, "Regular Expression Matching:
the Virtual Machine Approach".
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from undercast.services.logs.errors import invalid

MAX_INSTRUCTIONS = 2000
_ATOM = re.compile(
    r"(?P<klass>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<escape>\\x[0-9a-fA-F]{2}|\\.)|(?P<any>\.)|(?P<edge>[\^$])|(?P<char>.)",
    re.DOTALL,
)
_QUANTIFIER = re.compile(r"(?P<sign>[?*+])|\{(?P<least>\d{1,3})(?:(?P<comma>,)(?P<most>\d{1,3})?)?\}")
_REFUSED = "()"

Accepts = Callable[[str], bool]
Code = Literal["char", "split", "jump", "start", "end", "match"]


@dataclass(slots=True)
class _Step:
    """One instruction. `to` and `other` are addresses."""

    code: Code
    accepts: Accepts | None = None
    to: int = 0
    other: int = 0


def compile_regex(text: str) -> Callable[[str], bool]:
    """Whether a message contains a match. Raises InvalidParameterException for what AWS's subset lacks."""
    program = _Compiler(text).program
    return lambda message: _search(program, message)


class _Compiler:
    """Turns the text into instructions, alternatives first."""

    def __init__(self, text: str) -> None:
        self.program: list[_Step] = []
        branches = _branches(text)
        exits: list[_Step] = []
        for number, branch in enumerate(branches):
            last = number == len(branches) - 1
            split = None if last else self._add(_Step("split", to=len(self.program) + 1))
            self._branch(branch)
            if split is not None:
                exits.append(self._add(_Step("jump")))
                split.other = len(self.program)
        for step in exits:
            step.to = len(self.program)
        self._add(_Step("match"))

    def _add(self, step: _Step) -> _Step:
        if len(self.program) >= MAX_INSTRUCTIONS:
            raise invalid("Invalid filter pattern")
        self.program.append(step)
        return step

    def _branch(self, text: str) -> None:
        at = 0
        while at < len(text):
            atom = _ATOM.match(text, at)
            if atom is None or atom["char"] in tuple(_REFUSED) or atom["char"] in ("?", "*", "+", "{", "["):
                raise invalid("Invalid filter pattern")
            at = atom.end()
            if atom["edge"]:
                self._add(_Step("start" if atom["edge"] == "^" else "end"))
                continue
            quantifier = _QUANTIFIER.match(text, at)
            least, most = _range(quantifier)
            at = quantifier.end() if quantifier else at
            self._repeat(_accepts(atom), least, most)

    def _repeat(self, accepts: Accepts, least: int, most: int | None) -> None:
        for _ in range(least):
            self._add(_Step("char", accepts))
        if most is None:
            split = self._add(_Step("split", to=len(self.program) + 1))
            self._add(_Step("char", accepts))
            self._add(_Step("jump", to=self.program.index(split)))
            split.other = len(self.program)
            return
        splits = []
        for _ in range(most - least):
            splits.append(self._add(_Step("split", to=len(self.program) + 1)))
            self._add(_Step("char", accepts))
        for split in splits:
            split.other = len(self.program)


def _branches(text: str) -> list[str]:
    """The parts between "|" that stand neither in a class nor behind a backslash."""
    parts, at, begin = [], 0, 0
    while at < len(text):
        atom = _ATOM.match(text, at)
        if atom is None:
            raise invalid("Invalid filter pattern")
        if atom["char"] == "|":
            parts.append(text[begin:at])
            begin = atom.end()
        at = atom.end()
    return [*parts, text[begin:]]


def _range(quantifier: re.Match[str] | None) -> tuple[int, int | None]:
    if quantifier is None:
        return 1, 1
    if quantifier["sign"]:
        return {"?": (0, 1), "*": (0, None), "+": (1, None)}[quantifier["sign"]]
    least = int(quantifier["least"])
    if not quantifier["comma"]:
        return least, least
    return least, int(quantifier["most"]) if quantifier["most"] else None


def _accepts(atom: re.Match[str]) -> Accepts:
    if atom["any"]:
        return lambda character: character != "\n"
    if atom["char"]:
        wanted = atom["char"]
        return lambda character: character == wanted
    escape = atom["escape"] or ""
    if escape[1:2].isalnum() and escape[1:2] not in "dDsSwWx":
        raise invalid("Invalid filter pattern")  # \b and the like are none of AWS's
    try:
        # One character against a class or an escape: `re` cannot be slow here, and knows their meaning.
        one = re.compile(atom["klass"] or atom["escape"])
    except re.error as error:
        raise invalid("Invalid filter pattern") from error
    return lambda character: one.fullmatch(character) is not None


def _search(program: list[_Step], message: str) -> bool:
    threads: set[int] = set()
    for at in range(len(message) + 1):
        _follow(program, threads, 0, at, len(message))
        if any(program[address].code == "match" for address in threads):
            return True
        if at == len(message):
            return False
        character = message[at]
        advanced: set[int] = set()
        for address in threads:
            step = program[address]
            if step.accepts is not None and step.accepts(character):
                _follow(program, advanced, address + 1, at + 1, len(message))
        threads = advanced
    return False


def _follow(program: list[_Step], threads: set[int], address: int, at: int, length: int) -> None:
    """Add an address and what it reaches without a character."""
    waiting = [address]
    while waiting:
        address = waiting.pop()
        if address in threads:
            continue
        threads.add(address)
        step = program[address]
        if step.code == "jump":
            waiting.append(step.to)
        elif step.code == "split":
            waiting += (step.other, step.to)
        elif (step.code == "start" and at == 0) or (step.code == "end" and at == length):
            waiting.append(address + 1)
