"""Extensions that harm: ten subscribers who never read, who never ask and ignore their end.

AWS: Lambda Developer Guide, Telemetry API: what a slow subscriber cannot take is dropped to keep memory bounded.
"""

import io
import json
import zipfile

from tests.e2e.functions import create_function
from tests.e2e.sandbox.test_extensions import CLIENT
from tests.memory import Peak
from tests.platform import running
from tests.security.hostile.tables import await_same, one_environment, settled
from tests.security.hostile.test_log_flood import ALLOWED_GROWTH_KIB, FLOOD, GOOD, log_of

ACCOUNT = "000000000000"
LINES = 30_000
BLACK_HOLE = (
    CLIENT
    + """
import signal, socket, threading

signal.signal(signal.SIGTERM, signal.SIG_IGN)
hole = socket.create_server(("127.0.0.1", 0))
kept = []

def swallow():
    while True:
        kept.append(hole.accept())

threading.Thread(target=swallow, daemon=True).start()
identifier = register("SHUTDOWN")
body = {
    "schemaVersion": "2022-12-13",
    "types": ["platform", "function", "extension"],
    "buffering": {"maxBytes": 1048576, "timeoutMs": 25},
    "destination": {"protocol": "TCP", "port": hole.getsockname()[1]},
}
link = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
link.request("PUT", "/2022-07-01/telemetry", json.dumps(body), {"Lambda-Extension-Identifier": identifier})
say("subscribed %d" % link.getresponse().status)
while True:
    next_event(identifier)
"""
)


def layer() -> bytes:
    """Ten of them."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(10):
            entry = zipfile.ZipInfo(f"extensions/hole{number}")
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, BLACK_HOLE)
    return packed.getvalue()


def test_ten_subscribers_who_never_read_cost_bounded_memory() -> None:
    """A flood of log for all of them: the neighbour answers, memory is bounded, and nothing is left behind."""
    with running() as platform:
        create_function(platform, ACCOUNT, "good", GOOD)
        client = platform.client("lambda")
        client.invoke(FunctionName="good", Payload=b'{"n": 41}')
        tables = settled(platform)
        published = client.publish_layer_version(LayerName="holes", Content={"ZipFile": layer()})
        create_function(
            platform, ACCOUNT, "flood", FLOOD, Timeout=120, MemorySize=1769, Layers=[published["LayerVersionArn"]]
        )
        peak = Peak(platform.process.pid)
        answer = client.invoke(FunctionName="flood", Payload=json.dumps({"lines": LINES}))
        assert json.load(answer["Payload"]) == "written"
        neighbour = client.invoke(FunctionName="good", Payload=b'{"n": 41}')
        assert json.load(neighbour["Payload"]) == 42
        assert peak.grown_kib() < ALLOWED_GROWTH_KIB
        log = log_of(platform)
        assert sum(message.startswith("TELEMETRY\t") for message in log) == 10
        client.delete_function(FunctionName="flood")
        one_environment(platform, "good")
        await_same(platform, tables)
