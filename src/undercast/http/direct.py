"""Receives the rest of a large body straight into its reader's buffer: no parser, no copies.

Takes the connection over from `HttpProtocol` while a body of declared length is read by `Exchange.fill`, and hands it
back behind the last byte; it never asks for a byte that is not the body's. AWS: none; RFC 9112, section 6.2.
"""

import asyncio
from typing import Protocol

from undercast.http.exchange import Exchange


class Lender(Protocol):
    """The connection as it was before, and will be again."""

    def direct_ended(self) -> None:
        """The last byte of the body has come."""
        ...

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        ...

    def eof_received(self) -> bool | None:
        """See asyncio.Protocol."""
        ...

    def pause_writing(self) -> None:
        """See asyncio.Protocol."""
        ...

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        ...


class DirectBody(asyncio.BufferedProtocol):
    """Reads only while the exchange has room."""

    def __init__(self, lender: Lender, transport: asyncio.Transport, exchange: Exchange) -> None:
        self._lender = lender
        self._transport = transport
        self.exchange = exchange
        self.reading = False
        """Whether bytes are wanted; else the sender waits for us, not we for it."""

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the connection is gone."""
        self._lender.connection_lost(exc)

    def eof_received(self) -> bool | None:
        """asyncio: the client sends nothing more."""
        return self._lender.eof_received()

    def pause_writing(self) -> None:
        """asyncio: the client does not read."""
        self._lender.pause_writing()

    def resume_writing(self) -> None:
        """asyncio: the client has caught up."""
        self._lender.resume_writing()

    def get_buffer(self, sizehint: int) -> memoryview:
        """asyncio: where the next bytes go."""
        exchange = self.exchange
        room = exchange.room
        assert room is not None, "reading is paused while there is no room"
        return room[: exchange.left_bytes]

    def buffer_updated(self, nbytes: int) -> None:
        """asyncio: bytes have come."""
        exchange = self.exchange
        exchange.filled(nbytes)
        if not exchange.left_bytes:
            self._lender.direct_ended()
        elif not exchange.room:
            self.pause()

    def resume(self) -> None:
        """There is room again."""
        if not self.reading and not self._transport.is_closing():
            self.reading = True
            self._transport.resume_reading()

    def pause(self) -> None:
        """There is no room."""
        if self.reading and not self._transport.is_closing():
            self.reading = False
            self._transport.pause_reading()
