"""A function that throws events as fast as it can: every event has its effect, and the neighbour goes on (S3d-19).

AWS: Lambda Developer Guide, "Invoking a Lambda function asynchronously": a queue stands between.
"""

from concurrent.futures import ThreadPoolExecutor

from tests.e2e.functions import create_function
from tests.platform import RunningPlatform
from tests.security.hostile.conftest import ACCOUNT, call
from tests.security.hostile.functions import BOMB, SINK, THROWN


def test_an_event_bomb_is_queued_and_harms_nobody(hostile: RunningPlatform) -> None:
    """A thousand events of one invocation; the neighbour answers while they fall, none is lost, no queue is left."""
    create_function(hostile, ACCOUNT, "bomb", BOMB, Timeout=60, MemorySize=1769)
    create_function(hostile, ACCOUNT, "sink", SINK)
    with ThreadPoolExecutor(1) as pool:
        falling = pool.submit(call, hostile, "bomb", {"thrown": THROWN})
        answered = 0
        while not falling.done():
            assert call(hostile, "good", {"n": 41}) == (42, None)
            answered += 1
        assert falling.result() == ("thrown", None)
    assert answered > 0
    hostile.drain()
    pages = hostile.client("logs").get_paginator("filter_log_events")
    caught = [
        event["message"]
        for page in pages.paginate(logGroupName="/aws/lambda/sink", filterPattern="caught")
        for event in page["events"]
    ]
    assert {f"caught {number}" for number in range(THROWN)} == {message.strip() for message in caught}
