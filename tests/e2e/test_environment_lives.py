"""The life of execution environments on a whole platform: INIT's limit, reuse, the end of idle ones.

AWS: Lambda Developer Guide, "Understanding the Lambda execution environment lifecycle". Nothing is timed.
"""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.functions import create_function, package
from tests.platform import RunningPlatform, running
from tests.security.hostile.tables import await_same, settled

ACCOUNT = "000000000000"
COUNTER = """
import os, time

served = 0
born = os.urandom(8).hex()

def handler(event, context):
    global served
    served += 1
    time.sleep(event.get("sleep", 0))
    return {"served": served, "born": born, "stream": context.log_stream_name, "version": 1}
"""
SLOW_INIT = "import time\ntime.sleep({seconds})\n\ndef handler(event, context):\n    return 'at last'\n"


def invoke(platform: RunningPlatform, name: str, event: object = None) -> dict[str, object]:
    """The answer of a run that has no error."""
    answer = platform.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event or {}).encode())
    found: dict[str, object] = json.load(answer["Payload"])
    assert answer.get("FunctionError") is None, found
    return found


def messages(platform: RunningPlatform, name: str) -> list[str]:
    """The function's log; its last line is written just behind the answer."""
    events = platform.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    return [event["message"] for event in events]


def environments(platform: RunningPlatform) -> int:
    """How many there are."""
    count: int = platform.ask("/_undercast/status")["sandboxes"]["environments"]
    return count


@pytest.fixture(scope="module")
def own() -> Iterator[RunningPlatform]:
    """A platform whose environments nobody else counts."""
    with running() as platform:
        yield platform


def test_one_environment_serves_one_invocation_after_the_other(own: RunningPlatform) -> None:
    """What the module holds is there again; one log stream per environment."""
    create_function(own, ACCOUNT, "one", COUNTER, Timeout=30)
    answers = [invoke(own, "one") for _ in range(4)]
    assert [answer["served"] for answer in answers] == [1, 2, 3, 4]
    assert len({(answer["born"], answer["stream"]) for answer in answers}) == 1


def test_concurrent_invocations_have_environments_of_their_own_and_those_are_kept(own: RunningPlatform) -> None:
    """Three at once are three environments; the next ones take any of them and start none."""
    create_function(own, ACCOUNT, "three", COUNTER, Timeout=60, MemorySize=512)
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda _: invoke(own, "three", {"sleep": 5}), range(3)))
    born = {answer["born"] for answer in answers}
    assert len(born) == 3
    assert {answer["served"] for answer in answers} == {1}
    assert {invoke(own, "three")["born"] for _ in range(4)} <= born


def test_new_code_or_configuration_gets_new_environments(own: RunningPlatform) -> None:
    """An environment belongs to one version of code and configuration."""
    create_function(own, ACCOUNT, "changed", COUNTER, Timeout=30)
    client = own.client("lambda")
    before = invoke(own, "changed")
    client.update_function_configuration(FunctionName="changed", Environment={"Variables": {"STEP": "1"}})
    client.get_waiter("function_updated_v2").wait(FunctionName="changed", WaiterConfig={"Delay": 1})
    between = invoke(own, "changed")
    client.update_function_code(
        FunctionName="changed", ZipFile=package(COUNTER.replace('"version": 1', '"version": 2'))
    )
    client.get_waiter("function_updated_v2").wait(FunctionName="changed", WaiterConfig={"Delay": 1})
    after = invoke(own, "changed")
    assert [answer["served"] for answer in (before, between, after)] == [1, 1, 1]
    assert len({str(answer["born"]) for answer in (before, between, after)}) == 3
    assert [answer["version"] for answer in (before, between, after)] == [1, 1, 2]


def test_an_init_beyond_ten_seconds_is_made_again_inside_the_invoke(own: RunningPlatform) -> None:
    """AWS: INIT of an on-demand function is limited to 10 s; then it runs inside the invoke, in the function's time."""
    create_function(own, ACCOUNT, "slow", SLOW_INIT.format(seconds=11), Timeout=60, MemorySize=512)
    answer = own.client("lambda").invoke(FunctionName="slow")
    assert json.load(answer["Payload"]) == "at last"
    timed_out = [line for line in messages(own, "slow") if line.startswith("INIT_REPORT")]
    assert len(timed_out) == 1
    assert "Phase: init" in timed_out[0]
    assert "Status: timeout" in timed_out[0]


def test_an_init_that_never_ends_is_the_functions_timeout(own: RunningPlatform) -> None:
    """The second INIT has the function's timeout, and the error is that of a run."""
    create_function(own, ACCOUNT, "never", SLOW_INIT.format(seconds=600), Timeout=2, MemorySize=512)
    answer = own.client("lambda").invoke(FunctionName="never")
    error = json.load(answer["Payload"])
    assert (answer["FunctionError"], error["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    assert error["errorMessage"].endswith("Task timed out after 2.00 seconds")
    phases = [line.partition("Phase: ")[2].split()[0] for line in messages(own, "never") if "INIT_REPORT" in line]
    assert phases == ["init", "invoke"]


def test_idle_environments_end_and_leave_nothing() -> None:
    """--idle-timeout, in seconds of the host's clock; the next invoke starts anew."""
    with running(options=["--idle-timeout", "1"]) as platform:
        create_function(platform, ACCOUNT, "idle", COUNTER, Timeout=30)
        first = invoke(platform, "idle")
        _await_none(platform)
        before = settled(platform)
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: invoke(platform, "idle", {"sleep": 1}), range(3)))
        _await_none(platform)
        if platform.driver == "namespace":
            await_same(platform, before)
        again = invoke(platform, "idle")
        assert again["served"] == 1
        assert again["born"] != first["born"]


def test_a_busy_environment_is_not_idle() -> None:
    """An invocation may last longer than an environment may idle."""
    with running(options=["--idle-timeout", "0.5"]) as platform:
        create_function(platform, ACCOUNT, "busy", COUNTER, Timeout=30)
        assert invoke(platform, "busy", {"sleep": 3})["served"] == 1
        _await_none(platform)


def _await_none(platform: RunningPlatform) -> None:
    end = time.monotonic() + 60
    while environments(platform):
        assert time.monotonic() < end
        time.sleep(0.1)
