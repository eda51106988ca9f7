"""Connections to registries, and to where they send us: over TLS, or in plain HTTP to this machine.

Whoever waits for a pull can end it at any step of it, the handshake too. Blocking.
Sources: Python's http.client and ssl; RFC 6761 says what "localhost" is, no rule says what a name may resolve to.
"""

import http.client
import ipaddress
import re
import socket
import ssl

from undercast.services.lambda_.images.faults import ImageDenied
from undercast.services.lambda_.images.pulling import Pull

_LIMIT_S = 30.0
"""For each connection and each read."""


def connected(url_host: str, port: int | None, pull: Pull, *, tls: bool, loopback: bool) -> http.client.HTTPConnection:
    """A connection on which a request may go. `loopback`: whether it may end on this machine.

    Raises OSError, ImageDenied, or ImageMissing where nobody waits any more.
    """
    made = http.client.HTTPConnection(url_host, port, timeout=_LIMIT_S)
    if tls:
        context = ssl.create_default_context()
        made = http.client.HTTPSConnection(url_host, port, timeout=_LIMIT_S, context=context)
    made.sock = opened = socket.create_connection((url_host, made.port), _LIMIT_S)
    try:
        # A name may lead here, too, and 0.0.0.0 does.
        if not loopback and is_own(opened.getpeername()[0]):
            raise not_here()
        if tls:
            opened = context.wrap_socket(opened, server_hostname=url_host, do_handshake_on_connect=False)
            made.sock = opened
        pull.hold(opened)
        if isinstance(opened, ssl.SSLSocket):
            opened.do_handshake()
    except BaseException:
        made.close()
        raise
    return made


def not_here() -> ImageDenied:
    """Others reach the platform, and would look through this machine's ports."""
    return ImageDenied("registries of this machine are asked only by a platform that is bound to loopback")


def is_loopback(host: str) -> bool:
    """Whether a host, with or without a port, is this machine and nothing else."""
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    return name == "localhost" or is_own(name)


def is_own(address: str) -> bool:
    """Whether it is an address of the loopback interface."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback
