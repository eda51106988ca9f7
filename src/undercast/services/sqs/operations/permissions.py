"""AddPermission and RemovePermission: statements of the queue's policy by label.

AWS: SQS API Reference, the operations of these names.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from undercast.core.arn import is_account_id
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.sqs.errors import invalid_value, invalid_value_of
from undercast.services.sqs.instance import Sqs
from undercast.services.sqs.models import Queue
from undercast.services.sqs.operations.queues import set_some
from undercast.store.database import Tx

ACTIONS = frozenset({
    "*", "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes",
    "GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue",
})  # fmt: skip
Statement = dict[str, Any]
MAX_STATEMENTS = 20
MAX_ACTIONS = 7
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)


@operation("AddPermission")
async def add_permission(sqs: Sqs, ctx: RequestContext, params: Params) -> None:
    """Let other accounts use the queue."""
    label, actions, accounts = params["Label"], params["Actions"], params["AWSAccountIds"]
    if not _LABEL.fullmatch(label):
        raise invalid_value(f"Value {label} for parameter Label is invalid. Reason: Label must be 1 to 80 alphanumeric "
                            "characters, hyphens or underscores.")  # fmt: skip
    for action in actions:
        if action not in ACTIONS:
            allowed = ", ".join(sorted(ACTIONS))
            raise invalid_value(f"Value SQS:{action} for parameter ActionName is invalid. Reason: Please refer to the "
                                f"appropriate WSDL for a list of valid actions: {allowed}")  # fmt: skip
    _check_amounts(actions, accounts)
    queue = sqs.queue(ctx, params["QueueUrl"])
    statement = {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": _one_or_all([f"arn:aws:iam::{account}:root" for account in accounts])},
        "Action": _one_or_all([f"SQS:{action}" for action in actions]),
        "Resource": queue.arn,
    }
    await _change(sqs, ctx, queue, lambda statements: _added(statements, statement))


def _added(statements: list[Statement], statement: Statement) -> list[Statement]:
    label = statement["Sid"]
    if any(one.get("Sid") == label for one in statements):
        raise invalid_value_of("Label", label, "Already exists.")
    if len(statements) >= MAX_STATEMENTS:
        raise ServiceError(
            "OverLimit", f"{MAX_STATEMENTS} statements were found, maximum allowed is {MAX_STATEMENTS}.", 403
        )
    return [*statements, statement]


def _check_amounts(actions: list[str], accounts: list[str]) -> None:
    if len(actions) > MAX_ACTIONS:
        raise ServiceError("OverLimit", f"{len(actions)} Actions were found, maximum allowed is {MAX_ACTIONS}.", 403)
    if not accounts or not all(is_account_id(account) for account in accounts):
        listed = ", ".join(accounts)
        raise invalid_value(f"Value [{listed}] for parameter PrincipalId is invalid. Reason: Unable to verify.")


@operation("RemovePermission")
async def remove_permission(sqs: Sqs, ctx: RequestContext, params: Params) -> None:
    """Take a statement away again."""
    label = params["Label"]
    await _change(sqs, ctx, sqs.queue(ctx, params["QueueUrl"]), lambda statements: _without(statements, label))


def _without(statements: list[Statement], label: str) -> list[Statement]:
    left = [statement for statement in statements if statement.get("Sid") != label]
    if len(left) == len(statements):
        raise invalid_value_of("Label", label, "can't find label on existing policy.")
    return left


def _statements(queue: Queue) -> list[Statement]:
    statements = (queue.policy or {}).get("Statement", [])
    return [dict(statement) for statement in (statements if isinstance(statements, list) else [statements])]


async def _change(
    sqs: Sqs, ctx: RequestContext, queue: Queue, change: Callable[[list[Statement]], list[Statement]]
) -> None:
    """Of the policy as it is when its turn has come."""

    def write(tx: Tx) -> None:
        there = sqs.queues.still(tx, queue)
        statements = change(_statements(there))
        known = there.policy or {"Version": "2012-10-17", "Id": f"{there.arn}/SQSDefaultPolicy"}
        policy = json.dumps({**known, "Statement": statements}) if statements else ""
        set_some(sqs, ctx, tx, there, {"Policy": policy})

    await sqs.database.write(write)


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
