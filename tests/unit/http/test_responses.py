"""Writing to a connection that has gone meanwhile."""

from typing import Any, cast

import pytest

from undercast.core.http import HttpResponse
from undercast.http.exchange import Exchange
from undercast.http.limits import HttpLimits
from undercast.http.responses import ClientGone, ResponseWriter
from undercast.http.streams import Held


class ClosedHandle:
    """uvloop's transport after a failed operation: its handle is closed, and `is_closing` does not say so yet."""

    def set_write_buffer_limits(self, high: int) -> None:
        """Nothing to limit."""

    def is_closing(self) -> bool:
        """Not that it knew."""
        return False

    def write(self, data: bytes) -> None:
        """As uvloop."""
        raise RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")

    writelines = write


@pytest.mark.parametrize("size", [3, 100_000], ids=["small", "large"])
async def test_a_handle_that_is_closed_is_a_client_that_is_gone(size: int) -> None:
    """No failure of the platform: there is nobody left to be told."""
    transport: Any = ClosedHandle()
    writer = ResponseWriter(transport, HttpLimits(), Held())
    exchange = cast(Exchange, type("Asked", (), {"method": "GET", "keep_alive": True, "http10": False})())
    with pytest.raises(ClientGone):
        writer.whole(exchange, HttpResponse(status=200, headers=(), body=b""), b"x" * size, 0.0)
