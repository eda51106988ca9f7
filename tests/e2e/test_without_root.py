"""A whole platform without root: hostile functions, sudden death, IAM and the command line, as a user with no rights.

The tests are those that run as root, started once more as nobody: a share of what isolation touches
each time, all when slow.
"""

import os

import pytest

from tests.unprivileged import run_tests

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="these tests run without root already"),
    pytest.mark.needs("setpriv"),
]

HOSTILE = "tests/security/hostile/"
SHARE = {
    "hostile functions": (f"{HOSTILE}test_functions.py", "-k", "ignores or memory or exit or fork or credentials"),
    "sudden death": ("tests/crash/test_platform_kill.py", "-k", "outlives and auto or log_of_a_function"),
}
WHOLE = {
    "hostile functions": (HOSTILE,),
    "sudden death": ("tests/crash", "-m", "not slow"),
    "IAM": ("tests/services/iam", "tests/services/sts"),
    "Lambda and logs": ("tests/services/lambda_", "tests/services/logs"),
    "command line": ("tests/e2e/test_cli.py", "tests/e2e/test_finding.py"),
    "options": ("tests/e2e/test_options.py", "tests/e2e/test_invariants.py", "tests/e2e/test_trace.py"),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", SHARE)
def test_a_share_of_the_suite_holds_without_root(part: str) -> None:
    """Rootless: one mapped uid, no cgroups, no loop devices."""
    run_tests(*SHARE[part], timeout_s=280)


@pytest.mark.slow
@pytest.mark.timeout(1900)
@pytest.mark.parametrize("part", WHOLE)
def test_the_suite_holds_without_root(part: str) -> None:
    """Everything, not a share."""
    run_tests(*WHOLE[part], timeout_s=1800)
