"""SIGKILL while senders go on: a function meets in their order a group's messages, a key's records, an item's changes.

At least once: what was under way when the platform died comes again. Whatever comes for the first time comes behind
all that was sent before it in its group. The function writes down what it meets, in a list for each group.
AWS: SQS Developer Guide, "FIFO queue delivery logic"; Lambda Developer Guide, "Using Lambda with Kinesis" (in order
for each shard; with a parallelization factor for each partition key).
"""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.crash import mapped
from tests.platform import RunningPlatform, start, stop

HANDLER = """
import base64, boto3
table = boto3.resource("dynamodb").Table("met")

def handler(event, context):
    for record in event["Records"]:
        if "dynamodb" in record:
            text = record["dynamodb"]["NewImage"]["text"]["S"]
        else:
            text = record["body"] if "body" in record else base64.b64decode(record["kinesis"]["data"]).decode()
        table.update_item(
            Key={"group": text.partition("-")[0]},
            UpdateExpression="SET met = list_append(if_not_exists(met, :none), :text)",
            ExpressionAttributeValues={":none": [], ":text": [text]},
        )
"""
GROUPS = ("a", "b", "c")
KILLS = 3
LEAST = 5
"""So many a group are answered in each life before a kill is on its way, however busy the machine."""
PATIENCE_S = 120.0
"""Without one more that the function has met."""
PACE_S = 0.1
"""Between two sends of a group while the function is not at work yet: what nobody takes in this life is the last one's
to take, and holds nothing more of the order."""

Send = Callable[[str, str], object]


@dataclass
class Senders:
    """One thread a group; each sends the next text once the last one is answered."""

    answered: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    _number: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def send_until_killed(self, platform: RunningPlatform, senders: dict[str, Send], kill_after_s: float) -> None:
        """The kill comes so long after every group has its `LEAST` and the function works, while all go on sending.

        Each of them as fast as it is answered by then.
        """
        at_work, is_met = threading.Barrier(len(GROUPS) + 1), threading.Event()
        threads = [
            threading.Thread(target=self._send, args=(group, senders[group], at_work, is_met), daemon=True)
            for group in GROUPS
        ]
        for thread in threads:
            thread.start()
        before = _count(platform)
        platform.advance(31)  # what was under way when the last life ended is visible again
        at_work.wait(PATIENCE_S)
        ends = time.monotonic() + PATIENCE_S
        while _count(platform) == before:
            assert time.monotonic() < ends, "the function met nothing in this life"
            time.sleep(0.02)
        is_met.set()
        time.sleep(kill_after_s)
        platform.kill()
        for thread in threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()

    def _send(self, group: str, send: Send, at_work: threading.Barrier, is_met: threading.Event) -> None:
        done = 0
        with suppress(BotoCoreError, ClientError):
            while True:
                self._number[group] += 1  # one that was not answered may be there: its text is never used again
                text = f"{group}-{self._number[group]:05d}"
                send(group, text)
                self.answered[group].append(text)
                done += 1
                if done == LEAST:
                    at_work.wait(PATIENCE_S)
                if done >= LEAST:
                    is_met.wait(PACE_S)


def _queue(platform: RunningPlatform) -> None:
    attributes = {"FifoQueue": "true", "VisibilityTimeout": "30"}
    platform.client("sqs").create_queue(QueueName="q.fifo", Attributes=attributes)
    mapped.follow(platform, "sqs:q.fifo", BatchSize=3)


def _to_queue(platform: RunningPlatform) -> Send:
    sqs = platform.client("sqs")
    url = sqs.get_queue_url(QueueName="q.fifo")["QueueUrl"]
    return lambda group, text: sqs.send_message(
        QueueUrl=url, MessageBody=text, MessageGroupId=group, MessageDeduplicationId=text
    )


def _stream(platform: RunningPlatform) -> None:
    platform.client("kinesis").create_stream(StreamName="s", ShardCount=2)
    settings = {"StartingPosition": "TRIM_HORIZON", "BatchSize": 3, "ParallelizationFactor": 2}
    mapped.follow(platform, "kinesis:stream/s", **settings)


def _to_stream(platform: RunningPlatform) -> Send:
    kinesis = platform.client("kinesis")
    return lambda group, text: kinesis.put_record(StreamName="s", Data=text.encode(), PartitionKey=group)


def _table(platform: RunningPlatform) -> None:
    made = platform.client("dynamodb").create_table(
        TableName="source",
        KeySchema=[{"AttributeName": "group", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "group", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    stream = made["TableDescription"]["LatestStreamArn"].split(":", 5)[5]
    settings = {"StartingPosition": "TRIM_HORIZON", "BatchSize": 3, "ParallelizationFactor": 2}
    mapped.follow(platform, f"dynamodb:{stream}", **settings)


def _to_table(platform: RunningPlatform) -> Send:
    dynamo = platform.client("dynamodb")
    return lambda group, text: dynamo.put_item(TableName="source", Item={"group": {"S": group}, "text": {"S": text}})


def _met(platform: RunningPlatform) -> dict[str, list[str]]:
    items = platform.client("dynamodb").scan(TableName="met", ConsistentRead=True)["Items"]
    return {item["group"]["S"]: [text["S"] for text in item["met"]["L"]] for item in items}


def _count(platform: RunningPlatform) -> int:
    return sum(map(len, _met(platform).values()))


def _wait_until_all_met(platform: RunningPlatform, answered: dict[str, list[str]]) -> dict[str, list[str]]:
    wanted = {text for texts in answered.values() for text in texts}
    ends, before = time.monotonic() + PATIENCE_S, len(wanted)
    while True:
        met = _met(platform)
        missing = wanted - {text for texts in met.values() for text in texts}
        if not missing:
            return met
        if len(missing) < before:
            ends, before = time.monotonic() + PATIENCE_S, len(missing)
        assert time.monotonic() < ends, f"{len(missing)} of {len(wanted)} were never met: {sorted(missing)[:5]}"
        platform.advance(31)  # beyond the visibility timeout of what was under way
        time.sleep(0.5)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("make", "sender"),
    [
        pytest.param(_queue, _to_queue, id="fifo"),
        pytest.param(_stream, _to_stream, id="kinesis"),
        pytest.param(_table, _to_table, id="dynamodb", marks=pytest.mark.slow),  # the lanes of Kinesis'
    ],
)
def test_order_within_a_group_is_kept_over_kills(
    tmp_path: Path, make: Callable[[RunningPlatform], None], sender: Callable[[RunningPlatform], Send]
) -> None:
    """Three kills with sends, invocations and commits under way."""
    chance, senders = random.Random(10), Senders()
    platform = start(tmp_path)
    platform.client("dynamodb").create_table(
        TableName="met",
        KeySchema=[{"AttributeName": "group", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "group", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    mapped.deploy(platform, HANDLER)
    make(platform)
    for _ in range(KILLS):
        clients = {group: sender(platform) for group in GROUPS}
        senders.send_until_killed(platform, clients, chance.uniform(0.0, 1.0))
        platform = start(tmp_path)
    try:
        met = _wait_until_all_met(platform, senders.answered)
    finally:
        stop(platform)
    for group in GROUPS:
        first = list(dict.fromkeys(met[group]))
        assert first == sorted(first), group
        assert len(senders.answered[group]) >= KILLS * LEAST
        print(f"{group}: {len(senders.answered[group])} answered, {len(met[group])} met, {len(first)} of them new")
