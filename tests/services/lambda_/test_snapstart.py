"""SnapStart: a version is initialised once, at its publishing; its environments start from the memory of that INIT."""

import base64
import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.machine import without
from tests.services.lambda_.conftest import Account, package
from undercast.sandbox.runtimes.lookup import PythonLookup

FUNCTION = """
import os, random, ssl, sys, tempfile, time, uuid
from snapshot_restore_py import register_after_restore, register_before_snapshot

TOKEN = uuid.uuid4().hex
HOOKS = ["init"]
KEY = os.environ.get("AWS_ACCESS_KEY_ID")
random.seed(7)
print("INIT of", TOKEN)

@register_before_snapshot
def first(): HOOKS.append("before 1")

@register_before_snapshot
def second(): HOOKS.append("before 2")

register_after_restore(HOOKS.append, "after 1")

@register_after_restore
def last():
    HOOKS.append("after 2")
    time.sleep(float(os.environ.get("SLEEP", "0")))
    if os.environ.get("FAIL"):
        raise ValueError("no way back")

def handler(event, context):
    time.sleep(event.get("sleep", 0))
    return {
        "token": TOKEN, "hooks": HOOKS, "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"],
        "unique": [random.random(), uuid.uuid4().hex, uuid.uuid1().hex, ssl.RAND_bytes(16).hex()],
        "keys": [KEY, os.environ["AWS_ACCESS_KEY_ID"]], "stream": os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME"),
        "tmp": os.listdir("/tmp"), "mine": open("/tmp/mine", "w").write("x"), "pid": os.getpid(),
    }
"""
THREAD = "\nimport threading\nthreading.Thread(target=time.sleep, args=(1e6,), daemon=True).start()\n"
REPORT = re.compile(r"Restore Duration: ([\d.]+) ms\tBilled Restore Duration: (\d+) ms")


def _runtimes() -> list[str]:
    """Of SnapStart's Pythons those that are here: 3.12 runs our client, the platform's own version AWS's."""
    lookup = PythonLookup(tuple(os.environ["PATH"].split(os.pathsep)), Path.home())
    return [f"python3.{minor}" for minor in (12, 13) if lookup.find((3, minor)) is not None]


RUNTIMES = _runtimes()


@pytest.fixture(autouse=True)
def of_snapstart() -> None:
    """SnapStart is for Python 3.12 and later."""
    if not RUNTIMES:
        without("python3.12")


def publish(aws: Account, name: str = "f", text: str = FUNCTION, **members: Any) -> str:
    """A function with SnapStart and its first version, once it is Active or Failed: the version's number."""
    settings = {"Runtime": RUNTIMES[0] if RUNTIMES else "", "MemorySize": 256, "Timeout": 20, **members}
    aws.create(name, Code={"ZipFile": package(app=text)}, SnapStart={"ApplyOn": "PublishedVersions"}, **settings)
    version: str = aws.client("lambda").publish_version(FunctionName=name)["Version"]
    state(aws, name, version)
    return version


def state(aws: Account, name: str, version: str) -> dict[str, Any]:
    """Its configuration, when it is not Pending any more."""
    limit = time.monotonic() + 60
    while True:
        found: dict[str, Any] = aws.client("lambda").get_function_configuration(FunctionName=name, Qualifier=version)
        if found["State"] != "Pending" or time.monotonic() > limit:
            return found
        time.sleep(0.05)


