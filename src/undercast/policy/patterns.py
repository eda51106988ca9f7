"""Wildcard patterns of the policy language, compiled once: plain globs, ARNs and action names.

"*" stands for any characters, "?" for one. In the first five fields of an ARN neither crosses a colon.
AWS: IAM User Guide, "IAM JSON policy elements: Resource", "... Action".
"""

import re
from collections.abc import Callable, Iterable

from undercast.policy.variables import (
    VARIABLES_SINCE,
    KeyLookup,
    Template,
    Text,
    compile_template,
    has_variables,
    resolve,
)

_ARN_FIELDS = 6
ToRegex = Callable[[Iterable[Text]], str]


def glob_regex(parts: Iterable[Text]) -> str:
    """A regular expression for a plain glob."""
    return _regex(parts, fields=0)


def arn_regex(parts: Iterable[Text]) -> str:
    """A regular expression for an ARN, where wildcards in the first five fields stop at a colon."""
    return _regex(parts, fields=_ARN_FIELDS - 1)


def _regex(parts: Iterable[Text], fields: int) -> str:
    """Each "*" but the last takes the first place where what follows it fits, and never another (an atomic group).

    That finds a match whenever there is one, and a hostile pattern of many "*" takes linear time. In the first
    `fields` fields a wildcard is anything but a colon: a piece with a colon in it fits in one place only.
    """
    pieces: list[str] = [""]
    stars: list[str] = []
    colons = 0
    for part in parts:
        for character in part.text:
            anything = "[^:]" if colons < fields else "."
            if part.wild and character == "*":
                stars.append(anything)
                pieces.append("")
            elif part.wild and character == "?":
                pieces[-1] += anything
            else:
                pieces[-1] += re.escape(character)
                colons += character == ":"
    middle = [f"(?>{star}*?{piece})" for star, piece in zip(stars[:-1], pieces[1:-1], strict=True)]
    return pieces[0] + "".join(middle) + (f"{stars[-1]}*{pieces[-1]}" if stars else "")


class Pattern:
    """One pattern. `matches` compares a value of the request with it."""

    __slots__ = ("_regex", "_template", "_to_regex", "text")

    def __init__(self, text: str, *, version: str = VARIABLES_SINCE, arn: bool = False) -> None:
        self.text = text
        template = compile_template(_complete_arn(text) if arn else text, version)
        self._to_regex: ToRegex = arn_regex if arn else glob_regex
        self._template: Template | None = template if has_variables(template) else None
        self._regex = None if self._template else _compiled(self._to_regex(_literals(template)))

    def matches(self, value: str, keys: KeyLookup) -> bool:
        """Whether the value fits; `keys` gives the variables' values."""
        if self._regex is not None:
            return self._regex.fullmatch(value) is not None
        parts = resolve(self._template or (), keys)
        return parts is not None and _compiled(self._to_regex(parts)).fullmatch(value) is not None


def resource_pattern(text: str, version: str) -> Pattern:
    """A pattern of the Resource element: an ARN, completed with wildcards when it is short, or "*"."""
    return Pattern(text, version=version, arn=text != "*")


def action_regex(actions: Iterable[str]) -> re.Pattern[str]:
    """One expression for all patterns of an Action element, which ignores case."""
    return _compiled("|".join(glob_regex((Text(action.lower()),)) for action in actions))


def _literals(template: Template) -> list[Text]:
    return [part for part in template if isinstance(part, Text)]


def _compiled(regex: str) -> re.Pattern[str]:
    return re.compile(regex, re.DOTALL)


def _complete_arn(text: str) -> str:
    """AWS adds wildcards for the fields that an ARN with fewer than six lacks."""
    fields = len(re.sub(r"\$\{[^}]*\}", "", text).split(":"))
    return text + ":*" * (_ARN_FIELDS - fields) if fields < _ARN_FIELDS else text
