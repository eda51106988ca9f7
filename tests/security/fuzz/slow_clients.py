"""Clients that send a byte at a time, stop in the middle, or never read: they must hold up nobody else.

AWS: none; S3 closes sockets that are silent (RequestTimeout).
"""

import asyncio
import contextlib

HEADS = (
    b"GET /fuzz-bucket HTTP/1.1\r\nhost: localhost\r\nx-slow: " + b"a" * 5000,
    b"PUT /fuzz-bucket/slow HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5000\r\n\r\n" + b"b" * 4999,
    b"PUT /fuzz-bucket/slow HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\nc\r\n" * 900,
    b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\nexpect: 100-continue\r\n\r\n",
    b"\x16\x03\x01\x02\x00" + b"\0" * 500,
    b"",
)
EACH = 4
PACE_S = 0.05


async def creep(port: int) -> None:
    """Keep slow connections open until cancelled."""
    await asyncio.gather(*(_creep(port, data) for data in HEADS * EACH), *(_gulp(port) for _ in range(EACH)))


async def _creep(port: int, data: bytes) -> None:
    """One byte at a time, over and over."""
    while True:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for at in range(len(data)):
                if writer.is_closing():
                    break
                writer.write(data[at : at + 1])
                await writer.drain()
                await asyncio.sleep(PACE_S)
            await asyncio.sleep(5)
        except ConnectionError:
            await asyncio.sleep(PACE_S)
        finally:
            writer.transport.abort()


async def _gulp(port: int) -> None:
    """Ask for much and read nothing of it."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    try:
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                if writer.is_closing():
                    break
                writer.write(b"GET /fuzz-bucket/standing/key HTTP/1.1\r\nhost: localhost\r\n\r\n" * 20)
                await asyncio.sleep(PACE_S)
        await asyncio.sleep(3600)
    finally:
        writer.transport.abort()
