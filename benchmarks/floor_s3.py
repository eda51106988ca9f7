"""What boto3 alone costs: an S3 that answers rightly and does nothing else, for the figures of S3.

httptools on uvloop, one process; keeps objects in memory, verifies nothing, hashes nothing. No server that does its
work can be faster to the same client. AWS: S3 API Reference, PutObject, GetObject, DeleteObjects.
"""

import argparse
import asyncio
from typing import cast

import httptools
import uvloop

_ETAG = '"00000000000000000000000000000000"'
_DELETED = b'<?xml version="1.0" encoding="UTF-8"?><DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>'


class Connection(asyncio.Protocol):
    """One client. `objects` is shared by all."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self._objects = objects
        self._parser = httptools.HttpRequestParser(self)
        self._parts: list[bytes] = []
        self._url = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection is open."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes have come."""
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        """httptools: the request target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: one header."""
        if name.lower() == b"expect":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, part: bytes) -> None:
        """httptools: bytes of the body."""
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """httptools: the request is complete."""
        method, path = self._parser.get_method(), self._url.decode()
        parts, self._parts, self._url = self._parts, [], b""
        headers, answer = [], b""
        if method == b"PUT":
            self._objects[path] = b"".join(parts)
            headers = [f"ETag: {_ETAG}"]
        elif method == b"GET":
            answer = self._objects[path]
            headers = [f"ETag: {_ETAG}", "Last-Modified: Sat, 21 Nov 2026 00:00:00 GMT", "Accept-Ranges: bytes"]
            headers.append("Content-Type: binary/octet-stream")
        elif method == b"POST":
            answer, headers = _DELETED, ["Content-Type: application/xml"]
        lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(answer)}", *headers, "", ""]
        self._transport.writelines(["\r\n".join(lines).encode(), answer])


async def serve(port: int) -> None:
    """Answer on loopback until the process is ended."""
    objects: dict[str, bytes] = {}
    server = await asyncio.get_running_loop().create_server(lambda: Connection(objects), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))
