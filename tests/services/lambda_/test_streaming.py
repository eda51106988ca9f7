"""InvokeWithResponseStream and function URLs that stream, with a function that speaks the Runtime API itself.

AWS: Lambda Developer Guide, "Response streaming for Lambda functions", "Using the Lambda runtime API" (trailers).
"""

import base64
import contextlib
import hashlib
import http.client
import json
import socket
import struct
import time
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.services.lambda_.conftest import Account, package
from tests.services.lambda_.test_urls import allow_everybody

RUNTIME = """
import http.client, json, os, socket, time

host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
BASE = "/2018-06-01/runtime/invocation/"

def answer(request_id, event):
    print("asked", flush=True)
    time.sleep(event.get("silent_s", 0))
    connection = socket.create_connection((host, int(port)))
    head = [f"POST {BASE}{request_id}/response HTTP/1.1", f"Host: {host}", "Transfer-Encoding: chunked",
            "Lambda-Runtime-Function-Response-Mode: streaming",
            "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
            "Content-Type: " + event.get("type", "application/octet-stream")]
    connection.sendall(("\\r\\n".join(head) + "\\r\\n\\r\\n").encode())
    for part in event["parts"]:
        if isinstance(part, (int, float)):
            time.sleep(part)
            continue
        data = part["text"].encode("latin-1") * part.get("times", 1)
        for at in range(0, len(data), 65536):
            piece = data[at:at + 65536]
            connection.sendall(b"%x\\r\\n%s\\r\\n" % (len(piece), piece))
    connection.sendall(b"0\\r\\n" + event.get("trailers", "").encode() + b"\\r\\n")
    connection.recv(4096)
    print("streamed", event["parts"][-1])

while True:
    api = http.client.HTTPConnection(host, int(port))
    api.request("GET", BASE + "next")
    got = api.getresponse()
    event = json.loads(got.read())
    if "body" in event:
        event = json.loads(event["body"])
    answer(got.getheader("Lambda-Runtime-Aws-Request-Id"), event)
"""
PLAIN = """
def handler(event, context):
    if event.get("raise"):
        raise ValueError("no")
    return {"whole": True}
"""


def text(content: str, times: int = 1) -> dict[str, Any]:
    """A part that is written at once."""
    return {"text": content, "times": times}


def stream(aws: Account, event: dict[str, Any], **params: Any) -> list[tuple[float, str, Any]]:
    """(moment, kind, value) of every event of the answer."""
    answer = aws.client("lambda").invoke_with_response_stream(
        FunctionName="f", Payload=json.dumps(event).encode(), **params
    )
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    found = []
    for one in answer["EventStream"]:
        ((kind, value),) = one.items()
        found.append((time.monotonic(), kind, value))
    return found


def content(events: list[tuple[float, str, Any]]) -> bytes:
    """The payload of all pieces."""
    return b"".join(value["Payload"] for _, kind, value in events if kind == "PayloadChunk")


def test_pieces_arrive_while_the_function_still_writes(aws: Account) -> None:
    """The first piece comes before the function has slept, the rest behind it; then InvokeComplete."""
    aws.create(Code={"ZipFile": package(app=RUNTIME)}, Timeout=20)
    events = stream(aws, {"parts": [text("one"), 2, text("two")]}, LogType="Tail")
    assert content(events) == b"onetwo"
    first, (last, kind, complete) = events[0][0], events[-1]
    assert kind == "InvokeComplete"
    assert last - first > 1.5
    assert "ErrorCode" not in complete
    assert "REPORT RequestId" in base64.b64decode(complete["LogResult"]).decode()


def test_an_answer_may_be_longer_than_six_megabytes(aws: Account) -> None:
    """Up to 200 MB stream in flat memory; Invoke of the same answer is refused."""
    aws.create(Code={"ZipFile": package(app=RUNTIME)}, Timeout=60, MemorySize=1769)
    event = {"parts": [text("0123456789abcdef", 1024 * 1024)]}
    got = content(stream(aws, event))
    assert len(got) == 16 * 1024 * 1024
    assert hashlib.sha256(got).hexdigest() == hashlib.sha256(b"0123456789abcdef" * 1024 * 1024).hexdigest()
    answer = aws.client("lambda").invoke(FunctionName="f", Payload=json.dumps(event).encode())
    assert json.load(answer["Payload"])["errorType"] == "Function.ResponseSizeTooLarge"


def test_an_error_behind_the_first_pieces_is_told_at_the_end(aws: Account) -> None:
    """The trailers' type and body become InvokeComplete's error."""
    aws.create(Code={"ZipFile": package(app=RUNTIME)}, Timeout=20)
    body = {"errorMessage": "midway", "errorType": "Midway"}
    trailers = (
        "Lambda-Runtime-Function-Error-Type: Midway\r\nLambda-Runtime-Function-Error-Body: "
        f"{base64.b64encode(json.dumps(body).encode()).decode()}\r\n"
    )
    events = stream(aws, {"parts": [text("half")], "trailers": trailers})
    assert content(events) == b"half"
    complete = events[-1][2]
    assert (complete["ErrorCode"], json.loads(complete["ErrorDetails"])) == ("Unhandled", body)


def test_a_timeout_ends_the_stream_with_its_error(aws: Account) -> None:
    """What was written has arrived; the next invocation works."""
    aws.create(Code={"ZipFile": package(app=RUNTIME)}, Timeout=2)
    events = stream(aws, {"parts": [text("begun"), 30]})
    assert content(events) == b"begun"
    assert json.loads(events[-1][2]["ErrorDetails"])["errorType"] == "Sandbox.Timedout"
    assert content(stream(aws, {"parts": [text("again")]})) == b"again"


