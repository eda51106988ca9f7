"""Clients of the platform that is killed: each has a thread, works on names of its own and keeps the ledger.

A change is in the ledger as attempted before it is sent, as done once it is acknowledged. A broken connection ends the
client; an error from a platform that answers is a problem.
"""

import base64
import hashlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from tests.crash.function import EFFECTS, EVENTS, package
from tests.crash.ledger import Ledger

OBJECTS = "crash-objects"
LOG_GROUP = "crash"
ROLE = "arn:aws:iam::000000000000:role/crash"
EFFECT_FUNCTION = "effect"
MIB = 1024 * 1024
SETTLE_S = 300.0


@dataclass(frozen=True, kw_only=True)
class Clients:
    """Where the platform is, over all its lives; and what it has promised."""

    make: Callable[[str], Any]
    ledger: Ledger
    hashes: dict[str, str] = field(default_factory=dict)
    """CodeSha256 -> the revision that such a function returns."""

    @cached_property
    def s3(self) -> Any:
        """S3."""
        return self.make("s3")

    @cached_property
    def functions(self) -> Any:
        """Lambda."""
        return self.make("lambda")

    @cached_property
    def logs(self) -> Any:
        """CloudWatch Logs."""
        return self.make("logs")

    def code(self, revision: str) -> bytes:
        """A package, remembered by its hash."""
        content = package(revision)
        self.hashes[base64.b64encode(hashlib.sha256(content).digest()).decode()] = revision
        return content


class Worker:
    """One client. `work` is one change, told a number that counts up."""

    def __init__(self, clients: Clients, life: int, seed: int) -> None:
        self.name = type(self).__name__
        self.clients = clients
        self.ledger = clients.ledger
        self.life = life
        self.random = random.Random(f"{seed} {life} {self.name}")
        self.stopping = threading.Event()
        self.lost: Exception | None = None
        """The broken connection that ended it."""

    def run(self) -> None:
        """Until the platform is gone, or `stopping`."""
        number = 0
        try:
            while not self.stopping.is_set():
                number += 1
                self.work(number)
        except BotoCoreError as error:
            self.lost = error
        except ClientError as error:
            self.ledger.problems.append(f"{self.name} in life {self.life}: {error}")

    def work(self, number: int) -> None:
        """One change."""
        raise NotImplementedError

    def content(self, sizes: tuple[int, ...]) -> bytes:
        """A new body."""
        return self.random.randbytes(self.random.choice(sizes) + self.random.randrange(16))


class Putter(Worker):
    """Puts, overwrites and deletes objects, some of them by copy and batch delete."""

    sizes: tuple[int, ...] = (0, 900, 20_000)
    keys = 10

    def work(self, number: int) -> None:
        """See `Worker`."""
        key = f"{self.name}/{self.random.randrange(self.keys)}"
        choice = self.random.random()
        if choice < 0.2:
            self.ledger.will("object", key, None)
            self._remove(key, batch=choice < 0.05)
            self.ledger.done("object", key, None)
            return
        content = self.content(self.sizes)
        digest = hashlib.sha256(content).hexdigest()
        self.ledger.will("object", key, digest)
        self.clients.s3.put_object(Bucket=OBJECTS, Key=key, Body=content, Metadata={"digest": digest})
        self.ledger.done("object", key, digest)
        if choice > 0.9:
            copy = f"{key}-copy"
            self.ledger.will("object", copy, digest)
            self.clients.s3.copy_object(Bucket=OBJECTS, Key=copy, CopySource={"Bucket": OBJECTS, "Key": key})
            self.ledger.done("object", copy, digest)

    def _remove(self, key: str, *, batch: bool) -> None:
        if batch:
            self.clients.s3.delete_objects(Bucket=OBJECTS, Delete={"Objects": [{"Key": key}]})
        else:
            self.clients.s3.delete_object(Bucket=OBJECTS, Key=key)


