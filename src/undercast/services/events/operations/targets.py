"""Targets of rules: put, list, remove.

AWS: EventBridge API Reference, PutTargets, ListTargetsByRule, RemoveTargets, Target.
"""

import re
from json import JSONDecodeError
from typing import Any

from undercast.core.arn import is_fifo
from undercast.core.context import RequestContext
from undercast.core.errors import refused_member
from undercast.core.service import Params, operation
from undercast.events.inputs import (
    InvalidPath,
    is_object,
    json_error,
    names_a_member,
    parse_path,
    placeholders,
    without_variables,
)
from undercast.services import target_calls
from undercast.services.events import connections, store
from undercast.services.events.addressing import DIRECT, OBJECTS, OWN, PREDEFINED
from undercast.services.events.errors import invalid, no_rule, too_many
from undercast.services.events.instance import Events
from undercast.services.events.models import bus_of_arn
from undercast.services.events.operations.rules import rule_named
from undercast.services.events.pages import page
from undercast.store.database import Tx

MAX_TARGETS = 5
"""EventBridge User Guide, "Amazon EventBridge quotas"."""
_INPUTS = ("Input", "InputPath", "InputTransformer")
_OF_OTHERS = (
    "RunCommandParameters", "EcsParameters", "BatchParameters", "RedshiftDataParameters", "SageMakerPipelineParameters",
    "AppSyncParameters",
)  # fmt: skip
_RESERVED = "aws."
_ANY = re.compile(r".+", re.DOTALL)
_RESOURCES = {
    "lambda": re.compile(r"function:[a-zA-Z0-9_-]+(:(\$LATEST|[a-zA-Z0-9_-]+))?"),
    "sqs": re.compile(r"[a-zA-Z0-9_-]{1,80}(\.fifo)?"),
    "sns": re.compile(r"[a-zA-Z0-9_-]{1,256}(\.fifo)?"),
}
"""What can be named at all: an event for anything else could never be delivered. AWS: Lambda API Reference, Invoke,
FunctionName; SQS and SNS API References, names of queues and topics."""


