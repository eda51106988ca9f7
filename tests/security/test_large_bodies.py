"""Large bodies of people who may do nothing cost neither memory nor anybody's time.

AWS: each service's quota of a request; what is larger is refused while it is read.
"""

import http.client
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import psutil
import pytest

from tests.platform import RunningPlatform
from undercast.wire.bodies import OPERATION_BYTES, UNSIGNED_BYTES

MIB = 1024 * 1024


def send(platform: RunningPlatform, size: int, headers: dict[str, str]) -> tuple[int, bytes]:
    """Post so many bytes; the answer may come before the last of them."""
    address = urlsplit(platform.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.sendall(f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n{head}\r\n".encode())
        try:
            for _ in range(size // 65_536):
                connection.sendall(b"a" * 65_536)
        except OSError:
            pass  # the platform reads no more of it
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.read()


def test_unsigned_forms_are_not_gathered(platform: RunningPlatform) -> None:
    """As a web page, or a function, can send them to a name of this machine."""
    process = psutil.Process(platform.process.pid)
    before = process.memory_info().rss
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    with ThreadPoolExecutor(12) as senders:
        answers = list(senders.map(lambda _: send(platform, 24 * MIB, form), range(12)))
    assert {status for status, _ in answers} == {413}
    assert str(UNSIGNED_BYTES).encode() in answers[0][1]
    assert process.memory_info().rss - before < 12 * 4 * UNSIGNED_BYTES


@pytest.mark.parametrize(("unit", "count"), [("{},", 2_000_000), ('{"a":[[[[1]]]]},', 40_000)])
def test_a_document_of_many_parts_holds_nobody_up(platform: RunningPlatform, unit: str, count: int) -> None:
    """It is parsed in pieces: health is asked again and again meanwhile."""
    platform.client("dynamodb").list_tables()  # its model is read
    document = ('{"x":[' + unit * count + "0]}").encode()
    assert len(document) < OPERATION_BYTES
    with ThreadPoolExecutor(1) as sender:
        sent = sender.submit(_list_tables, platform, document)
        begun, waits = time.monotonic(), []
        while not sent.done():
            asked = time.monotonic()
            platform.ask("/_undercast/health")
            waits.append(time.monotonic() - asked)
        took = time.monotonic() - begun
    assert sent.result() == 200
    assert max(waits) < took / 2, f"of {took} s the event loop stood still for {max(waits)}"


def _list_tables(platform: RunningPlatform, document: bytes) -> int:
    client = platform.client("dynamodb")

    def replace(request: object, **_: object) -> None:
        request.data = document  # type: ignore[attr-defined]

    client.meta.events.register("before-sign.dynamodb.ListTables", replace)
    assert json.loads(document[:6] + b"0]}") == {"x": [0]}
    status: int = client.list_tables()["ResponseMetadata"]["HTTPStatusCode"]
    return status
