"""Dead-letter queues and message move tasks.

AWS: SQS Developer Guide, "Using dead-letter queues in Amazon SQS", "Configure a dead-letter queue redrive".
"""

import base64
import json
import time
from typing import Any

from tests import platform as platforms
from tests.platform import RunningPlatform
from tests.services.sqs.actions import arn, bodies, counts, receive, refusal, send


def with_dead_letters(sqs: Any, most: int = 1, suffix: str = "") -> tuple[str, str]:
    """(queue, its dead-letter queue)."""
    fifo = {"FifoQueue": "true", "ContentBasedDeduplication": "true"} if suffix else {}
    dead = sqs.create_queue(QueueName=f"dead{suffix}", Attributes=fifo)["QueueUrl"]
    policy = json.dumps({"deadLetterTargetArn": arn(sqs, dead), "maxReceiveCount": most})
    source = sqs.create_queue(QueueName=f"source{suffix}", Attributes={**fifo, "RedrivePolicy": policy})["QueueUrl"]
    return source, dead


def fail(sqs: Any, url: str, times: int) -> None:
    """Receive everything and do not delete it, so often."""
    for _ in range(times):
        receive(sqs, url, VisibilityTimeout=0)


def test_a_message_that_was_received_too_often_moves(sqs: Any) -> None:
    """After maxReceiveCount receives the next one moves it, with its id and where it came from."""
    source, dead = with_dead_letters(sqs, 2)
    send(sqs, source, "poison")
    (message,) = receive(sqs, source, VisibilityTimeout=0)
    fail(sqs, source, 1)
    assert receive(sqs, source) == []
    (moved,) = receive(sqs, dead, AttributeNames=["All"])
    assert (moved["Body"], moved["MessageId"]) == ("poison", message["MessageId"])
    assert moved["Attributes"]["DeadLetterQueueSourceArn"] == arn(sqs, source)
    assert moved["Attributes"]["ApproximateReceiveCount"] == "3"
    assert sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"] == [source]


def test_the_trace_tells_of_the_way_to_a_dead_letter_queue_and_back(platform: RunningPlatform, sqs: Any) -> None:
    """Sent, moved after so many receives, redriven as a new message; the root is the call from outside."""
    source, dead = with_dead_letters(sqs, 2)
    sent = sqs.send_message(QueueUrl=source, MessageBody="poison")
    fail(sqs, source, 3)
    sqs.start_message_move_task(SourceArn=arn(sqs, dead))
    (back,) = receive(sqs, source, WaitTimeSeconds=20)
    trace = platform.ask(f"/_undercast/trace/{back['MessageId']}")
    assert [(node["id"], node["kind"], node["label"]) for node in trace["nodes"]] == [
        (sent["ResponseMetadata"]["RequestId"], "call", f"sqs:SendMessage {arn(sqs, source)}"),
        (sent["MessageId"], "message", f"message in {arn(sqs, source)}"),
        (back["MessageId"], "message", f"message redriven to {arn(sqs, source)}"),
    ]
    trace = platform.ask(f"/_undercast/trace/{sent['MessageId']}")
    assert f"moved to {arn(sqs, dead)} after 2 receives" in {node["label"] for node in trace["nodes"]}


def test_poison_of_a_fifo_group_does_not_block_it(sqs: Any) -> None:
    """The next message of the group comes when the first has moved."""
    source, dead = with_dead_letters(sqs, 1, ".fifo")
    send(sqs, source, "poison", "good", MessageGroupId="g")
    receive(sqs, source, VisibilityTimeout=0, MaxNumberOfMessages=1)
    assert bodies(receive(sqs, source, MaxNumberOfMessages=1)) == ["good"]
    assert bodies(receive(sqs, dead)) == ["poison"]


