"""Telemetry and Logs API subscriptions of scripted extensions, delivered to real listeners."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes import FakeClock
from tests.fakes_sandbox import Bench, Exit, FakeRuntime, Script, echo
from tests.unit.sandbox.conftest import StartBench
from tests.unit.sandbox.test_extensions import layer, until
from undercast.sandbox import telemetry_delivery
from undercast.sandbox.telemetry import Subscription, Telemetry
from undercast.sandbox.telemetry_api import Invalid, parse
from undercast.sandbox.telemetry_delivery import Budget, Delivery, Destination

TELEMETRY, LOGS = "/2022-07-01/telemetry", "/2020-08-15/logs"


class Listener:
    """An HTTP or TCP listener that keeps what it gets."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.batches: list[int] = []
        self.requests: list[str] = []
        self.refusals = 0
        """So many requests get a 500."""
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self, *, tcp: bool = False) -> None:
        """Listen on a free port."""
        serve = self._tcp if tcp else self._http
        self._server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = int(re.search(r"Content-Length: (\d+)", head)[1])  # type: ignore[index]
        body = await reader.readexactly(length)
        self.requests.append(head.partition("\r\n")[0])
        if self.refusals:
            self.refusals -= 1
            writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
        else:
            events = json.loads(body)
            self.batches.append(len(events))
            self.events.extend(events)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async def _tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            self.events.append(json.loads(line))
        writer.close()

    async def got(self, event_type: str, count: int = 1) -> None:
        """Wait for so many events of a type."""
        async with asyncio.timeout(5):
            while sum(event["type"] == event_type for event in self.events) < count:
                await asyncio.sleep(0.002)

    @property
    def types(self) -> list[str]:
        """Of the events, in order."""
        return [event["type"] for event in self.events]


StartListener = Callable[..., Awaitable[Listener]]


@pytest.fixture
async def listening() -> AsyncIterator[StartListener]:
    """`await listening(tcp=...)` gives a listener."""
    made: list[Listener] = []

    async def begin(*, tcp: bool = False) -> Listener:
        listener = Listener()
        await listener.start(tcp=tcp)
        made.append(listener)
        return listener

    yield begin
    for listener in made:
        listener.stop()


def request(port: int, *types: str, tcp: bool = False, version: str = "2022-12-13", **more: Any) -> dict[str, Any]:
    """A subscription with the shortest buffering time."""
    destination = {"protocol": "TCP", "port": port} if tcp else {
        "protocol": "HTTP", "URI": f"http://sandbox.localdomain:{port}/logs?x=1",
    }  # fmt: skip
    return {
        "schemaVersion": version,
        "types": list(types),
        "destination": destination,
        "buffering": {"timeoutMs": 25},
        **more,
    }


def subscriber(seen: list[Any], body: object, path: str = TELEMETRY) -> Script:
    """An extension that prints, registers, subscribes, and takes its events."""

    async def script(runtime: FakeRuntime) -> None:
        runtime.print("starting\n")
        await asyncio.sleep(0.02)
        identifier = await runtime.register("INVOKE", "SHUTDOWN")
        headers = {"Lambda-Extension-Identifier": identifier}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        status, _, text = await runtime.request("PUT", path, data, headers)
        seen.append((status, json.loads(text)))
        while (await runtime.event(identifier))["eventType"] != "SHUTDOWN":
            pass

    return script


async def chatty(runtime: FakeRuntime) -> None:
    """Prints a line in each invocation."""
    while True:
        request_id, body, _ = await runtime.next()
        runtime.print('{"level": "INFO", "n": 1}\n')
        await runtime.respond(request_id, body)


async def subscribed(start: StartBench, tmp_path: Path, runtime: Script, body: object, path: str = TELEMETRY) -> Bench:
    """A pool whose extension `x` subscribes."""
    made = await start(runtime)
    seen: list[Any] = []
    made.driver.extensions = {"x": subscriber(seen, body, path)}
    await made.pool.invoke(made.invocation(b"12345", request_id="r-1", layers=layer(tmp_path, "x")))
    assert seen == [(200, "OK")]
    await until(made, "REPORT RequestId: r-1")
    return made


