"""Messages between the control plane and the launcher: one JSON object per packet, descriptors beside it.

Packets of a SOCK_SEQPACKET pair are whole or not there, so several processes may write to one end.
Source: unix(7), SCM_RIGHTS.
"""

from __future__ import annotations

import array
import json
import socket
from collections.abc import Sequence
from typing import Any

MAX_BYTES = 128 * 1024
_MAX_DESCRIPTORS = 64


class Oversized(Exception):
    """A message does not fit into one packet."""


def send(link: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Write one message. Raises OSError when the other side is gone."""
    data = json.dumps(message, separators=(",", ":")).encode()
    if len(data) > MAX_BYTES:
        raise Oversized(f"message of {len(data)} bytes")
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors).tobytes())] if descriptors else []
    link.sendmsg([data], rights, socket.MSG_NOSIGNAL)


def receive(link: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Read one message and its descriptors (close-on-exec); None when the other side is gone."""
    numbers = array.array("i")
    try:
        data, rights, _, _ = link.recvmsg(
            MAX_BYTES, socket.CMSG_SPACE(_MAX_DESCRIPTORS * numbers.itemsize), socket.MSG_CMSG_CLOEXEC
        )
    except ConnectionResetError:
        return None
    for level, kind, payload in rights:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(payload[: len(payload) - len(payload) % numbers.itemsize])
    if not data:
        return None
    return json.loads(data), list(numbers)