@pytest.fixture
def at_once(aws: Account) -> Iterator[Callable[[str, str, int], list[Any]]]:
    """The first answers of environments that run at the same time: what a warm one answers does not count.

    On a busy machine one may have answered before another starts; then they are asked again, and slower.
    """
    with ThreadPoolExecutor(4) as threads:

        def run(name: str, version: str, count: int) -> list[Any]:
            first: list[Any] = []
            for sleep_s in (1.5, 4, 10):
                calls = [threads.submit(aws.invoke, name, {"sleep": sleep_s}, Qualifier=version) for _ in range(count)]
                first += [answer for call in calls if not (answer := call.result()[1])["tmp"]]
                if len(first) >= count:
                    break
            return first

        yield run


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_environments_start_from_one_init_and_differ_in_what_must_be_unique(
    aws: Account,
    at_once: Callable[[str, str, int], list[Any]],
    log_of: Callable[[str], list[str]],
    runtime: str,
) -> None:
    """INIT's state is in every environment; before-snapshot hooks run in reverse order, the others in theirs."""
    version = publish(aws, Runtime=runtime)
    found = at_once("f", version, 3)
    assert len(found) == 3
    assert len({answer["token"] for answer in found}) == 1
    assert all(answer["hooks"] == ["init", "before 2", "before 1", "after 1", "after 2"] for answer in found)
    assert {answer["type"] for answer in found} == {"snap-start"}
    for values in zip(*(answer["unique"] for answer in found), strict=True):
        assert len(set(values)) == 3, values
    assert len({answer["keys"][1] for answer in found}) == 3, "credentials are each environment's own"
    assert {answer["keys"][0] for answer in found}.isdisjoint({answer["keys"][1] for answer in found})
    assert [answer["tmp"] for answer in found] == [[], [], []]
    assert {answer["stream"] for answer in found} == {None}
    lines = log_of("f")
    assert len([line for line in lines if line.startswith("INIT of")]) == 1
    assert len([line for line in lines if line.startswith("RESTORE_START Runtime Version: python")]) == 3
    assert len([line for line in lines if line.startswith("RESTORE_REPORT Restore Duration: ")]) == 3
    assert len([line for line in lines if line.startswith("INIT_REPORT Init Duration: ")]) == 1


def test_the_first_report_of_an_environment_has_the_restore_and_bills_its_hooks(aws: Account) -> None:
    """Restore Duration and Billed Restore Duration, in place of Init Duration; a warm invocation has neither."""
    version = publish(aws, Environment={"Variables": {"SLEEP": "0.3"}})
    tails = []
    for _ in range(2):
        response, _ = aws.invoke("f", Qualifier=version, LogType="Tail")
        tails.append(base64.b64decode(response["LogResult"]).decode())
    first = REPORT.search(tails[0])
    assert first is not None, tails[0]
    assert float(first[1]) >= int(first[2]) - 1 >= 299
    billed = re.search(r"Billed Duration: (\d+) ms", tails[0])
    assert billed is not None
    assert int(billed[1]) > int(first[2])
    assert "Init Duration" not in tails[0]
    assert REPORT.search(tails[1]) is None


