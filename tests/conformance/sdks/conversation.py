"""AWS's other SDKs as clients of the wire alone: each case is one call, answered with a value made from the model.

No services: a request is verified, decoded and parsed as the gateway does, then answered by `encode_output` or
`encode_error`. AWS: the SDKs are generated from the same models as botocore, with stricter parsers.
"""

import asyncio
import json
import os
import socket
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.conformance.sdks.programs import Sdk
from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest, HttpResponse
from undercast.http.listener import Listener
from undercast.wire.decode import decode, parse
from undercast.wire.encode import encode_error, encode_output
from undercast.wire.sigv4 import verify
from undercast.wire.verified import verified_body

REQUEST_ID = "9a0f3c1e-0000-4000-8000-1d2e3f4a5b6c"
SECRET = "secret"
PATIENCE_S = 100.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One call of a client and what it is answered with."""

    service: str
    operation: str
    input: Mapping[str, Any]
    output: Mapping[str, Any] = field(default_factory=dict)
    events: str | None = None
    """The output member that is an event stream, given as a list."""
    error: ServiceError | None = None


@dataclass(slots=True, kw_only=True)
class Heard:
    """What the server understood of one call."""

    service: str = ""
    operation: str = ""
    protocol: str = ""
    params: Any = None
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A case, how it arrived, and what the client printed of its result."""

    case: Case
    heard: Heard | None
    result: Mapping[str, Any]


class Answers:
    """The handler: the header x-case says which case a request belongs to."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self.cases = cases
        self.heard: dict[int, Heard] = {}

    async def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer one request."""
        number = int(request.headers["x-case"])
        case, heard = self.cases[number], self.heard.setdefault(number, Heard())
        call = None
        try:
            call = decode(request)
            key = verify(call, SECRET, time.time()) if call.signature else None
            call, params = await parse(call, verified_body(call, key))
            heard.service, heard.operation, heard.protocol = call.service, call.operation, call.protocol
            heard.params = await plain(params)
        except ServiceError as error:
            heard.refusal = f"{error.code}: {error.message}"
            return encode_error(call, request, error, REQUEST_ID)
        if case.error is not None:
            return encode_error(call, request, case.error, REQUEST_ID)
        output = dict(case.output)
        if case.events:
            output[case.events] = each(output[case.events])
        return encode_output(call, output, REQUEST_ID)


async def each(items: list[Any]) -> AsyncIterator[Any]:
    """An output event stream, as an operation gives it."""
    for item in items:
        yield item


async def plain(value: Any) -> Any:
    """Streams as what they hold."""
    if isinstance(value, BodyStream):
        return await value.read()
    if isinstance(value, AsyncIterator):
        return [item async for item in value]
    if isinstance(value, dict):
        return {name: await plain(item) for name, item in value.items()}
    return value


async def converse(sdk: Sdk, cases: Sequence[Case], protocol: str | None = None) -> list[Exchange]:
    """Run a client program over the cases. Raises AssertionError when it does not answer each."""
    listening = socket.create_server(("127.0.0.1", 0))
    answers = Answers(cases)
    listener = Listener(listening, answers)
    listener.start()
    try:
        endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
        described_cases = [described(number, case) for number, case in enumerate(cases)]
        said = await run(sdk, {"endpoint": endpoint, "protocol": protocol, "cases": described_cases})
    finally:
        await listener.close(0)
    results = {result["id"]: result for result in map(json.loads, lines_of(said))}
    assert set(results) == set(range(len(cases)))
    return [
        Exchange(case=case, heard=answers.heard.get(number), result=results[number])
        for number, case in enumerate(cases)
    ]


async def run(sdk: Sdk, work: Mapping[str, Any]) -> bytes:
    """The standard output of a client program. Raises AssertionError with its complaint."""
    process = await asyncio.create_subprocess_exec(
        *sdk.command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **sdk.environment},
    )
    try:
        said, complaint = await asyncio.wait_for(process.communicate(json.dumps(work).encode()), PATIENCE_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaint.decode(errors="replace")
    return said


def lines_of(said: bytes) -> list[bytes]:
    """The client's own lines: Go's SDK prints the query of one service as well."""
    return [line for line in said.splitlines() if line.startswith(b'{"')]


def described(number: int, case: Case) -> dict[str, Any]:
    """A case as its client reads it."""
    return {"id": number, "service": case.service, "operation": case.operation, "input": tagged(case.input)}


def tagged(value: Any) -> Any:
    """botocore's values as JSON: times and blobs say what they are."""
    if isinstance(value, datetime):
        return {"$time": (value - _EPOCH) // timedelta(milliseconds=1)}
    if isinstance(value, bytes):
        return {"$blob": b64encode(value).decode()}
    if isinstance(value, Mapping):
        return {name: tagged(item) for name, item in value.items()}
    if isinstance(value, list):
        return [tagged(item) for item in value]
    return value