def test_a_runtime_that_does_not_stream_answers_in_one_piece(aws: Account) -> None:
    """Python's managed runtime; its error is InvokeComplete's."""
    aws.create(Code={"ZipFile": package(app=PLAIN)})
    events = stream(aws, {})
    assert [kind for _, kind, _ in events] == ["PayloadChunk", "InvokeComplete"]
    assert json.loads(content(events)) == {"whole": True}
    ((_, kind, complete),) = stream(aws, {"raise": True})
    assert kind == "InvokeComplete"
    assert json.loads(complete["ErrorDetails"])["errorType"] == "ValueError"


def test_the_function_goes_on_when_its_caller_leaves(aws: Account) -> None:
    """Its log has the line behind the last part."""
    aws.create(Code={"ZipFile": package(app=RUNTIME)}, Timeout=20)
    event = {"parts": [text("x", 1024 * 1024), 1, text("y", 1024 * 1024), text("end")]}
    answer = aws.client("lambda").invoke_with_response_stream(FunctionName="f", Payload=json.dumps(event).encode())
    next(iter(answer["EventStream"]))
    answer["EventStream"].close()
    assert is_logged(aws, "streamed"), "the function did not get to its end"


def is_logged(aws: Account, pattern: str) -> bool:
    """Whether the function logs it soon."""
    logs = aws.client("logs")
    for _ in range(100):
        with contextlib.suppress(logs.exceptions.ResourceNotFoundException):  # until something is logged
            if logs.filter_log_events(logGroupName="/aws/lambda/f", filterPattern=pattern)["events"]:
                return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("way", ["invoke", "url", "url with a prelude"])
def test_the_function_goes_on_when_its_caller_leaves_before_it_answers(aws: Account, way: str) -> None:
    """A connection that is reset before the head of the answer is written: the rest goes to waste all the same."""
    aws.create(Code={"ZipFile": package(app=RUNTIME)}, Timeout=6)
    event: dict[str, Any] = {"silent_s": 2, "parts": [text("x", 8 * 1024 * 1024), text("end")]}
    path, headers = "/2021-11-15/functions/f/response-streaming-invocations", {}
    if way != "invoke":
        config = aws.client("lambda").create_function_url_config(
            FunctionName="f", AuthType="NONE", InvokeMode="RESPONSE_STREAM"
        )
        allow_everybody(aws)
        path, headers = "/", {"Host": urlsplit(config["FunctionUrl"]).netloc, "Content-Type": "application/json"}
    if way == "url with a prelude":
        event["type"] = "application/vnd.awslambda.http-integration-response"
        event["parts"].insert(0, text("{}" + "\0" * 8))
    request = AWSRequest("POST", aws.platform.url + path, data=json.dumps(event).encode(), headers=headers)
    if way == "invoke":
        SigV4Auth(Credentials(aws.id, "secret"), "lambda", "us-east-1").add_auth(request)
    where = urlsplit(aws.platform.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port or 0)
    connection.request("POST", path, request.data, dict(request.prepare().headers))
    assert is_logged(aws, "asked")
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    assert is_logged(aws, "streamed"), "the function did not get to its end"


def test_a_dry_run_streams_nothing(aws: Account) -> None:
    """204 and no event."""
    aws.create(Code={"ZipFile": package(app=PLAIN)})
    answer = aws.client("lambda").invoke_with_response_stream(FunctionName="f", InvocationType="DryRun")
    assert answer["StatusCode"] == 204


def visit(aws: Account, url: str, event: dict[str, Any]) -> tuple[http.client.HTTPResponse, list[tuple[float, bytes]]]:
    """The response to a visit, and its pieces with their moments."""
    where = urlsplit(aws.platform.url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port or 0, timeout=30)
    headers = {"Host": urlsplit(url).netloc, "Content-Type": "application/json"}
    connection.request("POST", "/", json.dumps(event).encode(), headers)
    answer = connection.getresponse()
    pieces = []
    while piece := answer.read1(65536):
        pieces.append((time.monotonic(), piece))
    connection.close()
    return answer, pieces


def test_a_function_url_streams_status_headers_and_body(aws: Account) -> None:
    """RESPONSE_STREAM: the prelude is status and headers; the body comes as it is written."""
    aws.create(Code={"ZipFile": package(app=RUNTIME)}, Timeout=20)
    config = aws.client("lambda").create_function_url_config(
        FunctionName="f", AuthType="NONE", InvokeMode="RESPONSE_STREAM"
    )
    allow_everybody(aws)
    prelude = json.dumps({"statusCode": 201, "headers": {"Content-Type": "text/plain", "X-Made": "yes"}})
    event = {
        "type": "application/vnd.awslambda.http-integration-response",
        "parts": [text(prelude), text("\0" * 8), text("one"), 2, text("two")],
    }
    answer, pieces = visit(aws, config["FunctionUrl"], event)
    assert (answer.status, answer.getheader("X-Made"), answer.getheader("Content-Type")) == (201, "yes", "text/plain")
    assert b"".join(piece for _, piece in pieces) == b"onetwo"
    assert pieces[-1][0] - pieces[0][0] > 1.5
    answer, pieces = visit(aws, config["FunctionUrl"], {"type": "text/html", "parts": [text("<p>")]})
    assert (answer.status, answer.getheader("Content-Type"), pieces[0][1]) == (200, "text/html", b"<p>")
    endless = {"type": event["type"], "parts": [text(" ", 6_000_000)]}
    answer, pieces = visit(aws, config["FunctionUrl"], endless)
    assert (answer.status, pieces[0][1]) == (502, b"Internal Server Error")  # as any prelude that is malformed
