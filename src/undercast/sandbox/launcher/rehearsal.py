"""Runs the runtime once on an event of ours, to learn which pages every runtime touches before its first answer.

A forked runtime takes a page fault at each of them, some 500; a runner takes them while it waits. No function's code is
looked at: the handler is ours, in namespaces that end with the rehearsal. Where anything fails there is no list.
Sources: proc(5) (pagemap), madvise(2) (MADV_POPULATE_WRITE, Linux 5.14).
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import select
import signal
import socket
from typing import Any

from undercast.sandbox.launcher import kernel
from undercast.sandbox.launcher.places import HOST
from undercast.sandbox.launcher.spawn import perform

_NAMESPACES = kernel.CLONE_NEWPID | kernel.CLONE_NEWNS | kernel.CLONE_NEWIPC | kernel.CLONE_NEWNET
_LIMIT_S = 10.0
"""Far more than it takes; the launcher waits for it before it serves."""
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PRESENT, _FILE, _EXCLUSIVE = 1 << 63, 1 << 61, 1 << 56
_READ_GAP = 16
"""Pages of a file between two wanted ones that are mapped with them: cheaper than a second call."""
_MAX_BYTES = 16 * 1024 * 1024
_EVENT_TEXT = b'{"rehearsal": true, "text": "", "list": [1, 2.5, null]}'
_EVENT = b"""HTTP/1.1 200 OK\r
Content-Type: application/json\r
Lambda-Runtime-Aws-Request-Id: 00000000-0000-4000-8000-000000000000\r
Lambda-Runtime-Deadline-Ms: 4102444800000\r
Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:rehearsal\r
Lambda-Runtime-Trace-Id: Root=1-00000000-000000000000000000000000;Parent=0000000000000000;Sampled=0\r
Content-Length: %d\r
\r
%s""" % (len(_EVENT_TEXT), _EVENT_TEXT)
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
_HANDLER = "def handler(event, context):\n    return event\n"
_ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EXECUTION_ENV": "AWS_Lambda_python",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_LAMBDA_FUNCTION_NAME": "rehearsal",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/rehearsal",
    "AWS_LAMBDA_LOG_STREAM_NAME": "rehearsal",
    "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
    "AWS_REGION": "us-east-1",
    "LAMBDA_RUNTIME_DIR": "/var/runtime",
    "LAMBDA_TASK_ROOT": "/var/task",
    "LANG": "en_US.UTF-8",
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "PYTHONPATH": "/var/runtime",
    "TZ": ":UTC",
    "_HANDLER": "rehearsal.handler",
    "_LAMBDA_TELEMETRY_LOG_FD": "3",
}


class Pages:
    """Ranges of addresses, the same in every process that the launcher forks."""

    def __init__(self, ranges: list[list[int]]) -> None:
        """A range is (start, bytes, whether it is written)."""
        self._ranges = ranges

    def touch(self) -> None:
        """Have them in our page table: the written ones as our own copies."""
        for start, size, written in self._ranges:
            kernel.populate(start, size, write=bool(written))


def rehearse(python: str) -> Pages:
    """In the zygote, before it serves."""
    reading, writing = os.pipe()
    conductor = kernel.fork(_NAMESPACES)
    if conductor == 0:
        with contextlib.suppress(Exception):
            os.write(writing, json.dumps(_conduct(python)).encode())
        os._exit(0)
    os.close(writing)
    text = b""
    with open(reading, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], _LIMIT_S)[0] and (part := pipe.read(1 << 20)):
            text += part
    with contextlib.suppress(ProcessLookupError):
        os.kill(conductor, signal.SIGKILL)
    try:
        return Pages(json.loads(text))
    except ValueError:
        return Pages([])


def _conduct(python: str) -> list[list[int]]:
    kernel.die_with_parent()
    kernel.bring_loopback_up()
    kernel.mount("proc", "/proc", "proc")
    kernel.mount("tmpfs", "/var/task", "tmpfs")
    kernel.unmount(HOST)
    with open("/var/task/rehearsal.py", "w") as file:
        file.write(_HANDLER)
    mappings = _mappings()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 9001))
        listener.listen()
        listener.settimeout(_LIMIT_S)
        performer = os.fork()
        if performer == 0:
            listener.close()
            perform([python, "/var/runtime/bootstrap.py"], _ENVIRONMENT)
        return _serve(listener, performer, mappings)


def _serve(listener: socket.socket, performer: int, mappings: list[tuple[int, int]]) -> list[list[int]]:
    """Give one event; what the runtime has touched when it asks for a second one, and waits."""
    asked = 0
    either: list[Any] = [listener, kernel.pidfd_open(performer)]
    while listener in select.select(either, [], [], _LIMIT_S)[0]:
        connection, _ = listener.accept()
        connection.settimeout(_LIMIT_S)
        with connection, connection.makefile("rb") as file:
            while line := file.readline():
                size = 0
                while header := file.readline().strip().lower():
                    if header.startswith(b"content-length:"):
                        size = int(header.partition(b":")[2])
                file.read(size)
                asked += line.startswith(b"GET")
                if asked == 2:
                    return _touched(performer, mappings)
                connection.sendall(_EVENT if line.startswith(b"GET") else _ACCEPTED)
    return []


def _mappings() -> list[tuple[int, int]]:
    found = []
    with open("/proc/self/maps") as file:
        for line in file:
            place, mode, *rest = line.split(None, 5)
            if mode[0] == "r" and mode[3] == "p" and not rest[-1].startswith("[v"):
                start, _, end = place.partition("-")
                found.append((int(start, 16), int(end, 16)))
    return found


def _touched(pid: int, mappings: list[tuple[int, int]]) -> list[list[int]]:
    ranges: list[list[int]] = []
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as file:
        for start, end in mappings:
            entries = array.array("Q", os.pread(file.fileno(), (end - start) // _PAGE * 8, start // _PAGE * 8))
            for number, entry in enumerate(entries):
                written = not entry & _FILE
                if entry & _PRESENT and (not written or entry & _EXCLUSIVE):
                    _add(ranges, start + number * _PAGE, int(written))
    written_bytes = sum(size for _, size, written in ranges if written)
    return ranges if written_bytes <= _MAX_BYTES else []


def _add(ranges: list[list[int]], address: int, written: int) -> None:
    """One page, as a part of the last range where it can be."""
    if ranges and ranges[-1][2] == written:
        start, size, _ = ranges[-1]
        if address - start - size <= (0 if written else _READ_GAP * _PAGE):
            ranges[-1][1] = address + _PAGE - start
            return
    ranges.append([address, _PAGE, written])