def test_a_version_is_pending_until_its_snapshot_is_there(aws: Account) -> None:
    """PublishVersion answers Pending; SnapStartNotReadyException meanwhile; then Active, and OptimizationStatus On."""
    slow = FUNCTION + "\ntime.sleep(2)\n"
    aws.create(
        "f", Runtime=RUNTIMES[0], Code={"ZipFile": package(app=slow)}, SnapStart={"ApplyOn": "PublishedVersions"}
    )
    functions = aws.client("lambda")
    published = functions.publish_version(FunctionName="f")
    assert (published["State"], published["SnapStart"]) == (
        "Pending",
        {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"},
    )
    with pytest.raises(ClientError, match="SnapStartNotReadyException"):
        functions.invoke(FunctionName="f", Qualifier="1")
    settled = state(aws, "f", "1")
    assert settled["State"] == "Active"
    assert settled["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    latest = functions.get_function_configuration(FunctionName="f")
    assert latest["SnapStart"] == {"ApplyOn": "PublishedVersions", "OptimizationStatus": "Off"}


def test_the_unpublished_version_has_an_init_of_its_own(aws: Account) -> None:
    """SnapStart is for published versions: $LATEST is initialised on demand."""
    publish(aws)
    assert aws.invoke("f")[1]["type"] == "on-demand"


@pytest.mark.parametrize(
    ("variables", "code", "status"),
    [
        ({"FAIL": "1"}, "SnapStartException", 400),
        ({"SLEEP": "30"}, "SnapStartTimeoutException", 408),
    ],
)
def test_an_after_restore_hook_that_fails_or_takes_ten_seconds_is_the_callers_error(
    aws: Account, variables: dict[str, str], code: str, status: int
) -> None:
    """Restore and after-restore hooks have 10 s together."""
    version = publish(aws, Environment={"Variables": variables})
    with pytest.raises(ClientError) as caught:
        aws.client("lambda").invoke(FunctionName="f", Qualifier=version)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_what_cannot_be_copied_is_initialised_ahead_and_the_log_says_why(
    aws: Account, log_of: Callable[[str], list[str]]
) -> None:
    """A thread of INIT would not be in a copy. No restore is claimed."""
    version = publish(aws, text=FUNCTION + THREAD)
    response, answer = aws.invoke("f", Qualifier=version, LogType="Tail")
    assert answer["hooks"] == ["init", "before 2", "before 1", "after 1", "after 2"]
    assert answer["type"] == "snap-start"
    text = "\n".join(log_of("f"))
    assert (
        "initialised ahead instead of being restored from a snapshot, because the function has started thread" in text
    )
    assert "Restore Duration" not in text
    assert response["StatusCode"] == 200


def test_a_function_that_fails_in_its_init_has_no_active_version(aws: Account) -> None:
    """State Failed, with FunctionError as its reason's code."""
    version = publish(aws, text=FUNCTION + "\nraise ValueError('not today')\n")
    settled = state(aws, "f", version)
    assert (settled["State"], settled["StateReasonCode"]) == ("Failed", "FunctionError")
    assert "ValueError" in settled["StateReason"]


def test_what_snapstart_excludes_is_refused(aws: Account) -> None:
    """Not with older runtimes, more than 512 MB of /tmp, provisioned concurrency."""
    on = {"ApplyOn": "PublishedVersions"}
    with pytest.raises(ClientError, match=r"nodejs22\.x is not supported for SnapStart enabled functions"):
        aws.create("n", Runtime="nodejs22.x", SnapStart=on)
    with pytest.raises(ClientError, match=r"python3\.11 is not supported"):
        aws.create("p", Runtime="python3.11", SnapStart=on)
    with pytest.raises(ClientError, match="Ephemeral storage"):
        aws.create("e", Runtime=RUNTIMES[0], SnapStart=on, EphemeralStorage={"Size": 513})
    version = publish(aws)
    functions = aws.client("lambda")
    with pytest.raises(ClientError, match="Provisioned Concurrency is not supported"):
        functions.put_provisioned_concurrency_config(
            FunctionName="f", Qualifier=version, ProvisionedConcurrentExecutions=1
        )
    with pytest.raises(ClientError, match="Ephemeral storage"):
        functions.update_function_configuration(FunctionName="f", EphemeralStorage={"Size": 1024})
    off = functions.update_function_configuration(FunctionName="f", SnapStart={"ApplyOn": "None"})
    assert off["SnapStart"] == {"ApplyOn": "None", "OptimizationStatus": "Off"}


def test_a_client_made_in_init_goes_on_to_work_after_the_restore(aws: Account) -> None:
    """Its credentials are those of the INIT, whose session lives as long as the snapshot."""
    text = """
import boto3
STS = boto3.client("sts")
STS.meta.endpoint_url
def handler(event, context):
    return [STS.get_caller_identity()["Account"], boto3.client("sts").get_caller_identity()["Account"]]
"""
    version = publish(aws, text=text, MemorySize=512)
    response, answer = aws.invoke("f", Qualifier=version, LogType="Tail")
    assert answer == [aws.id, aws.id]
    assert REPORT.search(base64.b64decode(response["LogResult"]).decode())
