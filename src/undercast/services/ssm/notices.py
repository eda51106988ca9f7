"""What EventBridge's default bus hears of parameters: each change of one, and what a policy does to it.

Committed with the change. The reason of a NoChangeNotification is in AWS's words, those of the others are ours.
AWS: Systems Manager User Guide, "Setting up notifications or trigger actions based on Parameter Store events", "Amazon
EventBridge event examples for Systems Manager", "Native parameter support for Amazon Machine Image IDs" (dataType).
"""

import json
from collections.abc import Mapping
from typing import Any

from undercast.core.arn import Arn
from undercast.core.clock import iso_millis, moment
from undercast.core.context import Cause, RequestContext
from undercast.core.ids import Ids
from undercast.events.delivery import Delivery
from undercast.events.outbox import Outbox
from undercast.services.ssm import policies
from undercast.services.ssm.models import Version
from undercast.services.ssm.policies import Policy
from undercast.store.database import Tx

CREATE, UPDATE, DELETE, LABEL = "Create", "Update", "Delete", "LabelParameterVersion"
BUSES = "events"
"""Kind of the deliveries to EventBridge's buses."""


class Notices:
    """One per platform."""

    def __init__(self, outbox: Outbox, ids: Ids) -> None:
        self._outbox = outbox
        self._ids = ids

    def changed(self, tx: Tx, ctx: RequestContext, version: Version, operation: str) -> None:
        """A request has changed a parameter; `version` is its newest one, or the one that got labels."""
        detail = {"operation": operation, "name": version.name, "type": version.type}
        if version.data_type != "text":
            detail["dataType"] = version.data_type
        if version.description:
            detail["description"] = version.description
        cause = Cause(kind="call", id=ctx.request_id)
        made = self._delivery(version, ("Parameter Store Change", detail), ctx.clock.now(), cause)
        named = "" if ctx.cause.id else f"{ctx.service}:{ctx.operation} {version.arn}"
        self._outbox.add(tx, made, named=named)

    def applied(self, tx: Tx, version: Version, policy: Policy, now: float) -> None:
        """A policy was applied to a parameter."""
        detail = {
            "policy-type": policy["Type"],
            "parameter-name": version.name,
            "parameter-type": version.type,
            "policy-content": json.dumps(policy, separators=(",", ":")),
            "action-status": "Success",
            "action-reason": _reason(version, policy),
        }
        made = self._delivery(version, ("Parameter Store Policy Action", detail), now, Cause(kind="internal"))
        self._outbox.add(tx, made, ("parameter", version.arn))

    def _delivery(self, version: Version, about: tuple[str, Mapping[str, Any]], now: float, cause: Cause) -> Delivery:
        event_id, (detail_type, detail) = self._ids.uuid(), about
        event = {
            "version": "0",
            "id": event_id,
            "detail-type": detail_type,
            "source": "aws.ssm",
            "account": version.scope.account_id,
            "time": f"{moment(now):%Y-%m-%dT%H:%M:%SZ}",
            "region": version.scope.region,
            "resources": [version.arn],
            "detail": detail,
        }
        return Delivery(
            id=event_id,
            kind=BUSES,
            target_arn=str(Arn.of(version.scope, "events", "event-bus/default")),
            payload=json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode(),
            scope=version.scope,
            created_at=now,
            cause=cause,
            source_arn=version.arn,
        )


def _reason(version: Version, policy: Policy) -> str:
    if policy["Type"] == policies.EXPIRATION:
        return "The parameter has expired, and was deleted."
    if policy["Type"] == policies.EXPIRES_SOON:
        return f"The parameter expires in {policies.span(policy)}."
    made = iso_millis(version.modified_at)
    said = f"The parameter has not been changed for {policies.span(policy)}."
    return f"{said} This notification was generated based on the policy created at {made}."