async def test_events_come_in_order_over_http(start: StartBench, tmp_path: Path, listening: StartListener) -> None:
    """From platform.initStart on, though the extension subscribed later; each with time, type and record."""
    listener = await listening()
    body = request(listener.port, "platform", "function", "extension")
    made = await subscribed(start, tmp_path, chatty, body)
    await made.pool.stop()
    assert listener.requests[0] == "POST /logs?x=1 HTTP/1.1"
    assert listener.types == [
        "platform.initStart",
        "extension",
        "platform.telemetrySubscription",
        "platform.initRuntimeDone",
        "platform.extension",
        "platform.initReport",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.report",
    ]
    assert all(re.fullmatch(r"2023-11-14T22:13:20\.000Z", event["time"]) for event in listener.events)
    records = {event["type"]: event["record"] for event in listener.events}
    arn = "arn:aws:lambda:us-east-1::runtime:provided.al2023"
    init = {"initializationType": "on-demand", "phase": "init"}
    assert records["platform.initStart"] == init | {"runtimeVersion": "fake:1", "runtimeVersionArn": arn}
    assert records["platform.initRuntimeDone"] == init | {"status": "success"}
    assert records["platform.initReport"]["metrics"]["durationMs"] > 0
    assert records["platform.extension"] == {"name": "x", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]}
    types = ["platform", "function", "extension"]
    assert records["platform.telemetrySubscription"] == {"name": "x", "state": "Subscribed", "types": types}
    assert records["platform.start"] == {"requestId": "r-1", "version": "$LATEST"}
    assert records["function"] == '{"level": "INFO", "n": 1}'
    assert records["extension"] == "starting"
    done = records["platform.runtimeDone"]
    assert (done["requestId"], done["status"], done["metrics"]["producedBytes"]) == ("r-1", "success", 5)
    assert [span["name"] for span in done["spans"]] == ["responseLatency", "responseDuration", "runtimeOverhead"]
    report = records["platform.report"]
    assert report["status"] == "success"
    assert set(report["metrics"]) == {
        "durationMs",
        "billedDurationMs",
        "memorySizeMB",
        "maxMemoryUsedMB",
        "initDurationMs",
    }
    line = "TELEMETRY\tName: x\tState: Subscribed\tTypes: [Platform, Function, Extension]\n"
    assert line in made.log.messages


async def test_events_come_over_tcp(start: StartBench, tmp_path: Path, listening: StartListener) -> None:
    """NDJSON on one connection; only the types that were asked for."""
    listener = await listening(tcp=True)
    made = await subscribed(start, tmp_path, chatty, request(listener.port, "function", tcp=True))
    await made.pool.invoke(made.invocation(request_id="r-2", layers=(tmp_path / "layer",)))
    await made.pool.stop()
    await listener.got("function", 2)  # over TCP nobody says that it has read
    assert listener.types == ["function", "function"]


@pytest.mark.parametrize("version", ["2020-08-15", "2021-03-18"])
async def test_logs_api(start: StartBench, tmp_path: Path, listening: StartListener, version: str) -> None:
    """The older API has no INIT events; runtimeDone with the schema of 2021-03-18; PUT where it is asked for."""
    listener = await listening()
    body = request(listener.port, "platform", version=version)
    body["destination"]["method"] = "PUT"
    made = await subscribed(start, tmp_path, echo, body, LOGS)
    await made.pool.stop()
    assert listener.requests[0] == "PUT /logs?x=1 HTTP/1.1"
    done = ["platform.runtimeDone"] if version == "2021-03-18" else []
    assert listener.types == [
        "platform.logsSubscription",
        "platform.extension",
        "platform.start",
        *done,
        "platform.end",
        "platform.report",
    ]


async def test_failed_invocations_are_told(start: StartBench, tmp_path: Path, listening: StartListener) -> None:
    """runtimeDone and report say error and its type; the extension gets them before it ends."""

    async def crash(runtime: FakeRuntime) -> None:
        await runtime.next()
        raise Exit(1)

    listener = await listening()
    await subscribed(start, tmp_path, crash, request(listener.port, "platform"))
    await listener.got("platform.report")
    failed = {"status": "error", "errorType": "Runtime.ExitError"}
    told = [event for event in listener.events if event["type"] in ("platform.runtimeDone", "platform.report")]
    assert [event["type"] for event in told] == ["platform.runtimeDone", "platform.report"]
    for event in told:
        assert {key: event["record"][key] for key in failed} == failed


