"""Takes an alarm's action: publishes to a topic or invokes a function, and writes into the history what became of it.

The topic's or function's own policy decides, as on AWS; within one account a topic's default policy lets CloudWatch in.
AWS: CloudWatch User Guide, "Invoke a Lambda function from an alarm"; SNS Developer Guide, "Example cases for Amazon SNS
access control" (CloudWatch alarms).
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.backoff import Backoff
from undercast.core.clock import PlatformClock
from undercast.core.context import Cause
from undercast.core.errors import ServiceError
from undercast.core.identity import platform_principal, service_principal
from undercast.events.delivery import Delivery, Outcome
from undercast.services.cloudwatch import alarm_store
from undercast.services.cloudwatch.alarms import HistoryItem
from undercast.services.cloudwatch.transitions import FUNCTIONS
from undercast.services.parts import Internal
from undercast.store.database import Database

log = logging.getLogger(__name__)

BACKOFF = Backoff(longest_s=60.0)
LONGEST_S = 3600.0
PRINCIPALS: Mapping[str, tuple[str, str]] = {
    "sns": ("cloudwatch.amazonaws.com", "sns:Publish"),
    "lambda": ("lambda.alarms.cloudwatch.amazonaws.com", "lambda:InvokeFunction"),
}


class ActionTarget:
    """See `events.delivery.Target`. Attributes of a delivery: `subject`, `alarm`, `alarm_kind`."""

    def __init__(self, database: Database, clock: PlatformClock, internal: Internal) -> None:
        self._database = database
        self._clock = clock
        self._internal = internal

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once. A refusal ends it; a fault of the other service is tried again for an hour."""
        try:
            await self._take(delivery)
        except ServiceError as error:
            now = self._clock.now()
            if (error.status >= 500 or error.status == 429) and now - delivery.created_at < LONGEST_S:
                due_at = now + BACKOFF.wait_s(delivery.throttles)
                return Outcome(kind="retry", due_at=due_at, counted=False, reason=error.message)
            log.warning("action %s of %s failed: %s", delivery.target_arn, delivery.source_arn, error)
            await self._note(delivery, "Failed to execute action", error.message)
            return Outcome(kind="dead", reason=error.message)
        await self._note(delivery, "Successfully executed action", "")
        return Outcome(kind="done")

    async def _take(self, delivery: Delivery) -> None:
        service = Arn.parse(delivery.target_arn).service
        host, action = PRINCIPALS[service]
        account = AccountId(Arn.parse(delivery.source_arn).account_id)
        cause = Cause(kind="delivery", id=delivery.id)
        principal = service_principal(host, account)
        conditions = {
            "aws:SourceArn": delivery.source_arn,
            "aws:SourceAccount": account,
            "aws:SourceOwner": account,
        }
        ctx = self._internal(delivery.scope, principal, cause)
        if not await ctx.permits(principal, action, delivery.target_arn, conditions):
            raise ServiceError("AccessDeniedException", f"{host} is not authorized to perform: {action}", 403)
        allowed = self._internal(delivery.scope, platform_principal(delivery.scope.account_id), cause)
        await allowed.call(service, *_request(service, delivery))

    async def _note(self, delivery: Delivery, summary: str, error: str) -> None:
        arn = Arn.parse(delivery.source_arn)
        data = {"actionState": "Failed" if error else "Succeeded", "notificationResource": delivery.target_arn}
        item = HistoryItem(
            scope=Scope(AccountId(arn.account_id), Region(arn.region)),
            name=delivery.attributes["alarm"],
            kind=delivery.attributes["alarm_kind"],
            at=self._clock.now(),
            type="Action",
            summary=f"{summary} {delivery.target_arn}" + (f". Received error: {error}" if error else ""),
            data=json.dumps({**data, **({"error": error} if error else {})}),
        )
        await self._database.write(lambda tx: alarm_store.note(tx, item))


def _request(service: str, delivery: Delivery) -> tuple[str, dict[str, Any]]:
    text = delivery.payload.decode()
    if service == FUNCTIONS:
        return "Invoke", {"FunctionName": delivery.target_arn, "InvocationType": "Event", "Payload": delivery.payload}
    return "Publish", {"TopicArn": delivery.target_arn, "Message": text, "Subject": delivery.attributes["subject"]}
