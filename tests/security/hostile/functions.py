"""The hostile functions: what each does, and what it gets.

AWS: Lambda Developer Guide, "Troubleshoot invocation issues", "Lambda quotas" (payloads, file descriptors, processes).
"""

from dataclasses import dataclass

KILLED = "Runtime exited with error: signal: killed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadly:
    """A function whose invocation fails: the error's type and what its message matches."""

    source: str
    error_type: str
    message: str
    timeout_s: int = 30
    """Short where the timeout is the point, long where the CPU share of 128 MB needs its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmless:
    """A function that gets an answer, because its attack ends at the sandbox's limits."""

    source: str
    answer: object


def _endless(statements: str) -> Deadly:
    return Deadly(
        source=statements,
        error_type="Sandbox.Timedout",
        message=r"Task timed out after 1\.00 seconds$",
        timeout_s=1,
    )


DEADLY = {
    "endless loop": _endless("def handler(e, c):\n    while True:\n        pass\n"),
    "sleeper": _endless("import time\ndef handler(e, c):\n    time.sleep(99)\n"),
    "ignores SIGTERM": _endless(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ndef handler(e, c):\n    time.sleep(99)\n"
    ),
    "memory bomb": Deadly(
        source="def handler(e, c):\n    kept = []\n    while True:\n        kept.append(bytearray(8 << 20))\n",
        error_type="Runtime.ExitError",
        message=KILLED,
    ),
    "os._exit": Deadly(
        source="import os\ndef handler(e, c):\n    os._exit(3)\n",
        error_type="Runtime.ExitError",
        message="Runtime exited with error: exit status 3",
    ),
    "unhandled exception": Deadly(
        source="def handler(e, c):\n    return 1 / 0\n", error_type="ZeroDivisionError", message="^division by zero$"
    ),
    "segfault": Deadly(
        source="import ctypes\ndef handler(e, c):\n    ctypes.string_at(0)\n",
        error_type="Runtime.ExitError",
        message="Runtime exited with error: signal: segmentation fault",
    ),
    "abort": Deadly(
        source="import os\ndef handler(e, c):\n    os.abort()\n",
        error_type="Runtime.ExitError",
        message="Runtime exited with error: signal: aborted",
    ),
    "answers 7 MB": Deadly(
        source="def handler(e, c):\n    return 'x' * (7 << 20)\n",
        error_type="Function.ResponseSizeTooLarge",
        message=r"Response payload size exceeded maximum allowed payload size \(6291556 bytes\)\.",
    ),
}

HARMLESS = {
    "fork bomb": Harmless(
        source=(
            "import os, time\n"
            "def handler(e, c):\n"
            "    made = 0\n"
            "    try:\n"
            "        for made in range(5000):\n"
            "            if os.fork() == 0:\n"
            "                time.sleep(60)\n"
            "                os._exit(0)\n"
            "    except OSError as error:\n"
            "        return [made < 1024, error.errno]\n"
            "    return [made, 0]\n"
        ),
        answer=[True, 11],
    ),
    "writes outside its folder": Harmless(
        source=(
            "def handler(e, c):\n"
            "    found = []\n"
            "    for path in ('/var/task/x', '/etc/x', '/usr/x', '/x', '/var/runtime/x', '/opt/x', '/proc/sys/x'):\n"
            "        try:\n"
            "            open(path, 'w').close()\n"
            "            found.append(path)\n"
            "        except OSError:\n"
            "            pass\n"
            "    return found\n"
        ),
        answer=[],
    ),
    "reads the host's files": Harmless(
        source=(
            "import os\n"
            "def handler(e, c):\n"
            "    wanted = ['/etc/shadow', '/home', '/proc/1/environ', '/var/lib', '/sys/fs/cgroup'] + e['paths']\n"
            "    found = []\n"
            "    for path in wanted:\n"
            "        try:\n"
            "            found += [path] if (os.listdir(path) if os.path.isdir(path) else open(path).read()) else []\n"
            "        except OSError:\n"
            "            pass\n"
            "    return [path for path in found if path != '/proc/1/environ']\n"
        ),
        answer=[],
    ),
    "closes its pipes": Harmless(
        source="import os\ndef handler(e, c):\n    os.close(1)\n    os.close(2)\n    return 'closed'\n", answer="closed"
    ),
}

