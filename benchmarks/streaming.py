"""From a handler's write to the first byte at the client: InvokeWithResponseStream through boto3.

The function speaks the Runtime API itself and streams the monotonic clock's reading, which is the machine's and so the
client's, too; it ends its answer a moment later, as one who still writes.
"""

import io
import statistics
import time
import zipfile
from typing import Any

CALLS = 100
FUNCTION = """
import http.client, os, socket, time

host, port = os.environ["AWS_LAMBDA_RUNTIME_API"].split(":")
BASE = "/2018-06-01/runtime/invocation/"
HEAD = (f"/response HTTP/1.1\\r\\nHost: {host}\\r\\nTransfer-Encoding: chunked\\r\\n"
        "Lambda-Runtime-Function-Response-Mode: streaming\\r\\nContent-Type: application/octet-stream\\r\\n\\r\\n")
link, api = socket.create_connection((host, int(port))), http.client.HTTPConnection(host, int(port))
link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
while True:
    api.request("GET", BASE + "next")
    got = api.getresponse()
    got.read()
    link.sendall(f"POST {BASE}{got.getheader('Lambda-Runtime-Aws-Request-Id')}{HEAD}".encode())
    now = b"%d" % time.monotonic_ns()
    link.sendall(b"%x\\r\\n%s\\r\\n" % (len(now), now))
    time.sleep(0.02)
    link.sendall(b"0\\r\\n\\r\\n")
    link.recv(4096)
"""


def measured(subject: Any, runtime: str, memory_mb: int) -> dict[str, float]:
    """p50 and least (ms) from the handler's write to the client's first byte."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", FUNCTION)
    name = subject.fresh("streams")
    subject.create(name, runtime, packed.getvalue(), "app.handler", MemorySize=memory_mb)
    client = subject.client("lambda")
    taken: list[float] = []
    for _ in range(CALLS):
        events = iter(client.invoke_with_response_stream(FunctionName=name)["EventStream"])
        first = next(events)
        arrived = time.monotonic_ns()
        taken.append((arrived - int(first["PayloadChunk"]["Payload"])) / 1e6)
        if "InvokeComplete" not in list(events)[-1]:
            raise RuntimeError(f"{name} did not end its answer")
    return {"stream_first_byte": statistics.median(taken[5:]), "stream_first_byte_min": min(taken)}
