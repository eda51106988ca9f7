"""The filter patterns of CloudWatch Logs: terms, JSON conditions, space-delimited fields.

Pure: text in, predicate of a message out.
AWS: CloudWatch Logs User Guide, "Filter pattern syntax for metric filters, subscription filters, filter log events".
"""

import json
import re
from collections.abc import Callable, Mapping

from undercast.services.logs.condition import Parser, fields_of, names_of, value_at
from undercast.services.logs.errors import invalid
from undercast.services.logs.regex import compile_regex

Matcher = Callable[[str], bool]
_TERM = re.compile(r'([-?]?)(?:"((?:[^"\\]|\\.)*)"|%([^%]+)%|([^\s"%]\S*))\s*')


def compile_pattern(text: str | None) -> Matcher:
    """Whether a message matches; every message does without a pattern. Raises InvalidParameterException."""
    pattern = (text or "").strip()
    if not pattern:
        return lambda message: True
    if pattern.startswith("{"):
        return Parser(pattern).json()
    if pattern.startswith("["):
        return fields_of(pattern)
    return _compile_terms(pattern)


def named_fields(text: str) -> Callable[[str], Mapping[str, str]] | None:
    """What a pattern of fields, `[ip, status]`, takes out of a message that matches; None for other patterns."""
    pattern = text.strip()
    return names_of(pattern) if pattern.startswith("[") else None


def extracted(text: str) -> Callable[[str], Mapping[str, str]]:
    """What a pattern takes out of a message that matches: fields by name, what JSON selectors find, else nothing."""
    fields = named_fields(text)
    if fields is not None:
        return fields
    if not text.strip().startswith("{"):
        return lambda message: {}
    parser = Parser(text.strip())
    parser.json()

    def found(message: str) -> dict[str, str]:
        document = json.loads(message)
        values = {selector: value_at(document, path) for selector, path in parser.selectors.items()}
        return {selector: value for selector, value in values.items() if value is not None}

    return found


def _compile_terms(pattern: str) -> Matcher:
    """All plain terms and none of the -excluded ones; ?optional ones count only when there is nothing else."""
    terms: dict[str, list[Matcher]] = {"": [], "-": [], "?": []}
    at = 0
    while at < len(pattern):
        match = _TERM.match(pattern, at)
        if match is None:
            raise invalid("Invalid filter pattern")
        sign, quoted, regex, plain = match.groups()
        terms[sign].append(compile_regex(regex) if regex else _contains(_term(quoted, plain)))
        at = match.end()
    required, excluded, optional = terms[""], terms["-"], terms["?"]
    if optional and not required and not excluded:
        return lambda message: any(matches(message) for matches in optional)
    return lambda message: (
        all(matches(message) for matches in required) and not any(matches(message) for matches in excluded)
    )


def _term(quoted: str | None, plain: str) -> str:
    return plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)


def _contains(term: str) -> Matcher:
    return lambda message: term in message
