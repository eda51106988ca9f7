"""Messages between the control plane and the launcher: one JSON object per packet, descriptors beside it.

Packets of a SOCK_SEQPACKET pair are whole or not there, so several processes may write to one end.
Source: unix(7), SCM_RIGHTS.
"""

from __future__ import annotations

import array
import json
import os
import socket
from collections.abc import Sequence
from typing import Any

MAX_BYTES = 128 * 1024
_MAX_DESCRIPTORS = 64
_NO_NUMBERS = "EMFILE: too many open files; raise their limit (ulimit -n), or lower --max-environments"


class Oversized(Exception):
    """A message does not fit into one packet."""


def send(link: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Write one message. Raises OSError when the other side is gone."""
    data = json.dumps(message, separators=(",", ":")).encode()
    if len(data) > MAX_BYTES:
        raise Oversized(f"its command and its variables are more than {MAX_BYTES} bytes")
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors).tobytes())] if descriptors else []
    link.sendmsg([data], rights, socket.MSG_NOSIGNAL)


def receive(link: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Read one message and its descriptors (close-on-exec); None when the other side is gone.

    Whoever has no numbers left for them gets none, and an "error" in the message.
    """
    numbers = array.array("i")
    try:
        data, rights, flags, _ = link.recvmsg(
            MAX_BYTES, socket.CMSG_SPACE(_MAX_DESCRIPTORS * numbers.itemsize), socket.MSG_CMSG_CLOEXEC
        )
    except ConnectionResetError:
        return None
    for level, kind, payload in rights:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(payload[: len(payload) - len(payload) % numbers.itemsize])
    if not data:
        return None
    message: dict[str, Any] = json.loads(data)
    if flags & socket.MSG_CTRUNC:
        for number in numbers:
            os.close(number)
        return {**message, "error": _NO_NUMBERS}, []
    return message, list(numbers)
