"""From an event, a rule and a target to the delivery: which adapter takes it, and what the target gets.

A function, a queue or a topic without a role is reached by the adapter of its own service, which asks its policy for
EventBridge; everything else by EventBridge's own adapters. AWS: EventBridge User Guide, "Event bus targets",
"Input transformation", "Using resource-based policies for Amazon EventBridge".
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from undercast.core.arn import Arn
from undercast.core.clock import iso_millis
from undercast.core.context import Cause
from undercast.core.record import record
from undercast.events.delivery import Delivery
from undercast.events.inputs import MISSING, at_rule_path, compact, fill
from undercast.services.events.event import Event
from undercast.services.events.models import Rule, Target
from undercast.services.events.web_requests import parameters
from undercast.services.target_calls import scope_of

BUSES, ROLES, LOGS, HTTP = "events", "events-role", "events-logs", "events-http"
DEAD_LETTERS = "events-dead-letter"
"""Kinds of deliveries that this service takes."""
DIRECT = frozenset({"lambda", "sqs", "sns"})
OWN: Mapping[str, str] = {"events": BUSES, "logs": LOGS}


@record
class Sending:
    """One event on its way through one rule."""

    rule: Rule
    event: Event
    now: float
    cause: Cause


def kind_of(target: Target) -> str:
    """The adapter for a target."""
    arn = Arn.parse(target.arn)
    service = arn.service
    if service == "events" and arn.resource.startswith("api-destination/"):
        return HTTP
    if service in OWN:
        return OWN[service]
    return service if service in DIRECT and not target.role_arn else ROLES


def delivery(sending: Sending, target: Target, identifier: str) -> Delivery:
    """What goes to one target."""
    rule, event = sending.rule, sending.event
    kind, text = kind_of(target), payload(sending, target)
    attributes = {"target": target.arn, "source_account": str(rule.name.bus.scope.account_id)}
    if event.trace_header:
        attributes["trace_header"] = event.trace_header
    attributes |= {"failure_kind": DEAD_LETTERS, "failure_arn": target.dead_letter_arn or rule.name.arn}
    if target.dead_letter_arn:
        attributes["dead_letter"] = target.dead_letter_arn
    attributes |= _carried(sending, target)
    if kind not in DIRECT:
        attributes |= {"max_attempts": str(target.attempts), "max_age_s": str(target.age_s)}
        role = target.role_arn or rule.role_arn
        if role:
            attributes["role_arn"] = role
    return Delivery(
        id=identifier,
        kind=kind,
        target_arn=target.arn,
        payload=text.encode(),
        scope=scope_of(target.arn, rule.name.bus.scope),
        created_at=sending.now,
        cause=sending.cause,
        source_arn=rule.name.arn,
        attributes=attributes,
    )


def _carried(sending: Sending, target: Target) -> dict[str, str]:
    """What the kinds of targets need besides the text."""
    found: dict[str, str] = {}
    group_id = (target.given.get("SqsParameters") or {}).get("MessageGroupId")
    if group_id:
        found["group_id"] = group_id
    if ":kinesis:" in target.arn:
        path = (target.given.get("KinesisParameters") or {}).get("PartitionKeyPath")
        key = at_rule_path(sending.event.document, path) if path else MISSING
        found["partition_key"] = sending.event.id if key is MISSING else str(key)
    if kind_of(target) == HTTP and target.given.get("HttpParameters"):
        found["http"] = json.dumps(parameters(target.given["HttpParameters"], sending.event.document))
    if sending.event.is_received and kind_of(target) == BUSES:
        found["hop"] = "third"
    return found


PREDEFINED = frozenset({
    "aws.events.rule-arn", "aws.events.rule-name", "aws.events.event", "aws.events.event.json",
    "aws.events.event.ingestion-time",
})  # fmt: skip
"""The variables that a template has without an InputPathsMap."""
OBJECTS = frozenset({"aws.events.event", "aws.events.event.json"})
"""Those that only a template which is a JSON object may have."""


def payload(sending: Sending, target: Target) -> str:
    """Input, InputPath, InputTransformer, or the event as it is."""
    event, given = sending.event, target.given
    if "Input" in given:
        return str(given["Input"])
    if "InputPath" in given:
        value = at_rule_path(event.document, given["InputPath"])
        return "{}" if value is MISSING or value is None else compact(value)
    if "InputTransformer" in given:
        return fill(given["InputTransformer"]["InputTemplate"], _variables(sending, given["InputTransformer"]))
    return event.text


def _variables(sending: Sending, transformer: Mapping[str, Any]) -> dict[str, Any]:
    document = sending.event.document
    paths = transformer.get("InputPathsMap") or {}
    found = {name: at_rule_path(document, path) for name, path in paths.items()}
    return {
        **found,
        "aws.events.rule-arn": sending.rule.name.arn,
        "aws.events.rule-name": sending.rule.name.name,
        "aws.events.event": _head(document),
        "aws.events.event.json": dict(document),
        "aws.events.event.ingestion-time": iso_millis(sending.now),
    }


def _head(document: Mapping[str, Any]) -> dict[str, Any]:
    """The event without its detail, in the shape in which AWS has it. Recorded from AWS: inputs.py says where."""
    at = datetime.fromisoformat(document["time"])
    head = {"id": "id", "account": "account", "detailType": "detail-type", "time": "time", "source": "source",
            "region": "region", "resources": "resources", "version": "version"}  # fmt: skip
    return {own: int(at.timestamp() * 1000) if own == "time" else document[name] for own, name in head.items()}
