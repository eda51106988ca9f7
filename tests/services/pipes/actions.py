"""Short forms of what the tests of Pipes do."""

import json
import random
import time
from typing import Any

from tests.platform import RunningPlatform
from tests.services.events.actions import allow, trusting
from tests.services.sns.actions import Queue, make_queue


class Plumber:
    """One account with a role that pipes may use."""

    def __init__(self, platform: RunningPlatform) -> None:
        self.platform = platform
        self.account = f"{random.randrange(10**11, 10**12)}"
        self.pipes = self.client("pipes")
        self.role = trusting(self.client("iam"), "plumber", allow("*", "*"), service="pipes")

    def client(self, service: str) -> Any:
        """Of the account."""
        return self.platform.client(service, account=self.account)

    def queue(self, **kind: bool) -> Queue:
        """One whose policy lets nobody in: the role is enough."""
        return make_queue(self.platform, self.account, allowed=False, **kind)

    def lay(self, source: str, target: str, name: str = "p", **params: Any) -> str:
        """The ARN of a pipe that runs."""
        given = {"Name": name, "Source": source, "Target": target, "RoleArn": self.role} | params
        arn: str = self.pipes.create_pipe(**given)["Arn"]
        self.settled(name)
        return arn

    def settled(self, name: str = "p") -> Any:
        """The pipe, once nothing is under way."""
        for _ in range(2000):
            found = self.pipes.describe_pipe(Name=name)
            if found["CurrentState"] in ("RUNNING", "STOPPED"):
                return found
            time.sleep(0.02)
        raise AssertionError(f"the pipe is {found['CurrentState']}")

    def now(self) -> float:
        """The platform's."""
        at: float = self.platform.ask("/_undercast/status")["clock"]["now"]
        return at

    def stream(self, name: str = "s") -> str:
        """The ARN of a stream of Kinesis with one shard."""
        kinesis = self.client("kinesis")
        kinesis.create_stream(StreamName=name, ShardCount=1)
        kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
        return f"arn:aws:kinesis:us-east-1:{self.account}:stream/{name}"

    def put(self, *documents: Any) -> list[str]:
        """Records in the stream s by one request; their sequence numbers."""
        records = [{"Data": json.dumps(document).encode(), "PartitionKey": "k"} for document in documents]
        answer = self.client("kinesis").put_records(StreamName="s", Records=records)
        return [one["SequenceNumber"] for one in answer["Records"]]

    def records(self, stream: str) -> list[dict[str, Any]]:
        """All that are in a stream."""
        kinesis = self.client("kinesis")
        shard = kinesis.list_shards(StreamName=stream)["Shards"][0]["ShardId"]
        begin = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        found: list[dict[str, Any]] = kinesis.get_records(ShardIterator=begin["ShardIterator"])["Records"]
        return found


def from_stream(dead: Queue | None = None, **own: Any) -> dict[str, Any]:
    """SourceParameters of a stream of Kinesis, from its beginning unless told otherwise."""
    letters = {} if dead is None else {"DeadLetterConfig": {"Arn": dead.arn}}
    return {"KinesisStreamParameters": {"StartingPosition": "TRIM_HORIZON", **letters, **own}}


def bodies(queue: Queue, count: int) -> list[Any]:
    """So many messages, as JSON."""
    found: list[Any] = []
    for _ in range(10):
        found += [json.loads(message["Body"]) for message in queue.messages()]
        if len(found) >= count:
            return found
    raise AssertionError(f"only {found}")


def bodies_as_time_goes(plumber: Plumber, queue: Queue, count: int, pace_s: float) -> list[Any]:
    """The same on a platform whose clock is the test's: what waits for another attempt gets it."""
    found: list[Any] = []
    for _ in range(100):
        found += [json.loads(message["Body"]) for message in queue.messages(1)]
        if len(found) >= count:
            return found
        plumber.platform.advance(pace_s)
    raise AssertionError(f"only {found}")
