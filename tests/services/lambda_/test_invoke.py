"""Invokes through boto3, against the real platform."""

import base64
import json
import threading
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from tests.services.lambda_.conftest import Account, package
from tests.services.lambda_.queues import until

LogOf = Callable[[str], list[str]]


def test_answer_version_and_log(aws: Account) -> None:
    """200, ExecutedVersion, the last 4 KB of the log, the request id that the function sees."""
    aws.create()
    response, answer = aws.invoke(event={"a": 1}, LogType="Tail")
    assert (response["StatusCode"], response["ExecutedVersion"], answer["event"]) == (200, "$LATEST", {"a": 1})
    assert response["ResponseMetadata"]["RequestId"] == answer["id"]
    assert response["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "application/json"
    lines = base64.b64decode(response["LogResult"]).decode().splitlines()
    assert lines[0] == f"START RequestId: {answer['id']} Version: $LATEST"
    assert "event {'a': 1}" in lines
    assert "FunctionError" not in response


def test_function_error_is_a_200_with_the_error_as_payload(aws: Account) -> None:
    """X-Amz-Function-Error: Unhandled."""
    aws.create()
    response, answer = aws.invoke(event={"raise": "no"})
    assert (response["StatusCode"], response["FunctionError"]) == (200, "Unhandled")
    assert (answer["errorType"], answer["errorMessage"]) == ("ValueError", "no")


def test_largest_payload_goes_both_ways(aws: Account) -> None:
    """6 MB in; an answer over the limit is Function.ResponseSizeTooLarge."""
    aws.create(Code={"ZipFile": package(app="def handler(event, context): return len(event)")}, Timeout=20)
    text = "x" * (6_291_456 - 2)
    assert aws.invoke(event=text)[1] == len(text)
    with pytest.raises(ClientError) as caught:
        aws.invoke(event=text + "x")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert "Request must be smaller than 6291456 bytes for the InvokeFunction operation" in str(caught.value)


def test_event_runs_once_under_the_id_of_its_answer(aws: Account, log_of: LogOf) -> None:
    """202 with an empty payload; the log has the request id."""
    aws.create()
    response, answer = aws.invoke(event={"async": 1}, InvocationType="Event")
    assert (response["StatusCode"], answer) == (202, None)
    aws.platform.drain()
    request_id = response["ResponseMetadata"]["RequestId"]
    starts = [line for line in log_of("f") if line.startswith("START")]
    assert starts == [f"START RequestId: {request_id} Version: $LATEST\n"]


def test_failed_event_is_retried_after_one_and_two_minutes(aws: Account, log_of: LogOf) -> None:
    """Two retries on the platform clock, all under one request id, then the record goes to the destination."""
    aws.create()
    destination = aws.create("log")["FunctionArn"]
    aws.client("lambda").put_function_event_invoke_config(
        FunctionName="f", DestinationConfig={"OnFailure": {"Destination": destination}}
    )
    response, _ = aws.invoke(event={"raise": "again"}, InvocationType="Event")
    request_id = response["ResponseMetadata"]["RequestId"]
    runs = []
    for seconds in (0, 61, 121, 600):
        aws.platform.advance(seconds)
        aws.platform.drain()
        runs.append(sum(line.startswith(f"START RequestId: {request_id}") for line in log_of("f")))
    assert runs == [1, 2, 3, 3]
    record = next(line for line in log_of("log") if line.startswith("event"))
    assert "'condition': 'RetriesExhausted', 'approximateInvokeCount': 3" in record


def test_dry_run_runs_nothing(aws: Account) -> None:
    """204."""
    aws.create()
    response, _ = aws.invoke(InvocationType="DryRun")
    assert response["StatusCode"] == 204
    assert aws.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/f")["logGroups"] == []


def test_reserved_concurrency_throttles(aws: Account) -> None:
    """429 with its Reason while the one environment is busy."""
    functions = aws.client("lambda")
    aws.create(Timeout=30)
    aws.invoke()
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=1)
    group = {"logGroupName": "/aws/lambda/f"}
    busy = threading.Thread(target=aws.invoke, kwargs={"event": {"sleep": 2}})
    busy.start()
    logs = aws.client("logs")
    while not logs.filter_log_events(**group, filterPattern="sleep")["events"]:
        pass
    with pytest.raises(functions.exceptions.TooManyRequestsException) as caught:
        aws.invoke()
    busy.join()
    response = caught.value.response
    assert (response["Error"]["Message"], response["Reason"]) == (
        "Rate Exceeded.",
        "ReservedFunctionConcurrentInvocationLimitExceeded",
    )
    assert aws.invoke()[0]["StatusCode"] == 200


def test_function_calls_a_function(aws: Account) -> None:
    """S3d-31: a chain by boto3 inside the sandbox."""
    code = """
import boto3, json

def handler(event, context):
    answer = boto3.client("lambda").invoke(FunctionName="f", Payload=json.dumps({"from": "caller"}))
    return json.load(answer["Payload"])
"""
    aws.create()
    aws.create("caller", Code={"ZipFile": package(app=code)}, Timeout=60, MemorySize=512)
    assert aws.invoke("caller")[1]["event"] == {"from": "caller"}


def test_function_that_calls_itself_is_stopped(aws: Account, log_of: LogOf) -> None:
    """Recursive loop detection: 16 runs by asynchronous invokes, then the event is given up."""
    code = """
import boto3

def handler(event, context):
    boto3.client("lambda").invoke(FunctionName="f", InvocationType="Event", Payload="{}")
"""
    aws.create(Code={"ZipFile": package(app=code)}, Timeout=60, MemorySize=512)
    aws.invoke(InvocationType="Event")
    aws.platform.drain()
    # Its lines are written when its runtime asks for the next event: behind the answer, and so behind the drain.
    until(lambda: sum(line.startswith("REPORT") for line in log_of("f")) == 16)
    assert sum(line.startswith("START") for line in log_of("f")) == 16


def test_payload_that_is_no_json_is_refused(aws: Account) -> None:
    """InvalidRequestContentException."""
    functions = aws.client("lambda")
    aws.create()
    with pytest.raises(functions.exceptions.InvalidRequestContentException) as caught:
        functions.invoke(FunctionName="f", Payload=b"{")
    assert "Could not parse request body into json" in str(caught.value)


def test_invoke_async_queues_an_event(aws: Account, log_of: LogOf) -> None:
    """The oldest API: 202."""
    aws.create()
    answer = aws.client("lambda").invoke_async(FunctionName="f", InvokeArgs=json.dumps({"old": 1}).encode())
    assert answer["Status"] == 202
    aws.platform.drain()
    assert "event {'old': 1}\n" in log_of("f")
