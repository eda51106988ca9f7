"""StartMessageMoveTask, CancelMessageMoveTask and ListMessageMoveTasks.

AWS: SQS API Reference, the operations of these names.
"""

import base64
import binascii
import json
from typing import Any

from undercast.core import json_values
from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.sqs import encryption, messages, moving, queues
from undercast.services.sqs.errors import invalid_value, invalid_value_of, no_resource, unsupported
from undercast.services.sqs.instance import Sqs
from undercast.services.sqs.models import Queue, named_by_arn
from undercast.store.database import Row, Tx

MAX_RESULTS = 10
MAX_RATE = 500


@operation("StartMessageMoveTask")
async def start_message_move_task(sqs: Sqs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Begin to move every message of a dead-letter queue."""
    source_arn, destination_arn = params["SourceArn"], params.get("DestinationArn", "")
    rate = params.get("MaxNumberOfMessagesPerSecond", 0)
    if "MaxNumberOfMessagesPerSecond" in params and not 1 <= rate <= MAX_RATE:
        raise invalid_value_of("MaxNumberOfMessagesPerSecond", rate, "It must be an integer between 1 and 500.")
    task_id = ctx.ids.uuid()
    if (known := sqs.queues.find(named_by_arn(source_arn))) is not None:
        target = sqs.queues.find(named_by_arn(destination_arn)) if destination_arn else None
        await encryption.check_move(ctx, known, target)

    def write(tx: Tx) -> None:
        source = _existing(tx, source_arn)
        if not _is_dead_letter_queue(tx, source):
            raise invalid_value("Source queue must be configured as a Dead Letter Queue.")
        if destination_arn:
            _check_destination(source, _existing(tx, destination_arn))
        if any(row["status"] == moving.RUNNING for row in moving.of_source(tx, source_arn, MAX_RESULTS)):
            raise unsupported("There is already a task running. Only one active task is allowed for a source queue arn "
                              "at a given time.")  # fmt: skip
        task = moving.MoveTask(
            id=task_id,
            scope=source.scope,
            source_arn=source_arn,
            destination_arn=destination_arn,
            rate=rate,
            to_move=messages.count(tx, source, ctx.clock.now()).visible,
            started_at=ctx.clock.now(),
        )
        moving.add(tx, task)

    await sqs.database.write(write, long=True)
    sqs.moves.run(task_id)
    return {"TaskHandle": _handle(task_id, source_arn)}


def _existing(tx: Tx, arn: str) -> Queue:
    queue = queues.find(tx, named_by_arn(arn))
    if queue is None:
        raise no_resource("The resource that you specified for the SourceArn parameter doesn't exist.")
    return queue


def _is_dead_letter_queue(tx: Tx, queue: Queue) -> bool:
    others = queues.named(tx, queue.scope, "", "")
    return any(other.redrive is not None and other.redrive.target_arn == queue.arn for other in others)


def _check_destination(source: Queue, destination: Queue) -> None:
    if source.arn == destination.arn:
        raise invalid_value("Source and destination queues must be different.")
    if source.is_fifo != destination.is_fifo:
        raise invalid_value("Source and destination queues must be of the same type.")


@operation("CancelMessageMoveTask")
async def cancel_message_move_task(sqs: Sqs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Stop a task that runs; what was moved stays moved."""
    handle = _parsed(params["TaskHandle"])
    task_id = handle["taskId"]

    def write(tx: Tx) -> int:
        row = moving.find(tx, task_id)
        if row is None or row["source_arn"] != handle["sourceArn"]:
            raise no_resource("Task does not exist.")
        if row["status"] != moving.RUNNING:
            raise unsupported(f"Only active tasks can be cancelled; this one is {row['status']}.")
        moving.cancel(tx, task_id)
        return int(row["moved"])

    return {"ApproximateNumberOfMessagesMoved": await sqs.database.write(write)}


@operation("ListMessageMoveTasks")
async def list_message_move_tasks(sqs: Sqs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The latest tasks of a dead-letter queue; one, unless MaxResults says more."""
    most = params.get("MaxResults", 1)
    if not 1 <= most <= MAX_RESULTS:
        raise invalid_value_of("MaxResults", most, "It must be an integer between 1 and 10.")

    def read(tx: Tx) -> list[Row]:
        _existing(tx, params["SourceArn"])
        return list(moving.of_source(tx, params["SourceArn"], most))

    return {"Results": [_described(row) for row in await sqs.database.read(read)]}


def _described(row: Row) -> dict[str, Any]:
    """AWS: only a running task has a handle."""
    result: dict[str, Any] = {
        "Status": row["status"],
        "SourceArn": row["source_arn"],
        "ApproximateNumberOfMessagesMoved": row["moved"],
        "ApproximateNumberOfMessagesToMove": row["to_move"],
        "StartedTimestamp": int(row["started_at"] * 1000),
    }
    if row["status"] == moving.RUNNING:
        result["TaskHandle"] = _handle(row["id"], row["source_arn"])
    if row["destination_arn"]:
        result["DestinationArn"] = row["destination_arn"]
    if row["rate"]:
        result["MaxNumberOfMessagesPerSecond"] = row["rate"]
    if row["failure"]:
        result["FailureReason"] = row["failure"]
    return result


def _handle(task_id: str, source_arn: str) -> str:
    return base64.b64encode(json.dumps({"taskId": task_id, "sourceArn": source_arn}).encode()).decode()


def _parsed(handle: str) -> dict[str, str]:
    try:
        document = json_values.parse(base64.b64decode(handle, validate=True))
    except (binascii.Error, ValueError):
        document = None
    names = ("taskId", "sourceArn")
    if not isinstance(document, dict) or not all(isinstance(document.get(name), str) for name in names):
        raise invalid_value_of("TaskHandle", handle, "The task handle is malformed.")
    return document


def task_source(handle: str) -> str:
    """The dead-letter queue's ARN that a task handle names. Raises InvalidParameterValue."""
    return _parsed(handle)["sourceArn"]
