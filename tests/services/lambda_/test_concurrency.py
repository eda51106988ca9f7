"""Concurrency through boto3, with functions that really run: reserved, provisioned, weighted."""

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.lambda_.conftest import Account, package

TYPED = """
import os, time, uuid
ENVIRONMENT = uuid.uuid4().hex
TYPE = os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]
if os.environ.get("BROKEN"):
    raise RuntimeError("no")

def handler(event, context):
    time.sleep(event.get("sleep", 0))
    return [ENVIRONMENT, TYPE, context.function_version]
"""
CODE = {"ZipFile": package(app=TYPED)}


def status(aws: Account, qualifier: str, wanted: str) -> dict[str, Any]:
    """The configuration once it has this status."""
    functions = aws.client("lambda")
    until = time.monotonic() + 30
    while True:
        found: dict[str, Any] = functions.get_provisioned_concurrency_config(FunctionName="f", Qualifier=qualifier)
        if found["Status"] == wanted or time.monotonic() > until:
            return found
        time.sleep(0.05)


def test_provisioned_environments_are_there_before_the_first_invoke(aws: Account, log_of: Any) -> None:
    """READY means initialised; AWS_LAMBDA_INITIALIZATION_TYPE says so; what overflows runs on-demand."""
    functions = aws.client("lambda")
    aws.create(Code=CODE, Publish=True)
    answer = functions.put_provisioned_concurrency_config(
        FunctionName="f", Qualifier="1", ProvisionedConcurrentExecutions=2
    )
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Status"]) == (202, "IN_PROGRESS")
    assert status(aws, "1", "READY")["AllocatedProvisionedConcurrentExecutions"] == 2
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda _: aws.invoke(Qualifier="1", event={"sleep": 0.5})[1], range(3)))
    assert Counter(kind for _, kind, _ in found) == {"provisioned-concurrency": 2, "on-demand": 1}
    assert aws.invoke()[1][1] == "on-demand", "$LATEST has nothing of it"
    until = time.monotonic() + 10
    while len(reports := [line for line in log_of("f") if line.startswith("REPORT")]) < 4 and time.monotonic() < until:
        time.sleep(0.1)
    assert sum("Init Duration" in line for line in reports) == 2
    functions.delete_provisioned_concurrency_config(FunctionName="f", Qualifier="1")
    with pytest.raises(functions.exceptions.ProvisionedConcurrencyConfigNotFoundException):
        functions.get_provisioned_concurrency_config(FunctionName="f", Qualifier="1")


def test_provisioning_of_a_function_that_cannot_start_fails(aws: Account) -> None:
    """Status FAILED; StatusReason as CloudFormation shows it: FUNCTION_ERROR_INIT_FAILURE."""
    functions = aws.client("lambda")
    aws.create(Code=CODE, Publish=True, Environment={"Variables": {"BROKEN": "1"}})
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    params = {"FunctionName": "f", "Qualifier": "live", "ProvisionedConcurrentExecutions": 1}
    functions.put_provisioned_concurrency_config(**params)
    found = status(aws, "live", "FAILED")
    assert (found["Status"], found["StatusReason"]) == ("FAILED", "FUNCTION_ERROR_INIT_FAILURE")


def test_reserved_concurrency_throttles_with_its_reason(aws: Account) -> None:
    """429 TooManyRequestsException, Reason, Retry-After; 0 turns everything away (S4-25, S4-34)."""
    functions = aws.client("lambda")
    aws.create(Code=CODE)
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(aws.invoke, event={"sleep": 1.5})
        time.sleep(0.7)
        with pytest.raises(ClientError) as caught:
            aws.invoke()
        assert running.result()[1][1] == "on-demand"
    answer: Any = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 429
    assert answer["Error"] == {"Code": "TooManyRequestsException", "Message": "Rate Exceeded."}
    assert answer["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert answer["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1"
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    with pytest.raises(functions.exceptions.TooManyRequestsException):
        aws.invoke()
    functions.delete_function_concurrency(FunctionName="f")
    assert aws.invoke()[0]["StatusCode"] == 200


def test_alias_with_routing_sends_a_share_to_each_version(aws: Account) -> None:
    """RoutingConfig; X-Amz-Executed-Version says which version ran, and it is the one that did."""
    functions = aws.client("lambda")
    aws.create(Code=CODE, Publish=True)
    functions.update_function_configuration(FunctionName="f", Timeout=7)
    functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    functions.publish_version(FunctionName="f")
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1", RoutingConfig=weights)
    counts: Counter[str] = Counter()
    for _ in range(60):
        response, value = aws.invoke(Qualifier="live")
        assert response["ExecutedVersion"] == value[2]
        counts[value[2]] += 1
    assert set(counts) == {"1", "2"}
    assert min(counts.values()) > 10
    functions.update_alias(FunctionName="f", Name="live", RoutingConfig={"AdditionalVersionWeights": {}})
    assert {aws.invoke(Qualifier="live")[1][2] for _ in range(10)} == {"1"}
