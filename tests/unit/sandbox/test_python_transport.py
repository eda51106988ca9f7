"""Our `runtime_client` beside awslambdaric's compiled one: the same calls, requests, answers, errors and log line."""

import json
import re
import subprocess
import sys
from pathlib import Path

import awslambdaric
import pytest

from undercast.sandbox.client import runtime_client

AWS, OURS = Path(awslambdaric.__file__).parents[1], Path(runtime_client.__file__).parent
OK = b"HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n" + b'{"status":"OK"}\n'
EVENT = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: id\r\n"
    b"Lambda-Runtime-Deadline-Ms: 1796061474540\r\nLambda-Runtime-Invoked-Function-Arn: arn\r\n"
)
BESIDE = (
    b'Lambda-Runtime-Trace-Id:   Root=1-2;Sampled=0  \r\nLambda-Runtime-Client-Context: {"k": "\xc3\xbc"}\r\n'
    b"Lambda-Runtime-Cognito-Identity: \r\nlambda-runtime-aws-tenant-id: t\r\nLambda-Runtime-Invocation-Id: i\r\n"
)
CHUNKED = EVENT + b"Transfer-Encoding: chunked\r\n\r\n"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\n"
ENDING = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
CALLS: tuple[tuple[str, list[str | None], bytes | tuple[bytes | None, ...] | None], ...] = (
    ("next", [], EVENT + b"Content-Length: 2\r\n\r\n{}"),
    ("post_invocation_result", ["id", '{"x": "\u00fc"}', "application/json", None], OK),
    ("next", [], EVENT + BESIDE + b"Content-Length: 0\r\n\r\n"),
    ("post_invocation_result", ["id", "x" * 100_000, "application/unknown", "i"], OK),
    ("next", [], EVENT + b"Content-Length: 100000\r\n\r\n" + b"y" * 100_000),
    ("post_invocation_result", ["id", "", "", None], OK),
    ("post_error", ["id", '{"errorMessage": "\u00fc"}', '{"cause": 1}', None], OK),
    ("post_error", ["id", "{}", "", "i"], OK),
    ("post_error", ["id", "{}", "", None], b"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nwhy?"),
    ("post_invocation_result", ["id", "{}", "", None], b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"),
    ("post_invocation_result", ["id", "{}", "", None], b"HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\n{}"),
    ("post_invocation_result", ["id", "{}", "", None], None),
    ("post_error", ["id", "{}", "", None], OK),
    ("next", [], ENDING + EVENT[17:] + b"Content-Length: 2\r\n\r\n{}"),
    ("post_invocation_result", ["id", "{}", "", None], ENDING + OK[23:]),
    ("next", [], b"HTTP/1.0" + EVENT[8:] + b"Content-Length: 2\r\n\r\n{}"),
    ("post_error", ["id", "{}", "", None], OK),
    ("next", [], CHUNKED + b"2;a=b\r\n{}\r\n0\r\n\r\n"),
    (
        "next",
        [],
        CHUNKED + b"1\r\n[\r\n1869F\r\n" + b"z" * 99_999 + b"\r\n0A\r\n123456789]\r\n0\r\n" + BESIDE + b"\r\n",
    ),
    ("next", [], CHUNKED + b"0\r\n\r\n"),
    (
        "post_invocation_result",
        ["id", "{}", "", None],
        ACCEPTED + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ),
    ("post_invocation_result", ["id", "{}", "", None], b"HTTP/1.1 204 No Content\r\n\r\n"),
    ("next", [], ENDING + EVENT[17:] + b"\r\n" + b"u" * 100_000),
    ("post_invocation_result", ["id", "{}", "", None], ENDING + b"\r\n{}"),
    ("next", [], EVENT + b"Undercast-Test: ends\r\n\r\n{}"),
    ("next", [], b"HTTP/1.0" + EVENT[8:] + b"\r\n[]"),
    ("post_error", ["id", "{}", "", None], OK),
    ("next", [], (None, EVENT + b"Content-Length: 2\r\n\r\n{}")),
    ("post_invocation_result", ["id", "{}", "", None], OK),
    ("next", [], (None, EVENT + b"Content-Length: 2\r\n\r\n[]")),
    ("post_error", ["id", "{}", "", None], OK),
    ("post_invocation_result", ["id", "{}", "", None], None),
    ("next", [], EVENT + b"Content-Length: 2\r\n\r\n{}"),
    ("post_error", ["id", "{}", "", None], None),
)
"""What a runtime asks, and what it is answered; None: its connection is closed, as it is behind an answer that
says so; two: it asks again.
AWS's module dies by a segmentation fault where a `next` fails, or where an event lacks a header that Lambda always
sends: that is left out."""
ANSWERS = [one for _, _, answer in CALLS for one in (answer if isinstance(answer, tuple) else (answer,))]
CLIENT = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
import runtime_client
runtime_client.initialize_client("agent/1")
for name, given in json.load(sys.stdin):
    if name == "post_invocation_result":
        given[1] = given[1].encode()
    try:
        seen = getattr(runtime_client, name)(*given)
    except RuntimeError as error:
        seen = repr(error)
    if isinstance(seen, tuple):
        seen = [hash_of(seen[0]) if len(seen[0]) > 99 else seen[0].decode(), sorted(seen[1].items())]
    print(json.dumps(seen), flush=True)
"""
SERVER = """
import re, socket, sys
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
answers = [bytes.fromhex(line.strip()) for line in sys.stdin]
buffer, connection = b"", None
for answer in answers:
    if connection is None:
        connection, buffer = listening.accept()[0], b""
    while b"\\r\\n\\r\\n" not in buffer:
        data = connection.recv(65536)
        if not data:  # AWS's module has another connection behind each error
            connection = listening.accept()[0]
        buffer += data
    head, _, buffer = buffer.partition(b"\\r\\n\\r\\n")
    length = re.search(rb"(?i)content-length: (\\d+)", head)
    length = int(length[1]) if length else 0
    while len(buffer) < length:
        buffer += connection.recv(1 << 20)
    print(head, length, hash(buffer[:length]), flush=True)
    buffer = buffer[length:]
    connection.sendall(answer)
    if not answer or b"Connection: close" in answer or b"HTTP/1.0" in answer or b"Test: ends" in answer:
        connection.close()
        connection = None
"""


def observed(folder: Path) -> tuple[list[str], list[str]]:
    """What the function sees with what is written to its log, and what the Runtime API gets."""
    environment = {"PYTHONHASHSEED": "1"}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert server.stdout is not None
    port = int(server.stdout.readline())
    runtime = subprocess.Popen(
        [sys.executable, "-c", CLIENT.replace("hash_of", "hash"), str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**environment, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}"},
    )  # fmt: skip
    assert server.stdin is not None
    server.stdin.write("".join(f"{(answer or b'').hex()}\n" for answer in ANSWERS))
    server.stdin.close()
    try:
        seen, _ = runtime.communicate(json.dumps([(name, given) for name, given, _ in CALLS]), timeout=15)
    finally:
        runtime.kill()
        if runtime.returncode != 0:
            server.kill()
    asked = server.stdout.read().replace(f"127.0.0.1:{port}", "ADDRESS")
    server.stdout.close()
    assert (runtime.returncode, server.wait()) == (0, 0)
    return re.sub(r"\[\d{13}\]", "[TIME]", seen).splitlines(), asked.splitlines()


def test_our_transport_is_seen_as_awss() -> None:
    """awslambdaric cannot tell, nor can the Runtime API, nor who reads the log."""
    ours = observed(OURS)
    assert ours == observed(AWS)
    assert len(ours[0]) - sum(line.startswith("[ERROR] [TIME]") for line in ours[0]) == len(CALLS)
    assert len(ours[1]) == len(ANSWERS)
    assert json.loads(ours[0][0])[1][3] == ["Lambda-Runtime-Client-Context", None]


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nhi"], ids=["closed", "refused"]
)
def test_event_that_does_not_come_is_an_error(answer: bytes) -> None:
    """Where AWS's module dies by a segmentation fault ours raises what it was meant to raise."""
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdout is not None
    port = int(server.stdout.readline())
    assert server.stdin is not None
    server.stdin.write(answer.hex().encode() + b"\n")
    server.stdin.close()
    told = subprocess.run(
        [sys.executable, "-c", CLIENT, str(OURS)], input='[["next", []]]', capture_output=True, text=True, check=True,
        env={"AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{port}"},
    ).stdout  # fmt: skip
    server.stdout.close()
    assert server.wait() == 0
    assert json.loads(told) == "RuntimeError('Failed to get next')"


PIPE_BREAKS = """
import signal, socket, sys, threading
sys.path.insert(0, sys.argv[1])
import os
listening = socket.create_server(("127.0.0.1", 0))
os.environ["AWS_LAMBDA_RUNTIME_API"] = "127.0.0.1:%d" % listening.getsockname()[1]

def answer():
    connection = listening.accept()[0]
    connection.recv(65536)
    connection.sendall(bytes.fromhex(sys.argv[2]))
    connection.close()

server = threading.Thread(target=answer)
server.start()
if sys.argv[3] == "awslambdaric":
    import runtime_client as client
    client._DIRECT = os.environ["AWS_LAMBDA_RUNTIME_API"]  # where it does not look first whether there is a connection
    client.initialize_client("agent/1")
    client.next()
else:
    import undercast_runtime_client, undercast_transport
    undercast_transport._DIRECT = os.environ["AWS_LAMBDA_RUNTIME_API"]
    client = undercast_runtime_client.LambdaRuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"])
    client.wait_next_invocation()
server.join()
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
try:
    client.post_invocation_result("id", bytes(16_000_000), "application/json")
except (RuntimeError, OSError) as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize(
    ("below", "error"), [("awslambdaric", {"RuntimeError"}), ("our own", {"BrokenPipeError", "ConnectionResetError"})]
)
def test_broken_connection_is_an_error_where_sigpipe_kills(below: str, error: set[str]) -> None:
    """A function may give SIGPIPE its default back, as scripts do that write into a pipe; curl sends without it."""
    told = subprocess.run(
        [sys.executable, "-c", PIPE_BREAKS, str(OURS), (EVENT + b"Content-Length: 2\r\n\r\n{}").hex(), below],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert told.stdout.strip() in error


OLDER_CLIENT = """
import json, sys
sys.path.insert(0, sys.argv[1])
import undercast_runtime_client
client = undercast_runtime_client.LambdaRuntimeClient(sys.argv[2])
for name, given in json.load(sys.stdin):
    try:
        if name == "next":
            headers, payload = client.wait_next_invocation()
            print(json.dumps([payload.decode(), sorted(headers)]), flush=True)
        else:
            print(client.post("invocation/id/response", given[1].encode()), flush=True)
    except (IOError, OSError) as error:
        print("failed", flush=True)
"""


def test_the_client_of_other_pythons_reads_the_same_answers() -> None:
    """In chunks, without a length, from HTTP/1.0, on a connection that a proxy has ended or ends while it is asked."""
    environment = {"PYTHONHASHSEED": "1"}
    with subprocess.Popen(
        [sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdin is not None and server.stdout is not None
        port = int(server.stdout.readline())
        server.stdin.write("".join(f"{(answer or b'').hex()}\n" for answer in ANSWERS))
        server.stdin.close()
        told = subprocess.run(
            [sys.executable, "-c", OLDER_CLIENT, str(OURS), f"127.0.0.1:{port}"], env=environment, text=True,
            input=json.dumps([(name, given) for name, given, _ in CALLS]), capture_output=True, timeout=15, check=False,
        )  # fmt: skip
        server.kill()
    assert told.returncode == 0, told.stderr
    seen = [line if line == "failed" else json.loads(line) for line in told.stdout.splitlines()]
    assert seen == [_expected(name, answer) for name, _, answer in CALLS]


def _expected(name: str, answer: bytes | tuple[bytes | None, ...] | None) -> object:
    last = answer[-1] if isinstance(answer, tuple) else answer
    if last is None:
        return "failed"
    head, _, body = last.partition(b"\r\n\r\n")
    if name != "next":
        return int(head[9:12])
    names = [line.partition(b":")[0].decode().lower() for line in head.split(b"\r\n")[1:]]
    if b"chunked" in head:
        parts = []
        while size := int(body.partition(b"\r\n")[0].partition(b";")[0], 16):
            parts.append(body.partition(b"\r\n")[2][:size])
            body = body.partition(b"\r\n")[2][size + 2 :]
        names += [line.partition(b":")[0].decode().lower() for line in body.split(b"\r\n")[1:] if line]
        body = b"".join(parts)
    return [body.decode(), sorted(set(names))]


BESIDE_A_SERVER = """
import os, socket, sys, threading, tracemalloc
sys.path.insert(0, sys.argv[1])
import runtime_client
listening = socket.create_server(("127.0.0.1", 0))
address = listening.getsockname()
os.environ["AWS_LAMBDA_RUNTIME_API"] = "%s:%d" % address

connections = []

def serve():
    while True:
        connection = listening.accept()[0]
        connections.append(connection)
        while head := connection.recv(65536):
            head, _, body = head.partition(b"\\r\\n\\r\\n")
            left = int(head.lower().partition(b"content-length: ")[2].split(b"\\r\\n")[0] or 0) - len(body)
            while left > 0:
                left -= len(connection.recv(min(left, 65536)))
            connection.sendall(bytes.fromhex(sys.argv[2 if head.startswith(b"GET") else 3]))

def descriptor():
    for number in range(3, 100):
        try:
            with socket.socket(fileno=os.dup(number)) as found:
                if found.getpeername() == address:
                    return number, found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        except OSError:
            continue

threading.Thread(target=serve, daemon=True).start()
runtime_client.initialize_client("agent/1")
runtime_client.next()
"""


def told_beside_a_server(script: str) -> str:
    """What a script prints that has had an event."""
    event = EVENT + b"Content-Length: 2\r\n\r\n{}"
    command = [sys.executable, "-c", BESIDE_A_SERVER + script, str(OURS), event.hex(), OK.hex()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=15).stdout.strip()


def test_a_small_packet_waits_for_no_other() -> None:
    """TCP_NODELAY, which libcurl sets, too, unless told otherwise (CURLOPT_TCP_NODELAY)."""
    assert told_beside_a_server("print(descriptor()[1] != 0)") == "True"


def test_a_large_answer_is_not_copied() -> None:
    """6 MB may be all that a function has left of its memory."""
    script = """
data = bytes(6_000_000)
tracemalloc.start()
runtime_client.post_invocation_result("id", data, "application/json")
print(tracemalloc.get_traced_memory()[1])
"""
    assert int(told_beside_a_server(script)) < 1_000_000


def test_connection_that_a_proxy_has_ended_is_not_asked_again() -> None:
    """Node's http.Server ends one that is idle for 5 s (server.keepAliveTimeout); libcurl looks before it asks."""
    script = """
import select
number = descriptor()[0]
connections[-1].shutdown(socket.SHUT_WR)
assert select.select([number], [], [], 10)[0]
told = runtime_client.post_invocation_result("id", b"{}", "application/json")
print(told, runtime_client.next()[0], len(connections))
"""
    assert told_beside_a_server(script) == "None b'{}' 2"


def test_a_connection_that_the_function_closed_is_an_error_once() -> None:
    """As it is where the Runtime API has closed it; the next call has another."""
    script = """
os.close(descriptor()[0])
try:
    runtime_client.post_invocation_result("id", b"{}", "application/json")
except RuntimeError as error:
    print(error)
print(runtime_client.next()[0])
"""
    assert told_beside_a_server(script) == "Failed to post invocation response\nb'{}'"


LATER = """
import os, re, socket, sys, threading
sys.path.insert(0, sys.argv[1])
import runtime_client
listening = socket.create_server(("127.0.0.1", 0))
os.environ["AWS_LAMBDA_RUNTIME_API"] = runtime_client._DIRECT = "127.0.0.1:%d" % listening.getsockname()[1]
EVENT, ACCEPTED = bytes.fromhex(sys.argv[2]), bytes.fromhex(sys.argv[3])
REFUSED = ACCEPTED.replace(b"202 Accepted", b"403 Forbidden")

def serve(*answers):
    '''Read whole requests, as many as each of the answers needs; tell what they were.'''
    connection, data = listening.accept()[0], b""
    for needed, answer in answers:
        for _ in range(needed):
            while b"\\r\\n\\r\\n" not in data:
                data += connection.recv(65536)
            head, _, data = data.partition(b"\\r\\n\\r\\n")
            length = int((re.search(rb"content-length: ([0-9]+)", head) or [0, 0])[1])
            while len(data) < length:
                data += connection.recv(65536)
            asked.append((head.split(b" ")[0].decode(), b"Undercast-If-Accepted: 1" in head))
            data = data[length:]
        connection.sendall(answer)

asked = []
def served(*answers):
    server = threading.Thread(target=serve, args=answers)
    server.start()
    runtime_client.initialize_client("agent/1")
    runtime_client.next()
    return server
"""


def told_by_the_platform_itself(script: str) -> list[str]:
    """What a script prints that has had an event where no proxy can be in between."""
    event = EVENT + b"Content-Length: 2\r\n\r\n{}"
    command = [sys.executable, "-c", LATER + script, str(OURS), event.hex(), OK.hex()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=15).stdout.splitlines()


def test_acceptance_of_an_answer_is_read_with_the_next_event() -> None:
    """The server sends both when it has both requests: who waited for the acceptance alone would wait for ever."""
    told = told_by_the_platform_itself("""
server = served((1, EVENT), (2, ACCEPTED + EVENT.replace(b"{}", b"[]")), (2, ACCEPTED[:9]), (0, ACCEPTED[9:] + EVENT))
runtime_client.post_invocation_result("id", b"{}", "application/json")
print(runtime_client.next()[0])
runtime_client.post_invocation_result("id", b"{}", "application/json")
print(runtime_client.next()[0])
server.join()
print(asked)
""")
    asked = [("GET", True), ("POST", False), ("GET", True), ("POST", False), ("GET", True)]
    assert told == ["b'[]'", "b'{}'", str(asked)]


def test_large_answer_and_error_are_accepted_before_the_runtime_goes_on() -> None:
    """Either may be refused for what it is."""
    told = told_by_the_platform_itself("""
server = served((1, EVENT), (1, REFUSED), (1, ACCEPTED), (1, REFUSED))
for post in (
    lambda: runtime_client.post_invocation_result("id", bytes(1_000_000), "application/json"),
    lambda: runtime_client.post_error("id", "{}", ""),
    lambda: runtime_client.post_error("id", "{}", ""),
):
    try:
        print(post())
    except RuntimeError as error:
        print(error)
server.join()
""")
    assert [line for line in told if line and not line.startswith("[ERROR]")] == [
        "Failed to post invocation response", "None", "Failed to post invocation error",
    ]  # fmt: skip


@pytest.mark.parametrize("again", ["next()", 'post_invocation_result("id", b"{}", "application/json")'])
def test_refusal_that_is_read_later_ends_the_runtime_all_the_same(again: str) -> None:
    """With the line in the log and the error that awslambdaric's own module has; the next event is not taken."""
    told = told_by_the_platform_itself(f"""
server = served((1, EVENT), ({2 if again == "next()" else 1}, REFUSED + EVENT))
runtime_client.post_invocation_result("id", b"{{}}", "application/json")
try:
    runtime_client.{again}
except RuntimeError as error:
    print(error)
server.join()
""")
    line = 'LAMBDA_RUNTIME Failed to post handler success response. Http response code: 403. {"status":"OK"}'
    assert [re.sub(r"\[\d{13}\] ", "", one) for one in told if one] == [
        f"[ERROR] {line}", "Failed to post invocation response",
    ]  # fmt: skip