@operation("PutTargets")
async def put_targets(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Add targets; one with an id that is there takes its place."""
    name = rule_named(ctx, params, "Rule")
    given = params["Targets"]
    rule = events.buses.rule(name)
    if len({target["Id"] for target in given}) < len(given):
        raise invalid("Target ids must be unique.")
    if len(given) > MAX_TARGETS:  # before what is in them, which takes longer
        raise too_many()
    for target in given:
        await _check(ctx, target, rule.role_arn)

    def write(tx: Tx) -> None:
        there = {target.id for target in store.existing_rule(tx, name).targets}
        if len(there | {target["Id"] for target in given}) > MAX_TARGETS:
            raise too_many()
        for target in given:
            store.put_target(tx, name, target)
        events.buses.changed(tx, name.bus)

    await events.database.write(write)
    return {"FailedEntryCount": 0, "FailedEntries": []}


async def _check(ctx: RequestContext, target: Params, rule_role: str) -> None:
    identifier, arn = target["Id"], target["Arn"]
    fields = arn.split(":", 5)
    if (
        len(fields) != 6
        or fields[0] != "arn"
        or not fields[5]
        or not _RESOURCES.get(fields[2], _ANY).fullmatch(fields[5])
    ):
        raise invalid(f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.")
    if sum(name in target for name in _INPUTS) > 1:
        raise invalid(f"Only one of Input, InputPath, or InputTransformer must be provided for target {identifier}.")
    for name in _OF_OTHERS:
        if name in target:
            raise refused_member("PutTargets", f"Targets.{name}", "there is no such target here")
    _check_input(target)
    await _check_kind(ctx, target, target.get("RoleArn") or rule_role)
    dead_letters = (target.get("DeadLetterConfig") or {}).get("Arn")
    if dead_letters and (":sqs:" not in dead_letters or is_fifo(dead_letters)):
        raise invalid(f"Parameter {dead_letters} is not valid. Reason: A dead-letter queue is a standard SQS queue.")


def _check_input(target: Params) -> None:
    """Recorded from AWS: the texts; inputs.py says where."""
    identifier = target["Id"]
    if "Input" in target and (error := json_error(target["Input"])) is not None:
        raise invalid(f"JSON syntax error in input for target {identifier}: {_source(error)}")
    transformer = target.get("InputTransformer") or {}
    paths = transformer.get("InputPathsMap") or {}
    if any(name.lower().startswith(_RESERVED) for name in paths):
        raise invalid(f"InputPathsMap of target {identifier} has a key that starts with AWS.")
    own = target.get("InputPath")
    for path in [*paths.values(), *([own] if own else [])]:
        try:
            parse_path(path)
        except InvalidPath:
            raise invalid(f"InputPath for target {identifier} is invalid.") from None
    if transformer:
        _check_template(identifier, transformer["InputTemplate"], paths)


def _check_template(identifier: str, template: str, paths: Params) -> None:
    for name in placeholders(template):
        if paths and name not in paths and name not in PREDEFINED:
            raise invalid(f"InputTemplate for target {identifier} contains invalid placeholder {name}.")
        if name in OBJECTS and not is_object(template):
            text = f"contains placeholder {name} valid only for JSON template."
            raise invalid(f"InputTemplate for target {identifier} {text}")
    if is_object(template) and names_a_member(template):
        raise invalid(f"InputTemplate placeholder present as a JSON object key for target {identifier}.")
    if (error := json_error(without_variables(template))) is not None:
        raise invalid(f"Invalid InputTemplate for target {identifier} : {_source(error)}.")


def _source(error: JSONDecodeError) -> str:
    """The place of a syntax error, as Jackson writes it."""
    return f'[Source: (String)"{error.doc}"; line: {error.lineno}, column: {error.colno}]'


async def _check_kind(ctx: RequestContext, target: Params, role_arn: str) -> None:
    arn, identifier = target["Arn"], target["Id"]
    _, _, service, region, account, resource = arn.split(":", 5)
    if service == "sqs" and is_fifo(resource) and not (target.get("SqsParameters") or {}).get("MessageGroupId"):
        raise invalid(f"Parameter(s) SqsParameters must be specified for target: {identifier}.")
    if service == "events" and resource.startswith("api-destination/") and connections.named_by_arn(arn) is not None:
        if not role_arn:
            raise invalid(f"RoleArn is required for target {arn}.")
        return
    if service == "events" and bus_of_arn(arn) is not None:
        if account != ctx.account_id and not role_arn:
            raise invalid(f"RoleArn is required for target {arn}.")
        return
    if service in OWN and service != "events" and not (service == "logs" and region != ctx.region):
        return
    kind = target_calls.KINDS.get(service)
    if kind is None or not await target_calls.is_here(ctx, kind):
        raise refused_member("PutTargets", f"Targets.Arn={arn}", "there is no such target here")
    if service not in DIRECT and not role_arn:
        raise invalid(f"RoleArn is required for target {arn}.")


@operation("ListTargetsByRule")
async def list_targets_by_rule(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What PutTargets was given."""
    rule = events.buses.rule(rule_named(ctx, params, "Rule"))
    targets, token = page(rule.targets, lambda target: target.id, params)
    return {"Targets": [dict(target.given) for target in targets], **token}


@operation("RemoveTargets")
async def remove_targets(events: Events, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One that is not there is told, and the others are removed."""
    name = rule_named(ctx, params, "Rule")
    failed: list[dict[str, str]] = []

    def write(tx: Tx) -> None:
        if store.existing(tx, name.bus).rule(name.name) is None:
            raise no_rule(name.name, name.bus.name)
        for identifier in params["Ids"]:
            if not store.remove_target(tx, name, identifier):
                text = f"Rule {name.name} does not have a target with id {identifier}."
                failed.append({"TargetId": identifier, "ErrorCode": "ResourceNotFoundException", "ErrorMessage": text})
        events.buses.changed(tx, name.bus)

    await events.database.write(write)
    return {"FailedEntryCount": len(failed), "FailedEntries": failed}
