"""Which addresses are this machine's own."""

import socket

import pytest

from tests.machine import lacking
from undercast.core.addresses import is_this_machine


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_this_machine(address: str) -> None:
    """Whatever its interfaces are."""
    assert is_this_machine(address)


def test_an_address_of_an_interface_is_this_machine() -> None:
    """The one from which it would send to others; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.7", 9))
        except OSError:
            lacking("this machine has no network")
        own = probe.getsockname()[0]
    assert is_this_machine(own)
    assert is_this_machine(f"::ffff:{own}")


@pytest.mark.parametrize("address", ["192.0.2.7", "8.8.8.8", "2001:db8::7", "224.0.0.1", "0.0.0.0", "", "localhost"])
def test_others_are_not(address: str) -> None:
    """Documentation addresses (RFC 5737, RFC 3849), the internet, groups, and what is no address."""
    assert not is_this_machine(address)
