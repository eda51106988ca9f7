"""Whether an IP address is this machine's own, whatever its interfaces have at the moment.

Asks the kernel each time and keeps nothing: an address that came or went with a network counts at once.
Source: ip(7), bind (EADDRNOTAVAIL) and ip_nonlocal_bind.
"""

import ipaddress
import socket

_NOBODYS = "192.0.2.1"
"""TEST-NET-1 (RFC 5737): only a machine that may bind any address can bind it."""


def is_this_machine(address: str) -> bool:
    """Loopback, or an address of one of the machine's interfaces. False for what is no IP address."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return True
    if ip.is_unspecified or ip.is_multicast or str(ip) == "255.255.255.255":
        return False
    return _binds(str(ip)) and (not _binds(_NOBODYS) or _reaches_itself(str(ip)))


def _binds(address: str) -> bool:
    with socket.socket(_family(address), socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True


def _reaches_itself(address: str) -> bool:
    """Whether the kernel would send from the address to the address. Connecting a datagram socket sends nothing."""
    with socket.socket(_family(address), socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))
        except OSError:
            return False
        return str(probe.getsockname()[0]) == address


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
