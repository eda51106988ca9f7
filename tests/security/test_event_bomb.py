"""A function that throws events as fast as it can: every event has its effect, and the neighbour goes on (S3d-19).

AWS: Lambda Developer Guide, "Invoking a Lambda function asynchronously": a queue stands between.
"""

import json
from concurrent.futures import ThreadPoolExecutor

from tests.e2e.functions import create_function
from tests.platform import RunningPlatform

THROWN = 1000
BOMB = """
import boto3, json
from concurrent.futures import ThreadPoolExecutor

client = boto3.client("lambda")

def throw(number):
    client.invoke(FunctionName="sink", InvocationType="Event", Payload=json.dumps({"n": number}))

def handler(event, context):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(throw, range(event["thrown"])))
    return "thrown"
"""
SINK = "def handler(event, context):\n    print('caught', event['n'])\n"
GOOD = "def handler(event, context):\n    return event['n'] + 1\n"


def test_an_event_bomb_is_queued_and_harms_nobody(platform: RunningPlatform, account: str) -> None:
    """A thousand events of one invocation; the neighbour answers while they fall, none is lost, no queue is left."""
    for name, source, memory in (("bomb", BOMB, 1769), ("sink", SINK, 128), ("good", GOOD, 128)):
        create_function(platform, account, name, source, Timeout=60, MemorySize=memory)
    client = platform.client("lambda", account=account)
    with ThreadPoolExecutor(1) as pool:
        falling = pool.submit(client.invoke, FunctionName="bomb", Payload=json.dumps({"thrown": THROWN}))
        answered = 0
        while not falling.done():
            answer = platform.client("lambda", account=account).invoke(FunctionName="good", Payload=b'{"n": 41}')
            assert (json.load(answer["Payload"]), answer.get("FunctionError")) == (42, None)
            answered += 1
        assert json.load(falling.result()["Payload"]) == "thrown"
    assert answered > 0
    platform.drain()
    pages = platform.client("logs", account=account).get_paginator("filter_log_events")
    caught = [
        event["message"]
        for page in pages.paginate(logGroupName="/aws/lambda/sink", filterPattern="caught")
        for event in page["events"]
    ]
    assert {f"caught {number}" for number in range(THROWN)} == {message.strip() for message in caught}
