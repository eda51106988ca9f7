"""The limits of 2019 (`--profile 2019`)."""

import pytest
from botocore.exceptions import ClientError

from tests import platform as platforms
from tests.services.lambda_.conftest import Account


def test_memory_was_up_to_3008_in_steps_of_64() -> None:
    """S4-23: 128 to 3,008 MB in 64 MB steps; today's 200 and 3,072 were refused."""
    with platforms.running(options=["--profile", "2019"]) as platform:
        aws = Account(platform, "111122223333")
        for memory in (200, 3072):
            with pytest.raises(ClientError) as caught:
                aws.create(MemorySize=memory)
            assert caught.value.response["Error"]["Code"] == "InvalidParameterValueException"
        aws.create(MemorySize=3008)
        with pytest.raises(ClientError, match="Member must be a multiple of 64"):
            aws.client("lambda").update_function_configuration(FunctionName="f", MemorySize=3007)


def test_memory_is_up_to_10240_in_steps_of_1(aws: Account) -> None:
    """Lambda quotas: 128 to 10,240 MB in 1 MB increments."""
    aws.create(MemorySize=200)
    functions = aws.client("lambda")
    functions.update_function_configuration(FunctionName="f", MemorySize=3073)
    assert functions.get_function_configuration(FunctionName="f")["MemorySize"] == 3073
