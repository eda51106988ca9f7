"""The limits of 2019 (`--profile 2019`)."""

import base64
import re

import pytest
from botocore.exceptions import ClientError

from tests import platform as platforms
from tests.services.lambda_.conftest import Account
from tests.unit.lambda_.conftest import zip_of


def test_memory_was_up_to_3008_in_steps_of_64() -> None:
    """S4-23: 128 to 3,008 MB in 64 MB steps; today's 200 and 3,072 were refused."""
    with platforms.running(options=["--profile", "2019"]) as platform:
        aws = Account(platform, "111122223333")
        for memory in (200, 3072):
            with pytest.raises(ClientError) as caught:
                aws.create(MemorySize=memory)
            assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
        with pytest.raises(ClientError, match="512"):
            aws.create(EphemeralStorage={"Size": 513})
        aws.create(MemorySize=3008)
        with pytest.raises(ClientError, match="Member must be a multiple of 64"):
            aws.client("lambda").update_function_configuration(FunctionName="f", MemorySize=3007)


OLD = "exports.handler = async event => event.exit ? process.exit(3) : new Promise(done => setTimeout(done, 9000))"
NEW = "import os, time\ndef handler(event, context):\n    os._exit(3) if event.get('exit') else time.sleep(9)\n"


def test_ends_are_told_in_the_words_of_the_log() -> None:
    """S3d-21: the exit of a runtime from before the Runtime API; a timeout of any had no errorType.

    lambda-semantics 3c records the timeout, reports of users from 2016 to 2019 the exit.
    """
    with platforms.running(options=["--profile", "2019"]) as platform:
        aws = Account(platform, "111122223333")
        aws.create("old", Runtime="nodejs8.10", Timeout=1, Code={"ZipFile": zip_of({"app.js": OLD})})
        aws.create("new", Timeout=1, Code={"ZipFile": zip_of({"app.py": NEW})})
        for name in ("old", "new"):
            response, error = aws.invoke(name, LogType="Tail")
            assert (response["FunctionError"], list(error)) == ("Unhandled", ["errorMessage"])
            told = rf"\d{{4}}-\S+Z {response['ResponseMetadata']['RequestId']} Task timed out after 1.00 seconds"
            assert re.fullmatch(told, error["errorMessage"])
            assert error["errorMessage"] in base64.b64decode(response["LogResult"]).decode()
        response, error = aws.invoke("old", {"exit": True})
        request_id = response["ResponseMetadata"]["RequestId"]
        assert error == {"errorMessage": f"RequestId: {request_id} Process exited before completing request"}
        assert aws.invoke("new", {"exit": True})[1]["errorType"] == "Runtime.ExitError"


def test_memory_is_up_to_10240_in_steps_of_1(aws: Account) -> None:
    """Lambda quotas: 128 to 10,240 MB in 1 MB increments."""
    aws.create(MemorySize=200)
    functions = aws.client("lambda")
    functions.update_function_configuration(FunctionName="f", MemorySize=3073)
    assert functions.get_function_configuration(FunctionName="f")["MemorySize"] == 3073