async def test_refused_batches_are_repeated(start: StartBench, tmp_path: Path, listening: StartListener) -> None:
    """With a pause, without loss, in order."""
    listener = await listening()
    listener.refusals = 2
    made = await subscribed(start, tmp_path, chatty, request(listener.port, "platform", "function"))
    await made.pool.stop()
    assert listener.types[:2] == ["platform.initStart", "platform.telemetrySubscription"]
    assert len(listener.types) == len(set(listener.types)) == 9


async def test_nothing_is_sent_to_a_frozen_environment(
    start: StartBench, tmp_path: Path, listening: StartListener
) -> None:
    """What is left waits for the next invocation, or for SHUTDOWN."""
    listener = await listening()
    body = request(listener.port, "platform", buffering={"timeoutMs": 300})
    made = await subscribed(start, tmp_path, echo, body)
    async with asyncio.timeout(5):
        while "freeze" not in made.driver.sandboxes[0].calls:
            await asyncio.sleep(0.002)
    await asyncio.sleep(0.5)
    assert listener.types == []
    await made.pool.stop()
    assert listener.types[-1] == "platform.report"


async def test_requests_that_are_refused(start: StartBench, tmp_path: Path, listening: StartListener) -> None:
    """ValidationError names each problem; the other API and the time behind INIT are closed."""
    listener = await listening()
    seen: list[Any] = []
    body = json.dumps(request(listener.port, "platform")).encode()

    async def script(runtime: FakeRuntime) -> None:
        identifier = await runtime.register("INVOKE", "SHUTDOWN")

        async def put(path: str, data: bytes, identifier: str = identifier) -> None:
            status, _, text = await runtime.request("PUT", path, data, {"Lambda-Extension-Identifier": identifier})
            seen.append((status, json.loads(text)))

        await put(TELEMETRY, body, "")
        await put(
            TELEMETRY,
            b'{"schemaVersion": "2022-07-01", "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain"}}',
        )
        await put(TELEMETRY, body)
        await put(TELEMETRY, body)
        await put(LOGS, body.replace(b"2022-12-13", b"2020-08-15"))
        await runtime.event(identifier)
        await put(TELEMETRY, body)
        await put(LOGS, body)
        await runtime.event(identifier)
        await asyncio.Event().wait()

    made = await start(echo)
    made.driver.extensions = {"x": script}
    await made.pool.invoke(made.invocation(layers=layer(tmp_path, "x")))
    async with asyncio.timeout(5):
        while len(seen) < 7:
            await asyncio.sleep(0.002)
    await made.pool.stop()
    assert [status for status, _ in seen] == [403, 400, 200, 200, 400, 403, 403]
    assert seen[0][1]["errorType"] == "Extension.MissingExtensionIdentifier"
    assert seen[1][1] == {
        "errorType": "ValidationError",
        "errorMessage": "URI port is not provided; types should not be empty",
    }
    assert seen[4][1]["errorType"] == "Logs.ValidationError"
    assert seen[5][1]["errorType"] == "Telemetry.SubscriptionClosed"
    assert seen[6][1]["errorType"] == "Logs.SubscriptionClosed"
    assert listener.types.count("platform.start") == 1
    assert listener.types.count("platform.telemetrySubscription") == 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"schemaVersion": "2021-01-01"}, "schemaVersion should be one of 2022-07-01, 2022-12-13, 2025-01-29"),
        ({"types": ["platform", "x"]}, "types should be among platform, function, extension"),
        ({"buffering": {"maxItems": 999}}, "maxItems should be between 1000 and 10000"),
        ({"buffering": {"maxBytes": 1048577}}, "maxBytes should be between 262144 and 1048576"),
        ({"buffering": {"timeoutMs": 24}}, "timeoutMs should be between 25 and 30000"),
        ({"buffering": {"timeoutMs": True}}, "timeoutMs should be between 25 and 30000"),
        ({"destination": {"protocol": "UDP"}}, "destination protocol should be HTTP or TCP"),
        ({"destination": {"protocol": "HTTP", "URI": "https://sandbox:1"}}, "URI should begin with http://"),
        ({"destination": {"protocol": "HTTP", "URI": "http://10.0.0.1:1"}}, "URI host should be sandbox.localdomain"),
        ({"destination": {"protocol": "HTTP", "URI": "http://sandbox:9001"}}, "port 9001 is reserved"),
        ({"destination": {"protocol": "HTTP", "URI": "http://sandbox:99999"}}, "URI is not valid"),
        ({"destination": {"protocol": "HTTP", "URI": "http://sandbox:80/a b"}}, "URI path is not valid"),
        ({"destination": {"protocol": "TCP", "port": 0}}, "port should be between 1 and 65535"),
        ({"destination": {"protocol": "TCP"}}, "port should be between 1 and 65535"),
    ],
)
def test_limits_of_a_subscription(change: dict[str, Any], problem: str) -> None:
    """Limits as the Telemetry API reference has them; ports and hosts of the environment only."""
    with pytest.raises(Invalid) as raised:
        parse("telemetry", json.dumps(request(8080, "platform") | change).encode())
    assert str(raised.value) == problem


