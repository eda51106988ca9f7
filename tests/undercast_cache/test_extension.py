"""The cache extension's own tests, written in Go beside it and built by tools/setup_sdks.sh."""

import subprocess

from tests.conformance.sdks.programs import installed


def test_the_extensions_own_tests_pass() -> None:
    """Configuration, cache and both HTTP interfaces, against a service that answers as AWS's APIs do."""
    done = subprocess.run(
        [str(installed("cache/cache.test")), "-test.v"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--- PASS: TestCallersThatMissAtOnceShareOneFetch" in done.stdout
