"""Hostile functions on a real platform: AWS's error text for each, a neighbour that goes on, and nothing left behind.

The fixture `hostile` asks the neighbour and compares the machine's tables behind every test.
AWS: Lambda Developer Guide, "Troubleshoot invocation issues"; recorded errors in lambda-semantics 3c.
"""

import errno
import re
from pathlib import Path

import pytest

from tests.e2e.functions import create_function
from tests.e2e.golang import build, zipped
from tests.platform import RunningPlatform
from tests.security.hostile.conftest import ACCOUNT, SECRET, call
from tests.security.hostile.functions import DEADLY, FULL_TMP, HARMLESS, KILLED, LOOP, NAMES, THIEF, TWO_NEXTS
from undercast.sandbox.resolver import QUESTIONS

GO_SOURCE = Path(__file__).parents[2] / "e2e" / "sandbox" / "go_function"


@pytest.mark.parametrize("kind", DEADLY)
def test_a_deadly_function_gets_awss_error_and_harms_nobody(hostile: RunningPlatform, kind: str) -> None:
    """The error of each end, and the same on the next invoke."""
    deadly = DEADLY[kind]
    create_function(hostile, ACCOUNT, "deadly", deadly.source, Timeout=deadly.timeout_s, MemorySize=128)
    for _ in range(2):
        payload, error = call(hostile, "deadly", {})
        assert error == "Unhandled"
        assert payload["errorType"] == deadly.error_type
        assert re.search(deadly.message, payload["errorMessage"])


@pytest.mark.parametrize("kind", HARMLESS)
def test_an_attack_ends_at_the_sandboxs_limits(hostile: RunningPlatform, kind: str) -> None:
    """What the function sees when it tries."""
    create_function(hostile, ACCOUNT, "harmless", HARMLESS[kind].source, Timeout=30, MemorySize=3008)
    home = Path.home()
    paths = [hostile.data, home / ".profile", home / ".ssh", Path(__file__).resolve()]
    assert call(hostile, "harmless", {"paths": [str(path) for path in paths]}) == (HARMLESS[kind].answer, None)


def test_a_full_tmp_ends_at_its_size(hostile: RunningPlatform) -> None:
    """512 MB: ENOSPC where /tmp is a disk of that size; where its folder is measured, the breach kills."""
    create_function(hostile, ACCOUNT, "full", FULL_TMP, Timeout=60, MemorySize=3008)
    payload, error = call(hostile, "full", {})
    if hostile.ask("/_undercast/capabilities")["promises"]["/tmp limit"].startswith("hard"):
        assert (payload, error) == (errno.ENOSPC, None)
    else:
        assert (payload["errorType"], error) == ("Runtime.ExitError", "Unhandled")
        assert payload["errorMessage"].endswith(KILLED)


def test_a_flood_of_dns_questions_is_answered_up_to_its_quota(hostile: RunningPlatform) -> None:
    """1,024 in each second, as on AWS; what is beyond is not even read. Names are found again behind it."""
    create_function(hostile, ACCOUNT, "asking", NAMES, Timeout=60, MemorySize=1769)
    (answers, took_s, address), error = call(hostile, "asking", {"questions": 50_000})
    assert (error, address) == (None, "127.64.0.1")
    assert 0 < answers <= QUESTIONS * (took_s + 2)


def test_a_go_panic_gets_its_text_and_harms_nobody(hostile: RunningPlatform, tmp_path: Path) -> None:
    """aws-lambda-go reports a panic of the handler; one of another goroutine is the runtime's exit with status 2."""
    client = hostile.client("lambda")
    client.create_function(
        FunctionName="go",
        Runtime="provided.al2023",
        Role=f"arn:aws:iam::{ACCOUNT}:role/unknown",
        Handler="bootstrap",
        Code={"ZipFile": zipped(build(GO_SOURCE, tmp_path / "bootstrap"), "bootstrap")},
        Timeout=20,
    )
    client.get_waiter("function_active_v2").wait(FunctionName="go", WaiterConfig={"Delay": 1})
    for _ in range(2):
        payload, error = call(hostile, "go", {"Do": "panic"})
        assert (payload["errorMessage"], payload["errorType"], error) == ("at the disco", "string", "Unhandled")
        payload, error = call(hostile, "go", {"Do": "panic elsewhere"})
        assert (payload["errorType"], error) == ("Runtime.ExitError", "Unhandled")
        assert payload["errorMessage"].endswith("Runtime exited with error: exit status 2")


def test_a_function_cannot_use_another_functions_credentials(hostile: RunningPlatform) -> None:
    """Neither to be found nor to be guessed; half of them (AWS: STS, "Common Errors") is worth nothing."""
    create_function(hostile, ACCOUNT, "thief", THIEF, Timeout=20, MemorySize=1769)
    (key, secret, token), _ = call(hostile, "good", "keys")
    made_up = ("ASIAAAAAAAAAAAAAAAAA", "x", "y")
    keys = [made_up, (key, "guessed", token), (key, secret, "another session's")]
    leaked, *answers = call(hostile, "thief", {"secret": SECRET, "keys": keys})[0]
    assert not leaked
    assert answers == ["InvalidClientTokenId", "SignatureDoesNotMatch", "InvalidClientTokenId"]


def test_a_bucket_that_triggers_itself_is_stopped(hostile: RunningPlatform) -> None:
    """AWS: "Use Lambda recursive loop detection": stopped at about 16 invocations of one chain."""
    arn = create_function(hostile, ACCOUNT, "loop", LOOP, Timeout=20)
    s3 = hostile.client("s3")
    s3.create_bucket(Bucket="hostile-loop")
    hostile.client("lambda").add_permission(
        FunctionName="loop", StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    configuration = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket="hostile-loop", NotificationConfiguration={"LambdaFunctionConfigurations": [configuration]}
    )
    s3.put_object(Bucket="hostile-loop", Key="k")
    hostile.drain()
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket="hostile-loop")["Contents"]]
    assert len(keys) == 17  # the first put and sixteen runs


def test_two_nexts_in_one_packet_are_cut_off_and_no_event_is_lost(hostile: RunningPlatform) -> None:
    """An event that went to the connection that has ended would be missed until its function's timeout."""
    create_function(hostile, ACCOUNT, "asking-twice", TWO_NEXTS, Timeout=10, MemorySize=128)
    answers = [call(hostile, "asking-twice", {}) for _ in range(3)]
    assert answers == [("answered", None), ("cut off", None), ("answered", None)]
