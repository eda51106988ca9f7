"""The smallest debuggers' clients: DAP for debugpy, the DevTools protocol for Node.js, JSON-RPC for delve.

Sources: microsoft.github.io/debug-adapter-protocol; chromedevtools.github.io/devtools-protocol/v8, RFC 6455; delve,
Documentation/api/json-rpc.
"""

import base64
import itertools
import json
import os
import socket
import struct
import time
import urllib.request
from typing import Any
from urllib.parse import urlsplit

LIMIT_S = 90.0


def connected(port: int) -> socket.socket:
    """A connection to the debugger of a function."""
    end = time.monotonic() + LIMIT_S
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=LIMIT_S)
        except ConnectionRefusedError:
            assert time.monotonic() < end, f"nobody listens on {port}"
            time.sleep(0.05)


class Dap:
    """A client of debugpy."""

    def __init__(self, port: int) -> None:
        self._socket = connected(port)
        self._file = self._socket.makefile("rb")
        self._serial = itertools.count(1)
        self._kept: list[dict[str, Any]] = []

    def send(self, command: str, **arguments: Any) -> int:
        """Ask; the answer comes in its time."""
        serial = next(self._serial)
        body = json.dumps({"seq": serial, "type": "request", "command": command, "arguments": arguments}).encode()
        self._socket.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        return serial

    def ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Ask and wait."""
        return self.answer(self.send(command, **arguments))

    def answer(self, serial: int) -> dict[str, Any]:
        """The body of the answer to a request."""
        message = self._until(lambda one: one.get("request_seq") == serial)
        assert message["success"], message
        body: dict[str, Any] = message.get("body") or {}
        return body

    def event(self, name: str) -> dict[str, Any]:
        """The body of the next event of a name."""
        body: dict[str, Any] = self._until(lambda one: one.get("event") == name).get("body") or {}
        return body

    def attach(self, folder: str, file: str, line: int, remote: str = "/var/task") -> None:
        """As VS Code does: breakpoints between `initialized` and `configurationDone`."""
        self.ask("initialize", adapterID="debugpy", clientID="test", pathFormat="path", linesStartAt1=True)
        mappings = [{"localRoot": folder, "remoteRoot": remote}]
        attaching = self.send("attach", pathMappings=mappings, justMyCode=False)
        self.event("initialized")
        self.ask("setBreakpoints", source={"path": f"{folder}/{file}"}, breakpoints=[{"line": line}])
        self.ask("configurationDone")
        self.answer(attaching)

    def variable(self, name: str) -> tuple[int, str]:
        """Wait for the stop; (thread, what a name in its uppermost frame is)."""
        thread = self.event("stopped")["threadId"]
        frame = self.ask("stackTrace", threadId=thread)["stackFrames"][0]
        return thread, str(self.ask("evaluate", expression=name, frameId=frame["id"], context="watch")["result"])

    def leave(self) -> None:
        """Detach: the program runs on."""
        self.ask("disconnect", terminateDebuggee=False)
        self._socket.close()

    def _until(self, wanted: Any) -> dict[str, Any]:
        for index, message in enumerate(self._kept):
            if wanted(message):
                return self._kept.pop(index)
        while True:
            message = self._read()
            if wanted(message):
                return message
            self._kept.append(message)

    def _read(self) -> dict[str, Any]:
        length = 0
        while (line := self._file.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "debugpy has hung up"
        message: dict[str, Any] = json.loads(self._file.read(length))
        return message


class Inspector:
    """A client of Node.js's inspector."""

    def __init__(self, port: int) -> None:
        connected(port).close()  # until the port is open
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=LIMIT_S) as answer:
            path = urlsplit(json.load(answer)[0]["webSocketDebuggerUrl"]).path
        self._socket = connected(port)
        self._serial = itertools.count(1)
        self._kept: list[dict[str, Any]] = []
        self._handshake(port, path)

    def _handshake(self, port: int, path: str) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._file = self._socket.makefile("rb")
        assert b"101" in self._file.readline()
        while self._file.readline() != b"\r\n":
            pass

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a method."""
        serial = next(self._serial)
        data = json.dumps({"id": serial, "method": method, "params": params}).encode()
        mask = os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
        self._socket.sendall(b"\x81" + size + mask + masked)
        message = self._until(lambda one: one.get("id") == serial)
        result: dict[str, Any] = message["result"]
        return result

    def event(self, method: str) -> dict[str, Any]:
        """The parameters of the next event of a name."""
        params: dict[str, Any] = self._until(lambda one: one.get("method") == method)["params"]
        return params

    def leave(self) -> None:
        """Detach: the program runs on."""
        self._socket.close()

    def _until(self, wanted: Any) -> dict[str, Any]:
        message: dict[str, Any]
        for index, message in enumerate(self._kept):
            if wanted(message):
                return self._kept.pop(index)
        while True:
            message = json.loads(self._frame())
            if wanted(message):
                return message
            self._kept.append(message)

    def _frame(self) -> bytes:
        head = self._file.read(2)
        assert len(head) == 2, "the inspector has hung up"
        length = head[1] & 0x7F
        if length == 126:
            length = struct.unpack(">H", self._file.read(2))[0]
        elif length == 127:
            length = struct.unpack(">Q", self._file.read(8))[0]
        return self._file.read(length)


class Delve:
    """A client of delve's API 2."""

    def __init__(self, port: int) -> None:
        self._socket = connected(port)
        self._file = self._socket.makefile("rb")
        self._serial = itertools.count(1)

    def send(self, method: str, **params: Any) -> None:
        """Ask; the answer comes in its time."""
        request = {"method": f"RPCServer.{method}", "params": [params], "id": next(self._serial)}
        self._socket.sendall(json.dumps(request).encode())

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Ask and wait."""
        self.send(method, **params)
        line = self._file.readline()
        assert line, "delve has hung up"
        answer: dict[str, Any] = json.loads(line)
        assert answer["error"] is None, answer
        result: dict[str, Any] = answer["result"]
        return result

    def leave(self) -> None:
        """Hang up: with --accept-multiclient the program runs on."""
        self._socket.close()
