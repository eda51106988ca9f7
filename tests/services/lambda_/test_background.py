"""Work in the background: a queue of events that is cancelled, and a function that does not end.

AWS: Lambda Developer Guide, "How Lambda handles errors and retries with asynchronous invocation", "Configuring reserved
concurrency" (0 stops a function).
"""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.platform import RunningPlatform, running
from tests.services.lambda_.conftest import Account
from tests.services.lambda_.queues import until


@pytest.fixture(scope="module")
def moving() -> Iterator[RunningPlatform]:
    """A platform whose clock these tests advance."""
    with running() as platform:
        yield platform


class Background:
    """A function whose failures go to a queue."""

    def __init__(self, platform: RunningPlatform, **settings: Any) -> None:
        self.aws = Account(platform, f"{random.randrange(10**11, 10**12)}")
        self.functions, self.sqs = self.aws.client("lambda"), self.aws.client("sqs")
        self.url = self.sqs.create_queue(QueueName="failed")["QueueUrl"]
        self.aws.create(**settings)

    def configure(self, **settings: int) -> None:
        """How long events are kept and how often they are tried."""
        failed = {"OnFailure": {"Destination": f"arn:aws:sqs:us-east-1:{self.aws.id}:failed"}}
        self.functions.put_function_event_invoke_config(FunctionName="f", DestinationConfig=failed, **settings)

    def submit(self, event: dict[str, Any]) -> str:
        """Into the queue of events; its request id."""
        answer = self.functions.invoke(FunctionName="f", InvocationType="Event", Payload=json.dumps(event))
        request_id: str = answer["ResponseMetadata"]["RequestId"]
        return request_id

    def records(self, count: int) -> dict[str, dict[str, Any]]:
        """So many records of failures, by request id."""
        found: dict[str, dict[str, Any]] = {}
        while len(found) < count:
            answer = self.sqs.receive_message(
                QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=20, VisibilityTimeout=600
            )
            for message in answer.get("Messages", ()):
                record = json.loads(message["Body"])
                found[record["requestContext"]["requestId"]] = record
        return found


def test_a_queue_of_events_is_cancelled(moving: RunningPlatform) -> None:
    """S3d-38: events wait for their next attempt; a concurrency of 0 gives them up, and new ones, without running them.

    AWS: "Capturing records of Lambda asynchronous invocations": with 0 events go to the dead-letter queue or the
    failure destination without retries; the condition is as in records of AWS's.
    """
    work = Background(moving)
    work.configure(MaximumRetryAttempts=2)
    retried = moving.ask("/_undercast/status")["deliveries"]["retry"]
    failing = {work.submit({"raise": f"no {number}"}) for number in range(3)}
    until(lambda: moving.ask("/_undercast/status")["deliveries"]["retry"] == retried + 3)
    work.functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    moving.advance(61)
    late = work.submit({"n": 4})
    records = work.records(4)
    assert records.keys() == {*failing, late}
    assert {record["requestContext"]["condition"] for record in records.values()} == {"ZeroReservedConcurrency"}
    work.functions.delete_function_concurrency(FunctionName="f")
    moving.drain()
    answer = work.functions.invoke(FunctionName="f", Payload=b'{"n": 9}')
    assert json.loads(answer["Payload"].read())["event"] == {"n": 9}
    seen = work.aws.client("logs").filter_log_events(logGroupName="/aws/lambda/f", filterPattern="event")["events"]
    ran = [one["message"].strip() for one in seen if one["message"].startswith("event ")]
    assert sorted(ran) == ["event {'n': 9}", *(f"event {{'raise': 'no {number}'}}" for number in range(3))]


def test_an_event_that_hangs_is_killed_and_told(moving: RunningPlatform) -> None:
    """S3d-38: Timeout ends it; the record says what happened, and what is behind it runs."""
    work = Background(moving, Timeout=1)
    work.configure(MaximumRetryAttempts=0)
    hung = work.submit({"sleep": 3600})
    record = work.records(1)[hung]
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert "timed out after 1.00 seconds" in record["responsePayload"]["errorMessage"]
    fine = json.loads(work.functions.invoke(FunctionName="f", Payload=b"{}")["Payload"].read())
    assert fine["event"] == {}