class LargePutter(Putter):
    """The same with bodies that are files."""

    sizes = (40_000, 300_000, MIB, 3 * MIB)
    keys = 5


class Uploader(Worker):
    """Uploads in parts, completes or aborts; sometimes deletes what it has made."""

    def work(self, number: int) -> None:
        """See `Worker`."""
        s3 = self.clients.s3
        if number == 1:
            for left in s3.list_multipart_uploads(Bucket=OBJECTS).get("Uploads", ()):
                s3.abort_multipart_upload(Bucket=OBJECTS, Key=left["Key"], UploadId=left["UploadId"])
        key = f"{self.name}/{self.random.randrange(3)}"
        parts = [self.random.randbytes(5 * MIB), self.content((1000, 100_000))]
        digest = hashlib.sha256(b"".join(parts)).hexdigest()
        upload = {"Bucket": OBJECTS, "Key": key}
        upload["UploadId"] = s3.create_multipart_upload(**upload, Metadata={"digest": digest})["UploadId"]
        sent = [
            {"PartNumber": index, "ETag": s3.upload_part(**upload, PartNumber=index, Body=part)["ETag"]}
            for index, part in enumerate(parts, 1)
        ]
        if self.random.random() < 0.2:
            s3.abort_multipart_upload(**upload)
            return
        self.ledger.will("object", key, digest)
        s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": sent})
        self.ledger.done("object", key, digest)


class Owner(Worker):
    """Makes, tags and deletes buckets."""

    def work(self, number: int) -> None:
        """See `Worker`."""
        s3 = self.clients.s3
        name = f"crash-{self.random.randrange(4)}"
        if self.ledger.allowed["bucket"].get(name, {None}) == {None}:
            self.ledger.will("bucket", name, "")
            s3.create_bucket(Bucket=name)
            self.ledger.done("bucket", name, "")
        elif self.random.random() < 0.3:
            self.ledger.will("bucket", name, None)
            s3.delete_bucket(Bucket=name)
            self.ledger.done("bucket", name, None)
        else:
            value = f"{self.life}-{number}"
            self.ledger.will("bucket", name, value)
            s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": [{"Key": "value", "Value": value}]})
            self.ledger.done("bucket", name, value)


class Deployer(Worker):
    """Creates, updates and deletes functions. What is promised of one is its code's hash and its description."""

    def work(self, number: int) -> None:
        """See `Worker`."""
        functions, ledger = self.clients.functions, self.ledger
        name = f"function-{self.random.randrange(4)}"
        (held,) = ledger.allowed["function"].get(name, {None})
        revision = f"{self.life}-{number}"
        if held is None:
            code = self.clients.code(revision)
            value = promise(_sha256(code), revision)
            ledger.will("function", name, value)
            create_function(functions, name, code, revision)
            ledger.done("function", name, value)
            return
        choice = self.random.random()
        if choice < 0.25:
            ledger.will("function", name, None)
            functions.delete_function(FunctionName=name)
            ledger.done("function", name, None)
            return
        wait_updated(functions, name)
        sha256, _, description = held.partition(" ")
        if choice < 0.7:
            code = self.clients.code(revision)
            value = promise(_sha256(code), description)
            ledger.will("function", name, value)
            functions.update_function_code(FunctionName=name, ZipFile=code)
        else:
            value = promise(sha256, revision)
            ledger.will("function", name, value)
            functions.update_function_configuration(FunctionName=name, Description=revision)
        ledger.done("function", name, value)


class Writer(Worker):
    """Writes numbered lines to a stream of its own."""

    def work(self, number: int) -> None:
        """See `Worker`."""
        stream = f"life-{self.life}"
        if number == 1:
            self.ledger.will("stream", stream, "")
            self.clients.logs.create_log_stream(logGroupName=LOG_GROUP, logStreamName=stream)
            self.ledger.done("stream", stream, "")
            self.written = 0
        count = self.random.randrange(1, 60)
        now = int(time.time() * 1000)
        lines = [{"timestamp": now, "message": str(self.written + line)} for line in range(1, count + 1)]
        self.clients.logs.put_log_events(logGroupName=LOG_GROUP, logStreamName=stream, logEvents=lines)
        self.written += count
        self.ledger.least["lines"][stream] = self.written


