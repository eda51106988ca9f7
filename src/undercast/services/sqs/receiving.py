"""Which attributes a receiver wants to see.

Pure. AWS: SQS API Reference, ReceiveMessage, MessageAttributeNames ("All", ".*" and "prefix.*") and
MessageSystemAttributeNames, whose older name is AttributeNames.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from undercast.core.service import Params
from undercast.services.sqs.contents import attributes_md5
from undercast.services.sqs.errors import unknown_attribute

SYSTEM = frozenset({
    "All", "SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp", "SequenceNumber",
    "MessageDeduplicationId", "MessageGroupId", "AWSTraceHeader", "DeadLetterQueueSourceArn",
})  # fmt: skip


class Selection(NamedTuple):
    """Names of system and of message attributes."""

    system: frozenset[str]
    attributes: tuple[str, ...]

    def of_system(self, there: Mapping[str, str]) -> dict[str, str]:
        """Those that were asked for."""
        if "All" in self.system:
            return dict(there)
        return {name: value for name, value in there.items() if name in self.system}

    def of_attributes(self, there: Mapping[str, Any]) -> dict[str, Any]:
        """Those that were asked for, by name or prefix."""
        return {name: value for name, value in there.items() if any(_covers(asked, name) for asked in self.attributes)}

    def digest(self, given: Mapping[str, Any], of_all: str) -> str:
        """MD5OfMessageAttributes of what is given; `of_all` is that of the whole message."""
        return of_all if any(asked in ("All", ".*") for asked in self.attributes) else attributes_md5(given)


def selection(params: Params) -> Selection:
    """Raises InvalidAttributeName for a system attribute that SQS has not."""
    system = frozenset((*params.get("AttributeNames", ()), *params.get("MessageSystemAttributeNames", ())))
    unknown = next((name for name in sorted(system) if name not in SYSTEM), None)
    if unknown is not None:
        raise unknown_attribute(unknown)
    return Selection(system, tuple(params.get("MessageAttributeNames", ())))


def _covers(asked: str, name: str) -> bool:
    return asked in ("All", ".*", name) or (asked.endswith(".*") and name.startswith(asked[:-2]))
