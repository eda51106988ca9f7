"""Asks the machine's resolver for the addresses of a host name, each time in a thread that ends with the answer.

The event loop's own way has two threads for the whole platform: libuv runs getaddrinfo in half of its pool of four, so
that two names whose servers do not answer would keep back all others. Here nothing is shared. Whoever takes names of
others' choice limits how many of them it has looked up at a time.
AWS: none.
"""

import asyncio
import errno
import socket
import threading
from contextlib import suppress
from typing import Any

from undercast.core.record import record

THREAD = "undercast-name"
"""What each of the threads is called."""


@record
class HostAddress:
    """What `socket.socket` and its `connect` take."""

    family: int
    sockaddr: Any


Answer = list[HostAddress] | OSError


async def addresses_of(name: str, port: int) -> list[HostAddress]:
    """In the order to try. Raises OSError. The thread ends with the answer, also when nobody waits any more."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()

    def tell(found: Answer) -> None:
        if not answer.done():
            answer.set_result(found)

    def ask() -> None:
        found = _ask(name, port)
        with suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(tell, found)

    try:
        # A daemon: the end of the process does not wait for a server that does not answer.
        threading.Thread(target=ask, name=THREAD, daemon=True).start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, "no thread is left to look a name up") from error
    found = await answer
    if isinstance(found, OSError):
        raise found
    return found


def _ask(name: str, port: int) -> Answer:
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return error
    except (ValueError, OverflowError) as error:  # a label that IDNA does not know, a NUL; no such port
        return OSError(errno.EINVAL, f"{name!r}, port {port}: {error}")
    return [HostAddress(family=family, sockaddr=address) for family, *_, address in found]