class EventPutter(Worker):
    """Puts objects into a bucket that runs the function."""

    def work(self, number: int) -> None:
        """See `Worker`."""
        key = f"s3-{self.life}-{number}"
        self.clients.s3.put_object(Bucket=EVENTS, Key=key, Body=self.content((10, 50_000)))
        self.ledger.event(key)
        self.stopping.wait(0.01)


class Invoker(Worker):
    """Invokes the function asynchronously."""

    def work(self, number: int) -> None:
        """See `Worker`."""
        event = f"invoke-{self.life}-{number}"
        payload = f'{{"id": "{event}"}}'
        self.clients.functions.invoke(FunctionName=EFFECT_FUNCTION, InvocationType="Event", Payload=payload)
        self.ledger.event(event)
        self.stopping.wait(0.02)


STATE: tuple[type[Worker], ...] = (Putter, LargePutter, Uploader, Owner, Writer)
FUNCTIONS: tuple[type[Worker], ...] = (Deployer, EventPutter, Invoker)


def promise(sha256: str, description: str) -> str:
    """How the ledger writes a function down."""
    return f"{sha256} {description}"


def create_function(functions: Any, name: str, code: bytes, description: str = "") -> str:
    """Create a Python function; its ARN."""
    made = functions.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Handler="app.handler",
        Role=ROLE,
        Code={"ZipFile": code},
        Description=description,
        Timeout=30,
    )
    return str(made["FunctionArn"])


def wait_updated(functions: Any, name: str) -> None:
    """Return once a function is neither Pending nor being updated."""
    end = time.monotonic() + SETTLE_S
    while time.monotonic() < end:
        found = functions.get_function_configuration(FunctionName=name)
        if (found["State"], found.get("LastUpdateStatus")) == ("Active", "Successful"):
            return
        time.sleep(0.01)
    raise AssertionError(f"{name} is still {found['State']}")


def prepare(clients: Clients) -> None:
    """Buckets, log group, and the function with its event source."""
    for bucket in (OBJECTS, EVENTS, EFFECTS):
        clients.s3.create_bucket(Bucket=bucket)
    clients.logs.create_log_group(logGroupName=LOG_GROUP)
    functions = clients.functions
    arn = create_function(functions, EFFECT_FUNCTION, clients.code("effect"))
    wait_updated(functions, EFFECT_FUNCTION)
    functions.add_permission(
        FunctionName=EFFECT_FUNCTION, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    source = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    clients.s3.put_bucket_notification_configuration(
        Bucket=EVENTS, NotificationConfiguration={"LambdaFunctionConfigurations": [source]}
    )


class Traffic:
    """All the clients of one life."""

    def __init__(self, clients: Clients, kinds: Sequence[type[Worker]], life: int, seed: int) -> None:
        self._workers = [kind(clients, life, seed) for kind in kinds]
        self._threads = ThreadPoolExecutor(max(1, len(kinds)))
        self._running = [self._threads.submit(worker.run) for worker in self._workers]

    @property
    def lost(self) -> list[str]:
        """The clients whose connection broke, and how."""
        return [f"{worker.name} in life {worker.life}: {worker.lost!r}" for worker in self._workers if worker.lost]

    def wait(self, seconds: float) -> bool:
        """Wait so long at most; whether all have ended."""
        return not wait(self._running, seconds).not_done

    def stop(self) -> None:
        """Wait for all to end, after their present change. What a client raised is raised here."""
        for worker in self._workers:
            worker.stopping.set()
        for running in self._running:
            running.result(SETTLE_S)
        self._threads.shutdown()


def _sha256(code: bytes) -> str:
    return base64.b64encode(hashlib.sha256(code).digest()).decode()
