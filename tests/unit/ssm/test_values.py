"""Values of parameters are compared with their data type in time that grows with their length."""

import time

import pytest

from undercast.core.errors import ServiceError
from undercast.services.ssm.values import check_data_type


def cost(characters: int) -> float:
    """CPU seconds for an address that is none, which an ordinary search would begin at each of its points."""
    value = "a@" + "a." * (characters // 2) + "@"
    began = time.thread_time()
    for _ in range(3):
        with pytest.raises(ServiceError, match="not a valid email"):
            check_data_type("email", value)
    return time.thread_time() - began


def test_an_address_is_read_in_time_that_grows_with_its_length() -> None:
    """8 KB of it had stopped the platform for a second."""
    assert cost(8000) < 8 * max(cost(2000), 0.001)


@pytest.mark.parametrize("value", ["a@b.c", "first.last@mail.example.com"])
def test_an_address_is_taken(value: str) -> None:
    """It has a name, one @ and a host with a point."""
    check_data_type("email", value)


@pytest.mark.parametrize("value", ["", "a", "a@b", "a@@b.c", "a b@c.d", "@b.c", "a@b.c "])
def test_what_is_no_address_is_refused(value: str) -> None:
    """All of the value counts."""
    with pytest.raises(ServiceError, match="not a valid email"):
        check_data_type("email", value)
