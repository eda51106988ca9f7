"""DNS inside a sandbox: AWS's names are the platform, any other name is a loopback address of its own.

The address tells the relay which host was meant, so that unmodified programs reach the world through TCP listeners on
0.0.0.0. Nothing is asked of the host here.
AWS: Lambda Developer Guide, "Using environment variables"; sandbox.localdomain is the environment itself.
"""

import asyncio
import contextlib
import socket
import struct
from collections import OrderedDict

from undercast.core.record import record

PLATFORM_ADDRESS = "127.0.0.1"
HOST_NAME = "host.undercast.internal"
HOST_ADDRESS = "127.53.0.1"
"""Where a sandbox finds the loopback of the machine."""
TTL_S = 30
MAX_NAMES = 4096
QUESTIONS = 1024
"""That one environment gets answers to in a second. AWS: "Hybrid Cloud DNS Options for Amazon VPC", "Constraints"
(1,024 packets a second per network interface, also a Lambda function's)."""
_AT_ONCE = 32
"""Questions, before others have their turn."""
_FIRST_NETWORK = 0x7F400000  # 127.64.0.0
_PLATFORM_SUFFIXES = (
    "amazonaws.com",
    "amazonaws.com.cn",
    "api.aws",
    "on.aws",
    "localhost.localstack.cloud",
    "localhost",
    "sandbox.localdomain",
)
_PLATFORM_NAMES = ("sandbox", "stream-localhost", "streaming-localhost", "sync-localhost")
"""The last ones are what SDKs make of localhost for operations with a host prefix."""
_HEADER = struct.Struct(">HHHHHH")
_MAX_QUERY_BYTES = 4096
_TYPE_A, _CLASS_IN, _CLASS_ANY = 1, 1, 255
_FLAG_RESPONSE, _FLAG_AUTHORITATIVE, _FLAG_DESIRED, _FLAG_AVAILABLE = 0x8000, 0x0400, 0x0100, 0x0080
_FORMAT_ERROR, _NO_SUCH_NAME, _NOT_IMPLEMENTED = 1, 3, 4


def is_platform_name(name: str) -> bool:
    """Whether a lower-case host name is served by the platform."""
    return name in _PLATFORM_NAMES or any(name == s or name.endswith(f".{s}") for s in _PLATFORM_SUFFIXES)


class NameTable:
    """Which loopback address stands for which name, in one sandbox.

    Addresses are given in order. When all are given the name that was asked for longest ago loses its address; the
    table is far larger than what a program asks for within the TTL.
    """

    def __init__(self, max_names: int = MAX_NAMES) -> None:
        self._max_names = max_names
        self._addresses: OrderedDict[str, str] = OrderedDict()
        self._names: dict[str, str] = {HOST_ADDRESS: HOST_NAME}

    def address_of(self, name: str) -> str:
        """The address of a lower-case name without a final dot."""
        if name == HOST_NAME:
            return HOST_ADDRESS
        if is_platform_name(name):
            return PLATFORM_ADDRESS
        address = self._addresses.get(name)
        if address is not None:
            self._addresses.move_to_end(name)
            return address
        if len(self._addresses) < self._max_names:
            address = socket.inet_ntoa(struct.pack(">I", _FIRST_NETWORK + len(self._addresses) + 1))
        else:
            _, address = self._addresses.popitem(last=False)
        self._addresses[name] = address
        self._names[address] = name
        return address

    def name_of(self, address: str) -> str | None:
        """The name that an address stands for now; using it keeps it."""
        name = self._names.get(address)
        if name is not None and name in self._addresses:
            self._addresses.move_to_end(name)
        return name


@record(kw_only=False)
class _Question:
    name: str
    kind: int
    raw: bytes


def answer(packet: bytes, names: NameTable) -> bytes | None:
    """The response to a DNS query; None when the packet is none that could be answered."""
    if not _HEADER.size <= len(packet) <= _MAX_QUERY_BYTES:
        return None
    query_id, flags, questions, _, _, _ = _HEADER.unpack_from(packet)
    if flags & _FLAG_RESPONSE:
        return None
    head = _FLAG_RESPONSE | _FLAG_AUTHORITATIVE | _FLAG_AVAILABLE | (flags & (_FLAG_DESIRED | 0x7800))
    if flags & 0x7800:
        return _HEADER.pack(query_id, head | _NOT_IMPLEMENTED, 0, 0, 0, 0)
    question = _question(packet) if questions == 1 else None
    if question is None:
        return _HEADER.pack(query_id, head | _FORMAT_ERROR, 0, 0, 0, 0)
    if not question.name or question.name.endswith(".arpa"):
        return _HEADER.pack(query_id, head | _NO_SUCH_NAME, 1, 0, 0, 0) + question.raw
    if question.kind != _TYPE_A:
        # No error and no address: a client that asks for AAAA first goes on to A.
        return _HEADER.pack(query_id, head, 1, 0, 0, 0) + question.raw
    address = socket.inet_aton(names.address_of(question.name))
    record = struct.pack(">HHHIH", 0xC00C, _TYPE_A, _CLASS_IN, TTL_S, len(address)) + address
    return _HEADER.pack(query_id, head, 1, 1, 0, 0) + question.raw + record


def _question(packet: bytes) -> _Question | None:
    labels: list[str] = []
    at, size = _HEADER.size, 0
    while at < len(packet) and packet[at]:
        length = packet[at]
        size += length + 1
        label = packet[at + 1 : at + 1 + length]
        if length > 63 or size > 254 or len(label) != length or not label.isascii() or b"." in label or b"\0" in label:
            return None
        labels.append(label.decode("ascii").lower())
        at += length + 1
    end = at + 5
    if end > len(packet):
        return None
    kind, network = struct.unpack_from(">HH", packet, at + 1)
    if network not in (_CLASS_IN, _CLASS_ANY):
        return None
    return _Question(".".join(labels), kind, packet[_HEADER.size : end])


class Resolver:
    """Answers on one UDP socket, so many questions in each second. Owns the socket from `start` to `close`.

    Whoever asks more often is not heard until the second is over: what is dropped then costs the kernel, and not us.
    """

    def __init__(self, names: NameTable, most: int = QUESTIONS, span_s: float = 1.0) -> None:
        self._names = names
        self._most, self._span_s = most, span_s
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._left, self._span_ends = 0, 0.0
        self._rest: asyncio.TimerHandle | None = None

    def start(self, listening: socket.socket) -> None:
        """Answer from now on, on a bound UDP socket."""
        listening.setblocking(False)
        self._socket = listening
        self._hear(listening)

    def close(self) -> None:
        """Stop answering and close the socket."""
        if self._rest is not None:
            self._rest.cancel()
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _hear(self, listening: socket.socket) -> None:
        self._rest = None
        self._loop.add_reader(listening, self._read, listening)

    def _read(self, listening: socket.socket) -> None:
        now = self._loop.time()
        if now >= self._span_ends:
            self._left, self._span_ends = self._most, now + self._span_s
        for _ in range(_AT_ONCE):
            if not self._left:
                self._loop.remove_reader(listening)
                self._rest = self._loop.call_later(self._span_ends - now, self._hear, listening)
                return
            try:
                packet, client = listening.recvfrom(_MAX_QUERY_BYTES + 1)
            except OSError:  # nothing is left, mostly
                return
            self._left -= 1
            if (response := answer(packet, self._names)) is not None:
                with contextlib.suppress(OSError):  # whoever asked does not listen any more
                    listening.sendto(response, client)
