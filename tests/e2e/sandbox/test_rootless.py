"""Extensions and telemetry once more, as a user with no rights at all: the socket into the sandbox needs no root."""

import os
from pathlib import Path

import pytest

from tests.unprivileged import run_tests

HERE = Path(__file__).parent
TESTS = (
    "test_extensions.py::test_runtime_with_an_internal_extension_may_end_gracefully",
    "test_extensions.py::test_timeout_tells_extensions_why",
    "test_telemetry.py::test_extension_receives_telemetry",
    "test_snapstart.py::test_aws_runtime_client_is_restored_or_initialised_ahead",
)


@pytest.mark.skipif(os.geteuid() != 0, reason="these tests run without root already")
@pytest.mark.needs("setpriv")
@pytest.mark.timeout(300)
def test_extensions_without_root() -> None:
    """Rootless bare: one mapped uid, no cgroups, no loop devices."""
    run_tests(*(str(HERE / test) for test in TESTS), timeout_s=280)
