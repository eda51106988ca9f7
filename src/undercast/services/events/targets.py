"""EventBridge's own adapters for targets: other buses, log groups, and what is called as a role.

AWS: EventBridge User Guide, "Sending and receiving events between AWS accounts", "Amazon CloudWatch Logs as a target",
"Permissions required for EventBridge to access targets using IAM roles".
"""

from dataclasses import replace
from typing import Any

from undercast.core import json_values
from undercast.core.arn import AccountId, Arn
from undercast.core.context import Cause
from undercast.core.errors import ServiceError
from undercast.core.identity import platform_principal, root_principal, service_principal
from undercast.events.delivery import Delivery, Outcome
from undercast.services import roles, target_calls
from undercast.services.events import dispatch
from undercast.services.events.event import parse_event
from undercast.services.events.failures import give_up, judged, no_role
from undercast.services.events.instance import Events
from undercast.services.events.models import PRINCIPAL, BusName, bus_of_arn
from undercast.store.database import Tx

_SESSION = "EventBridge"


class BusTarget:
    """Buses as targets: of rules, and of what other services of the same account have to tell.

    Attributes of a delivery: `source_account` (a rule sends, as `role_arn` where it has one; without this the event is
    a service's own). See `events.delivery.Target`.
    """

    def __init__(self, events: Events) -> None:
        self._events = events

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once."""
        events, name = self._events, bus_of_arn(delivery.target_arn)
        bus = events.buses.find(name) if name is not None else None
        if name is None or bus is None:
            return give_up(delivery, "NO_RESOURCE", "The event bus does not exist.", events.clock.now())
        is_rules = "source_account" in delivery.attributes
        if is_rules and not await self._permitted(delivery, name):
            return give_up(
                delivery, "NO_PERMISSIONS", f"Not authorized to put events on {name.arn}", events.clock.now()
            )
        event = parse_event(delivery.payload, delivery.attributes.get("trace_header", ""), is_received=is_rules)
        one = dispatch.arrival(bus, event, Cause(kind="delivery", id=delivery.id))

        def write(tx: Tx) -> None:
            dispatch.note_delivery(events, tx, delivery, one, name)
            dispatch.store(events, tx, one)

        await events.database.write(write, long=dispatch.is_long([one]))
        return Outcome(kind="done")

    async def _permitted(self, delivery: Delivery, name: BusName) -> bool:
        """The role's policies must allow it; those of another account's bus, too."""
        account, role_arn = AccountId(delivery.attributes["source_account"]), delivery.attributes.get("role_arn", "")
        principal = service_principal(PRINCIPAL, account)
        ctx = self._events.internal(name.scope, principal, Cause(kind="delivery", id=delivery.id))
        conditions = {"aws:SourceArn": delivery.source_arn, "aws:SourceAccount": account}
        if role_arn:
            if not await roles.trusts(ctx, PRINCIPAL, role_arn, conditions):
                return False
            if await roles.allows(ctx, PRINCIPAL, role_arn, "events:PutEvents", name.arn) is False:
                return False
            principal = await roles.session_of(ctx, PRINCIPAL, role_arn, _SESSION)
        if account == name.scope.account_id:
            return True
        # The role may what its own policies allow: there the bus's policy need only name its account.
        for one in (principal, root_principal(account)):
            if await ctx.permits(one, "events:PutEvents", name.arn, conditions):
                return True
        return False


class LogsTarget:
    """Log groups as targets: one stream for each event. The resource policies of CloudWatch Logs must let it in.

    As AWS shows in its examples, aws:SourceArn is the rule at PutLogEvents, and is not there at CreateLogStream.
    A target with an InputTransformer gives {"timestamp": ..., "message": ...}; everything else is the message itself.
    """

    def __init__(self, events: Events) -> None:
        self._events = events

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once. See `events.delivery.Target`."""
        events = self._events
        ctx = events.internal(
            delivery.scope, platform_principal(delivery.scope.account_id), Cause(kind="delivery", id=delivery.id)
        )
        group = Arn.parse(delivery.target_arn).resource.removeprefix("log-group:").removesuffix(":*")
        where = {"logGroupName": group, "logStreamName": delivery.id}
        if not await self._permitted(delivery, f"{delivery.target_arn.removesuffix(':*')}:log-stream:{delivery.id}"):
            text = f"No resource policy of CloudWatch Logs lets {PRINCIPAL} write to {delivery.target_arn}"
            return give_up(delivery, "NO_PERMISSIONS", text, events.clock.now())
        event = _log_event(delivery, int(events.clock.now() * 1000))
        try:
            await ctx.call("logs", "CreateLogStream", where)
        except ServiceError as error:  # an attempt that is repeated finds its stream
            if error.code != "ResourceAlreadyExistsException":
                return judged(delivery, error, events.clock.now())
        try:
            await ctx.checked_call("logs", "PutLogEvents", {**where, "logEvents": [event]})
        except ServiceError as error:
            return judged(delivery, error, events.clock.now())
        return Outcome(kind="done")

    async def _permitted(self, delivery: Delivery, stream_arn: str) -> bool:
        account = delivery.attributes["source_account"]
        principal = service_principal(PRINCIPAL, AccountId(account))
        ctx = self._events.internal(delivery.scope, principal, Cause(kind="delivery", id=delivery.id))
        from_here = {"aws:SourceAccount": account}
        from_rule = {**from_here, "aws:SourceArn": delivery.source_arn}
        return await ctx.permits(principal, "logs:CreateLogStream", stream_arn, from_here) and await ctx.permits(
            principal, "logs:PutLogEvents", stream_arn, from_rule
        )


def _log_event(delivery: Delivery, now_ms: int) -> dict[str, Any]:
    text = delivery.payload.decode()
    try:
        given = json_values.parse(text)
    except ValueError:
        given = None
    if isinstance(given, dict) and set(given) == {"timestamp", "message"} and isinstance(given["message"], str):
        return {"timestamp": now_ms, "message": given["message"]}
    return {"timestamp": now_ms, "message": text}


class RoleTarget:
    """Everything that is called as the target's role. See `events.delivery.Target`.

    Attributes of a delivery: `role_arn`, and what `target_calls.Letter` has.
    """

    def __init__(self, events: Events) -> None:
        self._events = events

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once."""
        attributes, now = delivery.attributes, self._events.clock.now()
        account = AccountId(attributes["source_account"])
        role_arn = attributes.get("role_arn")
        if not role_arn:
            return no_role(delivery, now)
        ctx = self._events.internal(
            delivery.scope, service_principal(PRINCIPAL, account), Cause(kind="delivery", id=delivery.id)
        )
        conditions = {"aws:SourceArn": delivery.source_arn, "aws:SourceAccount": account}
        if not await roles.trusts(ctx, PRINCIPAL, role_arn, conditions):
            return give_up(delivery, "FAILED_TO_ASSUME_ROLE", f"EventBridge may not assume {role_arn}", now)
        role = await roles.session_of(ctx, PRINCIPAL, role_arn, _SESSION)
        letter = target_calls.Letter(
            arn=delivery.target_arn,
            text=delivery.payload.decode(),
            group_id=attributes.get("group_id", ""),
            partition_key=attributes.get("partition_key", ""),
            name=delivery.id,
        )
        if attributes.get("trace_header"):
            ctx = replace(ctx, headers={"x-amzn-trace-id": attributes["trace_header"]})
        kind = target_calls.KINDS[Arn.parse(delivery.target_arn).service]
        try:
            await target_calls.send(ctx, kind, role, letter)
        except ServiceError as error:
            return judged(delivery, error, self._events.clock.now())
        return Outcome(kind="done")
