"""Universal targets: any operation of the services that are here, by its SDK's name.

AWS: EventBridge Scheduler User Guide, "Using universal targets" (ARN, actions that are not supported).
"""

import re
from typing import NamedTuple

from undercast.services.parts import SdkCalls

_ARN = re.compile(r"arn:aws[\w-]*:scheduler:::aws-sdk:([a-z0-9-]+):([A-Za-z0-9]+)", re.ASCII)
_READS = re.compile(
    r"(?:get|describe|list|poll|receive|search|scan|query|select|read|lookup|discover|validate|batchGet|batchDescribe"
    r"|batchRead|transactGet|adminGet|adminList|testMigration|retrieve|testConnection|translateDocument|isAuthorized"
    r"|invokeModel)"
)


class Named(NamedTuple):
    """What an ARN says."""

    service: str
    operation: str


def is_universal(arn: str) -> bool:
    """Whether an ARN names an operation rather than a resource."""
    return ":scheduler:::aws-sdk:" in arn


def named(sdk: SdkCalls, arn: str) -> Named | None:
    """The operation of an ARN; None for what AWS does not have, or does not let a schedule call."""
    found = _ARN.fullmatch(arn)
    if found is None or _READS.match(found[2]):
        return None
    operation = sdk.operation_of(found[1], found[2])
    return None if operation is None else Named(*operation)
