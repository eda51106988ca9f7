"""The messages between Lambda's go1.x runtime and a function: net/rpc's envelope, Function.Ping, Function.Invoke.

aws-lambda-go: lambda/messages/messages.go, the same from v1.0.0 on. Go: net/rpc, Request and Response.
"""

import json
from collections.abc import Mapping

from undercast.sandbox.gorpc.gob import BYTES, INT, STRING, UINT, GobError, Struct, Value
from undercast.sandbox.runtime_api import RuntimeEvent
from undercast.sandbox.runtime_messages import Answer

REQUEST = Struct("Request", (("ServiceMethod", STRING), ("Seq", UINT)))
PING_REQUEST = Struct("PingRequest", ())
_TIMESTAMP = Struct("InvokeRequest_Timestamp", (("Seconds", INT), ("Nanos", INT)))
INVOKE_REQUEST = Struct(
    "InvokeRequest",
    (
        ("Payload", BYTES),
        ("RequestId", STRING),
        ("XAmznTraceId", STRING),
        ("Deadline", _TIMESTAMP),
        ("InvokedFunctionArn", STRING),
        ("CognitoIdentityId", STRING),
        ("CognitoIdentityPoolId", STRING),
        ("ClientContext", BYTES),
    ),
)


def invoke_request(event: RuntimeEvent) -> Mapping[str, object]:
    """The event as Function.Invoke takes it."""
    seconds, milliseconds = divmod(event.deadline_ms, 1000)
    return {
        "Payload": event.payload,
        "RequestId": event.request_id,
        "XAmznTraceId": event.trace_header,
        "Deadline": {"Seconds": seconds, "Nanos": milliseconds * 1_000_000},
        "InvokedFunctionArn": event.invoked_arn,
        "ClientContext": event.client_context.encode(),
    }


def answer(response: Mapping[str, Value], limit_bytes: int) -> tuple[Answer, bool]:
    """InvokeResponse as the function's answer, and whether the process must end (it has panicked)."""
    error = response.get("Error")
    if isinstance(error, dict):
        body = json.dumps(_error(error), ensure_ascii=False, separators=(",", ":")).encode()
        return Answer(body, str(error.get("Type", "")), len(body) > limit_bytes), error.get("ShouldExit") is True
    payload = response.get("Payload", b"")
    if not isinstance(payload, bytes):
        raise GobError("the payload is no bytes")
    return Answer(payload, None, len(payload) > limit_bytes), False


def _error(error: Mapping[str, Value]) -> dict[str, object]:
    """As the JSON tags of InvokeResponse_Error name it."""
    told: dict[str, object] = {"errorMessage": error.get("Message", ""), "errorType": error.get("Type", "")}
    frames = error.get("StackTrace")
    if isinstance(frames, list) and frames:
        told["stackTrace"] = [
            {"path": frame.get("Path", ""), "line": frame.get("Line", 0), "label": frame.get("Label", "")}
            for frame in frames
            if isinstance(frame, dict)
        ]
    return told
