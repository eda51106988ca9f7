"""Which Host names the platform answers to."""

import pytest

from undercast.gateway.hosts import HostNames


@pytest.mark.parametrize(
    "host",
    [
        "localhost:4566",
        "127.0.0.1:4566",
        "[::1]:4566",
        "127.8.9.10",
        "my-bucket.localhost:4566",
        "b.s3.localhost.localstack.cloud:4566",
        "localhost.localstack.cloud",
        "b.s3.eu-west-1.amazonaws.com",
        "LAMBDA.us-east-1.AMAZONAWS.com",
        "streaming-localhost:4566",
        "",
    ],
)
def test_names_of_ours_are_served(host: str) -> None:
    """Loopback addresses, localhost names and AWS's own names."""
    assert HostNames().allowed(host)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:4566", "localhost.evil.example", "amazonaws.com.evil.example", "10.0.0.1", "a b"],
)
def test_foreign_names_are_refused(host: str) -> None:
    """A page of evil.example whose DNS answers 127.0.0.1 gets nothing (DNS rebinding)."""
    assert not HostNames().allowed(host)


def test_a_configured_name_is_served() -> None:
    """`undercast start --host-name build-box`."""
    assert HostNames(("build-box",)).allowed("Build-Box:4566")


def test_addresses_are_served_where_the_platform_listens_beyond_loopback() -> None:
    """A page that rebinds a name sends that name; an address in Host is a caller who typed it."""
    names = HostNames(addresses=True)
    assert names.allowed("10.0.0.1:4566")
    assert names.allowed("[fd00::1]:4566")
    assert not names.allowed("evil.example:4566")


def test_remembered_names_are_bounded() -> None:
    """A client that invents names cannot grow the memory."""
    names = HostNames()
    for number in range(3000):
        assert names.allowed(f"b{number}.localhost")
    assert len(names._seen) <= 1024
