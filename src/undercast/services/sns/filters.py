"""Filter policies of subscriptions, on a message's attributes or on its body.

Pure: the language is `events.patterns`; SNS's own are the limits and what of a message is compared.
AWS: SNS Developer Guide, "Amazon SNS subscription filter policies", "Filter policy constraints in Amazon SNS",
"Applying a subscription filter policy"; the texts are the service's answers.
"""

import json
from collections.abc import Mapping
from typing import Any

from undercast.core import json_values
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.events.patterns import NOTHING, InvalidPattern, Pattern, compile_pattern
from undercast.services.sns.errors import invalid

ATTRIBUTES, BODY = "MessageAttributes", "MessageBody"
MAX_KEYS = 5
MAX_COMBINATIONS = 150
MAX_BYTES = 262_144
MAX_NUMBER = 10**9


@record
class Filter:
    """A compiled filter policy."""

    pattern: Pattern
    scope: str

    def accepts(self, attributes: Mapping[str, Any], body: Any) -> bool:
        """Whether the message goes to the subscription. `body` is the parsed message, None where it is no JSON."""
        return self.pattern.matches(attributes if self.scope == ATTRIBUTES else body)


def compile_filter(attributes: Mapping[str, str]) -> Filter:
    """The filter of a subscription's attributes, which have FilterPolicy. Raises InvalidParameter."""
    text, scope = attributes["FilterPolicy"], attributes.get("FilterPolicyScope", ATTRIBUTES)
    if len(text.encode()) > MAX_BYTES:
        raise invalid("FilterPolicy: Filter policy is too large")
    try:
        pattern = compile_pattern(_parsed(text), largest=MAX_NUMBER)
    except InvalidPattern as error:
        raise invalid(f"FilterPolicy: {error}") from error
    except RecursionError as error:
        raise invalid("FilterPolicy: Filter policy is too complex") from error
    if pattern.is_nested and scope == ATTRIBUTES:
        raise invalid("FilterPolicy: Filter policy scope MessageAttributes does not support nested filter policy")
    if pattern.keys > MAX_KEYS:
        raise ServiceError(
            "FilterPolicyLimitExceededException", f"Filter policy can not have more than {MAX_KEYS} keys", 403
        )
    if pattern.combinations > MAX_COMBINATIONS:
        raise invalid("FilterPolicy: Filter policy is too complex")
    return Filter(pattern=pattern, scope=scope)


def kept_filter(attributes: Mapping[str, str]) -> Filter:
    """The same of a row. A policy that an older version took, and that is refused now, accepts nothing."""
    try:
        return compile_filter(attributes)
    except ServiceError:
        return Filter(pattern=NOTHING, scope=attributes.get("FilterPolicyScope", ATTRIBUTES))


def _parsed(text: str) -> Any:
    try:
        return json_values.parse(text)
    except ValueError as error:
        raise invalid("FilterPolicy: failed to parse JSON.") from error


def comparable(attributes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Message attributes as a pattern sees them: text, numbers, and arrays of them; binary ones do not count."""
    values: dict[str, Any] = {}
    for name, attribute in attributes.items():
        kind = attribute["DataType"].partition(".")[0]
        if attribute["DataType"] == "String.Array":
            values[name] = json.loads(attribute["StringValue"])
        elif kind == "Number":
            values[name] = float(attribute["StringValue"])
        elif kind == "String":
            values[name] = attribute["StringValue"]
    return values
