"""Sends cases over many connections and judges what comes back.

A case fails when its answer is a 5xx that is not 501 NotImplemented, is no HTTP, or does not come. AWS: none.
"""

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.security.fuzz.cases import Case

ANSWER_TIMEOUT_S = 90.0
"""A body that stops is answered for after 20 s: by a platform, and to a client, that may have waited for their turn."""
STALE_S = 10.0
"""A connection on which nothing was sent for so long is not used: making one large case can hold up all senders on a
loaded machine, and the server closes what says nothing for 20 s."""
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]*\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A case and what was wrong with its answer."""

    case: Case
    why: str
    answer: bytes


@dataclass(slots=True)
class Tally:
    """What was sent and answered."""

    protocols: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    @property
    def sent(self) -> int:
        """How many cases."""
        return self.protocols.total()


class Sender:
    """Connections to one platform."""

    def __init__(self, port: int, tally: Tally) -> None:
        self._port = port
        self.tally = tally

    async def send_all(self, cases: Iterator[Case], connections: int) -> None:
        """Send every case; stops early after twenty failures."""
        await asyncio.gather(*(self._work(cases) for _ in range(connections)))

    async def _work(self, cases: Iterator[Case]) -> None:
        line: Line | None = None
        for case in cases:
            if len(self.tally.failures) >= 20:
                break
            while line is None or not case.framed or line.is_stale():
                if line is not None:
                    await line.close()
                line = await Line.open(self._port)
                if not line.is_stale():
                    break
            try:
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    goes_on = await self._one(line, case)
            except TimeoutError:
                self._fail(case, f"no answer within {ANSWER_TIMEOUT_S:.0f} s", b"")
                goes_on = False
            self.tally.protocols[case.protocol] += 1
            self.tally.kinds[case.kind] += 1
            if not goes_on:
                await line.close()
                line = None
        if line is not None:
            await line.close()

    async def _one(self, line: "Line", case: Case) -> bool:
        try:
            answers, goes_on = await (line.ask(case) if case.framed else line.ask_to_the_end(case))
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            if case.framed:
                self._fail(case, f"the connection ended without an answer: {error!r}", b"")
            return False
        except ValueError as error:
            self._fail(case, str(error), b"")
            return False
        for status, answer in answers:
            self.tally.statuses[status] += 1
            if not acceptable(case, status, answer):
                self._fail(case, f"status {status}", answer)
        return goes_on

    def _fail(self, case: Case, why: str, answer: bytes) -> None:
        self.tally.failures.append(Failure(case=case, why=why, answer=answer))


def acceptable(case: Case, status: int, answer: bytes) -> bool:
    """Whether a status may be the answer to bad input."""
    if status < 500:
        return True
    if status == 501:
        return case.method == "HEAD" or b"NotImplemented" in answer or not case.framed
    return status == 505 and not case.framed


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._used = asyncio.get_running_loop().time()

    def is_stale(self) -> bool:
        """Whether nothing was sent on it for a while."""
        return asyncio.get_running_loop().time() - self._used > STALE_S

    @classmethod
    async def open(cls, port: int) -> "Line":
        """Connect."""
        began = asyncio.get_running_loop().time()
        line = cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 20))
        line._used = began  # it is there since before we were told
        return line

    async def close(self) -> None:
        """Close without manners."""
        self._writer.transport.abort()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def ask(self, case: Case) -> tuple[list[tuple[int, bytes]], bool]:
        """One request, one response; whether the connection goes on."""
        self._writer.write(case.data)
        self._used = asyncio.get_running_loop().time()
        head = await self._reader.readuntil(b"\r\n\r\n")
        while head.startswith(b"HTTP/1.1 100 "):
            head = await self._reader.readuntil(b"\r\n\r\n")
        found = _STATUS.match(head)
        if found is None:
            raise ValueError(f"not HTTP: {head[:80]!r}")
        status, lower = int(found[1]), head.lower()
        body = b""
        if case.method != "HEAD" and status not in (204, 304):
            body = await self._body(lower)
        goes_on = b"\r\nconnection: close" not in lower
        return [(status, head + body)], goes_on

    async def _body(self, head: bytes) -> bytes:
        length = _LENGTH.search(head)
        if length is not None:
            return await self._reader.readexactly(int(length[1]))
        if b"transfer-encoding: chunked" not in head:
            return await self._reader.read()
        parts = []
        while size := int((await self._reader.readuntil(b"\r\n")).partition(b";")[0], 16):
            parts.append(await self._reader.readexactly(size + 2))
        while await self._reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return b"".join(parts)

    async def ask_to_the_end(self, case: Case) -> tuple[list[tuple[int, bytes]], bool]:
        """Send, close our half, read until the other side closes."""
        self._writer.write(case.data)
        answer = b""
        try:
            if self._writer.can_write_eof():
                self._writer.write_eof()
            while part := await self._reader.read(1 << 16):
                answer += part
        except ConnectionError:
            pass  # it may cut a sender off that goes on behind its refusal
        starts = [found.start() for found in _STATUS.finditer(answer)]
        if answer and not starts and not answer.startswith(b"\x15\x03") and not _is_http2(answer):
            raise ValueError(f"not HTTP: {answer[:80]!r}")
        parts = [answer[begin:end] for begin, end in zip(starts, [*starts[1:], len(answer)], strict=False)]
        return [(int(part[9:12]), part) for part in parts], False


def _is_http2(answer: bytes) -> bool:
    """Whole frames, SETTINGS first: what follows HTTP/2's preface in the fuzz is noise, or stops within a frame."""
    kinds = []
    while len(answer) >= 9:
        kinds.append(answer[3])
        answer = answer[9 + int.from_bytes(answer[:3], "big") :]
    return not answer and kinds[:1] == [4]
