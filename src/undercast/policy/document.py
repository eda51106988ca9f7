"""Policy documents: text or JSON in, compiled statements out.

Compiled once; a `Policy` is also the mapping that it was made from, so it travels wherever a document does.
AWS: IAM User Guide, "IAM JSON policy reference".
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from undercast.core import json_values
from undercast.core.record import record
from undercast.policy import validation
from undercast.policy.conditions import Condition, UnknownOperator, compile_conditions
from undercast.policy.patterns import Pattern, action_regex, resource_pattern
from undercast.policy.principals import InvalidPrincipal, Principals, compile_principals
from undercast.policy.validation import PolicyKind, malformed
from undercast.policy.variables import KeyLookup

Effect = Literal["Allow", "Deny"]
_OLDEST_VERSION = "2008-10-17"
_MEMO_ENTRIES = 1024


@record
class Statement:
    """One statement, compiled."""

    sid: str
    effect: Effect
    actions: re.Pattern[str]
    actions_inverted: bool
    resources: tuple[Pattern, ...]
    """Empty in a role's trust policy: it means the role."""
    resources_inverted: bool
    conditions: tuple[Condition, ...]
    principals: Principals | None
    """None in an identity-based policy: it means whom it is attached to."""

    def covers_action(self, action: str) -> bool:
        """`action` in lower case."""
        return (self.actions.fullmatch(action) is not None) != self.actions_inverted

    def covers_resource(self, resource: str, keys: KeyLookup) -> bool:
        """Whether the statement is about the resource."""
        if not self.resources:
            return True
        return any(pattern.matches(resource, keys) for pattern in self.resources) != self.resources_inverted

    def applies(self, resource: str, keys: KeyLookup) -> bool:
        """Whether resource and conditions fit."""
        return self.covers_resource(resource, keys) and all(condition.holds(keys) for condition in self.conditions)


class Policy(Mapping[str, Any]):
    """A compiled policy document. As a mapping it is the document itself."""

    __slots__ = ("_by_action", "document", "statements")

    def __init__(self, document: Mapping[str, Any], statements: tuple[Statement, ...]) -> None:
        self.document = document
        self.statements = statements
        self._by_action: dict[str, tuple[Statement, ...]] = {}

    def __getitem__(self, key: str) -> Any:
        return self.document[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.document)

    def __len__(self) -> int:
        return len(self.document)

    def about(self, action: str) -> tuple[Statement, ...]:
        """The statements that cover an action ("s3:GetObject"); remembered, because actions are few."""
        found = self._by_action.get(action)
        if found is None:
            lowered = action.lower()
            found = tuple(statement for statement in self.statements if statement.covers_action(lowered))
            if len(self._by_action) >= _MEMO_ENTRIES:
                self._by_action.clear()
            self._by_action[action] = found
        return found


def parse_policy(source: str | Mapping[str, Any], kind: PolicyKind = "any") -> Policy:
    """Validate and compile a document. Raises ServiceError MalformedPolicyDocument in AWS's words.

    `kind` says what else AWS asks of it: "managed", "inline" and "session" have no Principal, "resource" and "trust"
    need one, "trust" has no Resource. "any", for what is stored, asks for the grammar only: a principal that an older
    version took, and that is refused now, means nobody.
    """
    if isinstance(source, Policy):
        return source
    document = _json(source, kind) if isinstance(source, str) else source
    validation.check(document, kind)
    version = document.get("Version", _OLDEST_VERSION)
    return Policy(document, tuple(_statement(raw, version, kind) for raw in validation.as_list(document["Statement"])))


def _json(text: str, kind: PolicyKind) -> Any:
    try:
        return json_values.parse(text, object_pairs_hook=_unique)
    except ValueError:
        raise malformed(validation.syntax_text(kind)) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _statement(raw: Mapping[str, Any], version: str, kind: PolicyKind) -> Statement:
    inverted_actions, inverted_resources = "NotAction" in raw, "NotResource" in raw
    actions = validation.as_list(raw["NotAction" if inverted_actions else "Action"])
    resources = validation.as_list(raw.get("NotResource" if inverted_resources else "Resource", []))
    try:
        conditions = compile_conditions(raw.get("Condition", {}), version)
    except UnknownOperator as error:
        raise malformed(f"Invalid Condition type : {error}") from None
    return Statement(
        sid=raw.get("Sid", ""),
        effect=raw["Effect"],
        actions=action_regex(actions),
        actions_inverted=inverted_actions,
        resources=tuple(resource_pattern(resource, version) for resource in resources),
        resources_inverted=inverted_resources,
        conditions=conditions,
        principals=_principals(raw, lenient=kind == "any"),
    )


def _principals(raw: Mapping[str, Any], *, lenient: bool) -> Principals | None:
    named = next((name for name in ("NotPrincipal", "Principal") if name in raw), None)
    if named is None:
        return None
    try:
        return compile_principals(raw[named], inverted=named == "NotPrincipal", lenient=lenient)
    except InvalidPrincipal as error:
        raise malformed(f"{validation.INVALID_PRINCIPAL}: {error}") from None