async def test_slow_subscriber_costs_bounded_memory_and_is_told(listening: StartListener) -> None:
    """Beyond twice maxBytes events are dropped; platform.logsDropped counts them."""
    listener = await listening()
    listener.refusals = 3

    def dropped(records: int, size_bytes: int) -> bytes:
        record = {"droppedRecords": records, "droppedBytes": size_bytes}
        return json.dumps({"type": "platform.logsDropped", "record": record}).encode()

    budget = Budget()
    delivery = Delivery(Destination(protocol="HTTP", port=listener.port, timeout_s=0.025), _connect, dropped, budget)
    event = json.dumps({"type": "function", "record": "x" * 1000}).encode()
    for _ in range(5000):
        delivery.add(event)
    await asyncio.sleep(0)
    await listener.got("platform.logsDropped")
    kept = listener.types.count("function")
    told = next(event["record"] for event in listener.events if event["type"] == "platform.logsDropped")
    assert kept * len(event) <= 2 * 262_144
    assert told == {"droppedRecords": 5000 - kept, "droppedBytes": (5000 - kept) * len(event)}
    async with asyncio.timeout(5):
        while budget.held_bytes:
            await asyncio.sleep(0.001)
    delivery.close()


@pytest.mark.parametrize("tcp", [False, True])
async def test_flush_sends_what_came_while_the_batch_before_it_ended(listening: StartListener, tcp: bool) -> None:
    """A line of an invocation that ends at once is not lost when its environment does."""
    listener = await listening(tcp=tcp)
    destination = Destination(protocol="TCP" if tcp else "HTTP", port=listener.port, timeout_s=30.0)
    delivery = Delivery(destination, _connect, lambda *_: b"", Budget())
    event = json.dumps({"type": "function", "record": "x"}).encode()
    delivery.add(event)
    first = delivery.flush()
    assert first is not None
    async with asyncio.timeout(5):
        while not first.done():
            await asyncio.sleep(0)
    # Now its end is known, and its callbacks have not been called.
    delivery.add(event)
    second = delivery.flush()
    assert second is not None
    await asyncio.wait((second,), timeout=5)
    await listener.got("function", 2)
    delivery.close()


@pytest.mark.parametrize(
    ("each_wait", "in_time"),
    [
        ([["answer"]], True),
        ([[]], False),
        ([["freeze", "thaw"], ["answer"]], True),
        ([["freeze", "thaw"], []], False),
        ([["freeze", "thaw soon"], ["answer"]], True),
        ([["freeze", "thaw soon"], []], False),
    ],
)
async def test_the_time_in_which_a_subscriber_is_frozen_does_not_count(
    monkeypatch: pytest.MonkeyPatch, each_wait: list[list[str]], in_time: bool
) -> None:
    """Whoever was frozen within the time for an answer, or is when it ends, has all of it once more."""
    loop = asyncio.get_running_loop()
    delivery = Delivery(Destination(protocol="TCP", port=1), _no_connection, lambda *_: b"", Budget())
    answer: asyncio.Future[None] = loop.create_future()
    steps: dict[str, Callable[[], object]] = {
        "answer": lambda: answer.set_result(None), "freeze": delivery.freeze, "thaw": delivery.thaw,
        "thaw soon": lambda: loop.call_soon(delivery.thaw),
    }  # fmt: skip

    async def wait(futures: tuple[asyncio.Future[None]], *, timeout: float) -> None:
        for step in each_wait.pop(0):
            steps[step]()

    monkeypatch.setattr(telemetry_delivery, "asyncio", SimpleNamespace(**{**vars(asyncio), "wait": wait}))
    with nullcontext() if in_time else pytest.raises(TimeoutError):
        await delivery._while_thawed(answer)
    assert each_wait == []
    delivery.close()


