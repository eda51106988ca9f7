"""What the tests of sudden death share."""

from collections.abc import Callable

import pytest

Tell = Callable[[str], None]


@pytest.fixture
def tell(capfd: pytest.CaptureFixture[str]) -> Tell:
    """Prints at once, past pytest's capture: a test of many minutes says how far it is."""

    def say(text: str) -> None:
        with capfd.disabled():
            print(text, flush=True)

    return say