def test_a_redrive_policy_is_checked(sqs: Any, queue: str, fifo: str) -> None:
    """The dead-letter queue must be there, of the same kind, and allow it."""
    for target, text in (
        (arn(sqs, queue) + "x", "Dead letter target does not exist."),
        (arn(sqs, fifo), "Dead-letter queue must be same type"),
    ):
        policy = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": "3"})
        code, message = refusal(sqs.set_queue_attributes, QueueUrl=queue, Attributes={"RedrivePolicy": policy})
        assert (code, text in message) == ("InvalidParameterValue", True)
    other = sqs.create_queue(QueueName="closed", Attributes={"RedriveAllowPolicy": '{"redrivePermission": "denyAll"}'})
    policy = json.dumps({"deadLetterTargetArn": arn(sqs, other["QueueUrl"]), "maxReceiveCount": 3})
    code, _ = refusal(sqs.set_queue_attributes, QueueUrl=queue, Attributes={"RedrivePolicy": policy})
    assert code == "InvalidParameterValue"
    too_many = json.dumps({"deadLetterTargetArn": arn(sqs, queue), "maxReceiveCount": 1001})
    code, text = refusal(sqs.set_queue_attributes, QueueUrl=queue, Attributes={"RedrivePolicy": too_many})
    assert "valid values are from 1 to 1000" in text


def test_a_move_task_brings_messages_back(sqs: Any) -> None:
    """To the queues that they came from; the task's counts tell it."""
    source, dead = with_dead_letters(sqs)
    send(sqs, source, *(str(number) for number in range(25)))
    while counts(sqs, dead)[0] < 25:
        fail(sqs, source, 1)
    ids = {message["MessageId"] for message in receive(sqs, dead, VisibilityTimeout=0)}
    sqs.start_message_move_task(SourceArn=arn(sqs, dead))
    for _ in range(100):
        (task,) = sqs.list_message_move_tasks(SourceArn=arn(sqs, dead))["Results"]
        if task["Status"] != "RUNNING":
            break
        time.sleep(0.05)
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 25)
    assert "TaskHandle" not in task
    assert (counts(sqs, source), counts(sqs, dead)) == ((25, 0, 0), (0, 0, 0))
    back = receive(sqs, source, AttributeNames=["All"])
    assert {message["Attributes"]["ApproximateReceiveCount"] for message in back} == {"1"}
    assert not {message["MessageId"] for message in back} & ids


def test_a_move_task_survives_kills(tmp_path: Any) -> None:
    """It goes on at each start, moves each message once, and its handle still cancels it."""
    running = platforms.start(tmp_path / "data")
    sqs = running.client("sqs")
    _, dead = with_dead_letters(sqs)
    dead_arn, target = arn(sqs, dead), sqs.create_queue(QueueName="target")["QueueUrl"]
    send(sqs, dead, *(str(number) for number in range(300)))
    given = {"SourceArn": dead_arn, "DestinationArn": arn(sqs, target), "MaxNumberOfMessagesPerSecond": 100}
    sqs.start_message_move_task(**given)
    running.kill()
    running = platforms.start(tmp_path / "data")
    sqs = running.client("sqs")
    (task,) = sqs.list_message_move_tasks(SourceArn=dead_arn)["Results"]
    assert (task["Status"], task["ApproximateNumberOfMessagesToMove"]) == ("RUNNING", 300)
    running.kill()
    with platforms.running(tmp_path / "data") as again:
        sqs = again.client("sqs")
        dead, target = (sqs.get_queue_url(QueueName=name)["QueueUrl"] for name in ("dead", "target"))
        for _ in range(300):
            (task,) = sqs.list_message_move_tasks(SourceArn=dead_arn)["Results"]
            if task["Status"] != "RUNNING":
                break
            time.sleep(0.05)
        assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 300)
        assert (counts(sqs, dead), counts(sqs, target)) == ((0, 0, 0), (300, 0, 0))
        moved = [body for _ in range(30) for body in bodies(receive(sqs, target))]
        assert sorted(map(int, moved)) == list(range(300))


def test_a_move_task_that_a_kill_interrupted_can_be_cancelled(tmp_path: Any) -> None:
    """By the handle that it had before; then it stays so."""
    running = platforms.start(tmp_path / "data")
    sqs = running.client("sqs")
    source, dead = with_dead_letters(sqs)
    dead_arn = arn(sqs, dead)
    send(sqs, dead, *"abc")
    given = {"SourceArn": dead_arn, "DestinationArn": arn(sqs, source), "MaxNumberOfMessagesPerSecond": 1}
    handle = sqs.start_message_move_task(**given)["TaskHandle"]
    running.kill()
    running = platforms.start(tmp_path / "data")
    moved = running.client("sqs").cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]
    running.kill()
    with platforms.running(tmp_path / "data") as again:
        sqs = again.client("sqs")
        (task,) = sqs.list_message_move_tasks(SourceArn=dead_arn)["Results"]
        assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("CANCELLED", moved)
        left, there = (counts(sqs, sqs.get_queue_url(QueueName=name)["QueueUrl"])[0] for name in ("dead", "source"))
        assert (left, there) == (3 - moved, moved)


