"""Amazon Resource Names and the two names in each of them, account and region.

Pure. AWS: General Reference, "Amazon Resource Names (ARNs)".
"""

import re
from typing import NamedTuple, NewType

from undercast.core.errors import ServiceError
from undercast.core.record import record

AccountId = NewType("AccountId", str)
Region = NewType("Region", str)

DEFAULT_ACCOUNT = AccountId("000000000000")
_ACCOUNT = re.compile(r"[0-9]{12}")


class Scope(NamedTuple):
    """The (account, region) under which every regional row is kept. A tuple: it is hashed ten times per request."""

    account_id: AccountId
    region: Region


@record
class Arn:
    """One ARN in its parts. `resource` is everything behind the fifth colon."""

    service: str
    resource: str
    region: str = ""
    account_id: str = ""
    partition: str = "aws"

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account_id}:{self.resource}"

    @classmethod
    def parse(cls, text: str) -> "Arn":
        """Raises ServiceError InvalidParameterValueException when the text is no ARN."""
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn" or not parts[2]:
            raise ServiceError("InvalidParameterValueException", f"Invalid ARN: {text}")
        return cls(partition=parts[1], service=parts[2], region=parts[3], account_id=parts[4], resource=parts[5])

    @classmethod
    def of(cls, scope: Scope, service: str, resource: str) -> "Arn":
        """The ARN of a regional resource of this scope."""
        return cls(service=service, region=scope.region, account_id=scope.account_id, resource=resource)


def is_fifo(name: str) -> bool:
    """Whether a queue or topic, by its name or ARN, keeps the order of each message group.

    AWS: SQS API Reference, CreateQueue; SNS API Reference, CreateTopic: names of FIFO queues and topics end in ".fifo",
    and no others do.
    """
    return name.endswith(".fifo")


def is_account_id(text: str) -> bool:
    """Whether the text is a 12-digit account id."""
    return _ACCOUNT.fullmatch(text) is not None