async def test_a_batch_over_tcp_is_delivered_when_all_of_it_is_written() -> None:
    """Not while it waits for a subscriber that does not read: it would be lost with the connection."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    filled = 0
    with suppress(BlockingIOError):
        while True:
            filled += ours.send(b"x" * 65536)

    async def connect(port: int) -> socket.socket:
        return ours

    budget = Budget()
    delivery = Delivery(Destination(protocol="TCP", port=1, timeout_s=30.0), connect, lambda *_: b"", budget)
    delivery.add(b"event")
    sending = delivery.flush()
    assert sending is not None
    await asyncio.wait((sending,), timeout=0.2)
    assert (sending.done(), budget.held_bytes) == (False, 5)
    got = b""
    while not got.endswith(b"event\n"):
        got += await asyncio.wait_for(asyncio.get_running_loop().sock_recv(theirs, 1 << 20), 5)
    await asyncio.wait_for(sending, 5)
    assert (len(got), budget.held_bytes) == (filled + 6, 0)
    delivery.close()
    theirs.close()


async def test_subscribers_of_an_environment_share_a_budget() -> None:
    """Ten of them cannot make us keep ten times as much; what ends gives back what it held."""
    budget = Budget(limit_bytes=300_000)
    destination = Destination(protocol="TCP", port=1, timeout_s=30.0)
    deliveries = [Delivery(destination, _no_connection, lambda *_: b"", budget) for _ in range(10)]
    for delivery in deliveries:
        for _ in range(200):
            delivery.add(b"x" * 1000)
    assert budget.held_bytes == 300_000
    for delivery in deliveries:
        delivery.close()
    assert budget.held_bytes == 0


def test_telemetry_without_subscribers_is_off() -> None:
    """Telemetry that nobody subscribed to costs no event object in an invocation."""
    telemetry = Telemetry(_no_connection, FakeClock(), is_json=False)
    assert telemetry.active is False
    telemetry.restart()
    assert telemetry.active is True
    telemetry.close_subscriptions()
    assert telemetry.active is False


async def test_what_init_writes_is_kept_up_to_a_megabyte(monkeypatch: pytest.MonkeyPatch) -> None:
    """For who subscribes late; what is beyond it goes only to who has subscribed."""
    telemetry, got = _listening(monkeypatch, is_json=False)
    telemetry.lines("function", ["x" * 1024] * 2000)
    telemetry.subscribe("x", _subscription("2022-12-13"))
    assert len(got) == 1024
    telemetry.lines("function", ["late"])
    assert got[-1]["record"] == "late"
    telemetry.close()


@pytest.mark.parametrize(("version", "record"), [("2022-07-01", '{"a": 1}'), ("2022-12-13", {"a": 1})])
async def test_a_record_is_an_object_from_a_schema_version_on(
    monkeypatch: pytest.MonkeyPatch, version: str, record: object
) -> None:
    """AWS: with JSON logging, and schema version 2022-12-13 or later. An extension's record is text always."""
    telemetry, got = _listening(monkeypatch, is_json=True)
    telemetry.subscribe("x", _subscription(version))
    telemetry.lines("function", ['{"a": 1}\n'])
    telemetry.lines("extension", ['{"a": 1}\n'])
    assert [event["record"] for event in got] == [record, '{"a": 1}']
    telemetry.close()


def _subscription(version: str) -> Subscription:
    destination = Destination(protocol="TCP", port=1, timeout_s=30.0)
    types = ("function", "extension")
    return Subscription(api="telemetry", schema_version=version, types=types, destination=destination)


def _listening(monkeypatch: pytest.MonkeyPatch, *, is_json: bool) -> tuple[Telemetry, list[dict[str, Any]]]:
    """Telemetry in INIT, and what its subscribers are given."""
    got: list[dict[str, Any]] = []
    monkeypatch.setattr(Delivery, "add", lambda self, event: got.append(json.loads(event)))
    telemetry = Telemetry(_no_connection, FakeClock(), is_json=is_json)
    telemetry.restart()
    return telemetry, got


async def _connect(port: int) -> socket.socket:
    connection = socket.socket()
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
    return connection


async def _no_connection(port: int) -> socket.socket:
    raise ConnectionRefusedError