FULL_TMP = """
import time

def handler(event, context):
    try:
        with open("/tmp/big", "wb") as file:
            for _ in range(600):
                file.write(bytes(1 << 20))
    except OSError as error:
        return error.errno
    time.sleep(20)
    return "600 MB are there"
"""

THIEF = """
import os, glob, boto3

def handler(event, context):
    seen = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            seen.append(open(path, "rb").read().decode(errors="replace"))
        except OSError:
            pass
    answers = [event["secret"] in "".join(seen)]
    for key in event["keys"]:
        sts = boto3.client("sts", aws_access_key_id=key[0], aws_secret_access_key=key[1], aws_session_token=key[2])
        try:
            answers.append(sts.get_caller_identity()["Arn"])
        except Exception as error:
            answers.append(error.response["Error"]["Code"])
    return answers
"""

NAMES = """
import socket, struct, time

question = struct.pack(">HHHHHH", 1, 256, 1, 0, 0, 0) + b"\\7example\\3com\\0" + struct.pack(">HH", 1, 1)

def handler(event, context):
    answers, began = 0, time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setblocking(False)
        asking.connect(("127.0.0.1", 53))
        for _ in range(event["questions"]):
            for step in (lambda: asking.send(question), lambda: len(asking.recv(512))):
                try:
                    answers += step() > len(question)
                except BlockingIOError:
                    pass
        took = time.monotonic() - began
    return answers, took, socket.gethostbyname("example.com")
"""

LOOP = """
import boto3

def handler(event, context):
    record = event["Records"][0]["s3"]
    boto3.client("s3").put_object(Bucket=record["bucket"]["name"], Key=record["object"]["key"] + "x")
"""

THROWN = 1000
BOMB = """
import boto3, json
from concurrent.futures import ThreadPoolExecutor

client = boto3.client("lambda")

def throw(number):
    client.invoke(FunctionName="sink", InvocationType="Event", Payload=json.dumps({"n": number}))

def handler(event, context):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(throw, range(event["thrown"])))
    return "thrown"
"""
SINK = "def handler(event, context):\n    print('caught', event['n'])\n"
TWO_NEXTS = """
import socket

HEAD = "%s /2018-06-01/runtime/invocation/%s HTTP/1.1\\r\\nHost: h\\r\\nUndercast-If-Accepted: 1\\r\\n%s\\r\\n"
NEXT = (HEAD % ("GET", "next", "")).encode()

class Asking:
    def __init__(self):
        self.connection = socket.create_connection(("127.0.0.1", 9001))
        self.file = self.connection.makefile("rb")

    def read(self):
        if not self.file.readline():
            raise ConnectionError("cut off")
        headers = {}
        while (line := self.file.readline()) != b"\\r\\n":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        self.file.read(int(headers["content-length"]))
        return headers

    def ask(self, data):
        self.connection.sendall(data)
        return self.read()["lambda-runtime-aws-request-id"]

    def answer(self, request_id, text):
        length = "Content-Length: %d\\r\\n" % len(text)
        self.connection.sendall((HEAD % ("POST", request_id + "/response", length) + text).encode())
        self.read()

def handler(event, context):
    asking = Asking()
    asking.answer(asking.ask(NEXT), '"answered"')
    seen = "served"
    try:
        request_id = asking.ask(NEXT * 2)
    except OSError:
        seen = "cut off"
    another = asking if seen == "served" else Asking()
    if seen == "cut off":
        request_id = another.ask(NEXT)
    another.answer(request_id, '"%s"' % seen)
    another.connection.shutdown(socket.SHUT_RDWR)
    last = Asking()
    last.answer(last.ask(NEXT), '"answered"')
"""
"""Asks twice in one packet, on a connection of its own which it then ends. Its runtime's is never answered."""
