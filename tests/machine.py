"""What a test does where this machine lacks what it needs.

CI sets UNDERCAST_REQUIRE_NAMESPACE=1 on machines that have it all: there a broken sandbox is a failure, never a skip.
"""

import os
from typing import NoReturn

import pytest


def lacking(reason: str) -> NoReturn:
    """Skip with the reason, or fail where CI says that nothing is lacking."""
    if os.environ.get("UNDERCAST_REQUIRE_NAMESPACE") == "1":
        pytest.fail(f"this machine is said to have what the test needs, but: {reason}")
    pytest.skip(reason)