def test_a_move_task_can_be_cancelled(sqs: Any, queue: str) -> None:
    """One message a second into another queue; a second task is refused meanwhile."""
    source, dead = with_dead_letters(sqs)
    send(sqs, source, *(str(number) for number in range(5)))
    while counts(sqs, dead)[0] < 5:
        fail(sqs, source, 1)
    given = {"SourceArn": arn(sqs, dead), "DestinationArn": arn(sqs, queue), "MaxNumberOfMessagesPerSecond": 1}
    handle = sqs.start_message_move_task(**given)["TaskHandle"]
    assert refusal(sqs.start_message_move_task, **given)[0] == "AWS.SimpleQueueService.UnsupportedOperation"
    moved = sqs.cancel_message_move_task(TaskHandle=handle)["ApproximateNumberOfMessagesMoved"]
    (task,) = sqs.list_message_move_tasks(SourceArn=arn(sqs, dead))["Results"]
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("CANCELLED", moved)
    assert counts(sqs, dead)[0] + counts(sqs, queue)[0] == 5


def test_only_a_dead_letter_queue_can_be_moved(sqs: Any, queue: str) -> None:
    """And a task handle must be ours."""
    code, text = refusal(sqs.start_message_move_task, SourceArn=arn(sqs, queue))
    assert (code, text) == ("InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue.")
    assert refusal(sqs.cancel_message_move_task, TaskHandle="bad")[0] == "InvalidParameterValue"
    missing = arn(sqs, queue) + "x"
    assert refusal(sqs.start_message_move_task, SourceArn=missing)[0] == "ResourceNotFoundException"


def test_a_queue_is_not_its_own_dead_letter_queue(sqs: Any, queue: str) -> None:
    """Its messages would move for ever."""
    policy = json.dumps({"deadLetterTargetArn": arn(sqs, queue), "maxReceiveCount": 1})
    code, text = refusal(sqs.set_queue_attributes, QueueUrl=queue, Attributes={"RedrivePolicy": policy})
    assert (code, "its own" in text) == ("InvalidParameterValue", True)


def test_many_dead_letters_move_in_portions(sqs: Any) -> None:
    """More than one receive may move at once; the live message behind them still comes."""
    source, dead = with_dead_letters(sqs)
    for _ in range(25):
        entries = [{"Id": str(number), "MessageBody": "poison"} for number in range(10)]
        sqs.send_message_batch(QueueUrl=source, Entries=entries)
    handles = [message["ReceiptHandle"] for _ in range(25) for message in receive(sqs, source, VisibilityTimeout=60)]
    assert len(handles) == 250
    for handle in handles:
        sqs.change_message_visibility(QueueUrl=source, ReceiptHandle=handle, VisibilityTimeout=0)
    send(sqs, source, "good")
    assert bodies(receive(sqs, source)) == ["good"]
    assert counts(sqs, dead) == (250, 0, 0)


def test_a_move_needs_permission_on_every_queue(platform: RunningPlatform, account: str, sqs: Any) -> None:
    """Another account's queue is no destination, and another account's task cannot be ended by a made-up handle."""
    source, dead = with_dead_letters(sqs)
    send(sqs, source, "poison")
    fail(sqs, source, 2)
    other = platform.client("sqs", account="444253827891")
    theirs = other.create_queue(QueueName=f"theirs{account}")["QueueUrl"]
    given = {"SourceArn": arn(sqs, dead), "DestinationArn": arn(other, theirs)}
    assert refusal(sqs.start_message_move_task, **given)[0] == "AccessDenied"
    assert counts(other, theirs) == (0, 0, 0)
    handle = sqs.start_message_move_task(SourceArn=arn(sqs, dead))["TaskHandle"]
    forged = json.loads(base64.b64decode(handle)) | {"sourceArn": arn(other, theirs)}
    made_up = base64.b64encode(json.dumps(forged).encode()).decode()
    assert refusal(other.cancel_message_move_task, TaskHandle=made_up)[0] == "ResourceNotFoundException"
