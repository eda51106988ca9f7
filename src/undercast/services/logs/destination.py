"""Kinesis streams as destinations, of this account or by a logical destination of another.

Each message is one record, gzip. A stream that has too much to do is tried for 24 hours, a refusal ends a message.
AWS: CloudWatch Logs User Guide, "Example 1: Subscription filters with Kinesis Data Streams", "Cross-account
cross-Region subscriptions"; "Concepts" (retries).
"""

import gzip
import logging
from collections.abc import Mapping
from typing import Any, Protocol

from undercast.core.arn import Scope
from undercast.core.clock import Clock
from undercast.core.context import Cause, RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal, service_principal
from undercast.core.record import record
from undercast.events.delivery import Delivery, Outcome
from undercast.services import roles
from undercast.services.logs.subscription import as_json
from undercast.services.target_calls import BACKOFF, is_transient, scope_of

log = logging.getLogger(__name__)

KIND = "logs-kinesis"
PRINCIPAL = "logs.amazonaws.com"
LONGEST_S = 24 * 3600.0
_SESSION = "CloudWatchLogs"


class Internal(Protocol):
    """See `services.parts.Internal`."""

    def __call__(self, scope: Scope, principal: Principal, cause: Any = ...) -> RequestContext: ...


@record
class Destination:
    """A logical destination."""

    scope: Scope
    name: str
    target_arn: str
    role_arn: str
    created_ms: int
    policy: str = ""

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:logs:{self.scope.region}:{self.scope.account_id}:destination:{self.name}"

    def output(self) -> dict[str, Any]:
        """Destination."""
        found: dict[str, Any] = {
            "destinationName": self.name,
            "targetArn": self.target_arn,
            "roleArn": self.role_arn,
            "arn": self.arn,
            "creationTime": self.created_ms,
        }
        return {**found, "accessPolicy": self.policy} if self.policy else found


def control_message(now_ms: int) -> bytes:
    """What a stream gets first."""
    text = "CWL CONTROL MESSAGE: Checking health of destination Kinesis stream."
    document = {
        "messageType": "CONTROL_MESSAGE",
        "owner": "CloudwatchLogs",
        "logGroup": "",
        "logStream": "",
        "subscriptionFilters": [],
        "logEvents": [{"id": "", "timestamp": now_ms, "message": text}],
    }
    return gzip.compress(as_json(document), mtime=0)


async def put(ctx: RequestContext, stream_arn: str, role_arn: str, record: Mapping[str, Any], source_arn: str) -> None:
    """Put a record as the role. Raises the stream's error, or AccessDeniedException where the role trusts others."""
    account = source_arn.split(":")[4]
    conditions = {"aws:SourceArn": source_arn, "aws:SourceAccount": account}
    if not await roles.trusts(ctx, PRINCIPAL, role_arn, conditions):
        raise ServiceError("AccessDeniedException", f"CloudWatch Logs may not assume {role_arn}")
    role = await roles.session_of(ctx, PRINCIPAL, role_arn, _SESSION)
    scope = scope_of(stream_arn, ctx.scope)
    await ctx.call("kinesis", "PutRecord", {"StreamARN": stream_arn, **record}, principal=role, scope=scope)


class StreamTarget:
    """See `events.delivery.Target`. Attributes of a delivery: `role_arn`, `partition_key`."""

    def __init__(self, internal: Internal, clock: Clock) -> None:
        self._internal = internal
        self._clock = clock

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once."""
        principal = service_principal(PRINCIPAL, delivery.scope.account_id)
        ctx = self._internal(delivery.scope, principal, Cause(kind="delivery", id=delivery.id))
        record = {"Data": delivery.payload, "PartitionKey": delivery.attributes["partition_key"]}
        try:
            await put(ctx, delivery.target_arn, delivery.attributes["role_arn"], record, delivery.source_arn)
        except ServiceError as error:
            now = self._clock.now()
            if not is_transient(error) or now - delivery.created_at > LONGEST_S:
                log.warning("log events for %s are dropped: %s", delivery.target_arn, error)
                return Outcome(kind="dead", reason=error.message)
            due_at = now + BACKOFF.wait_s(delivery.throttles)
            return Outcome(kind="retry", due_at=due_at, counted=False, reason=error.message)
        return Outcome(kind="done")
