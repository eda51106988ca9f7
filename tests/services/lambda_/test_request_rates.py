"""Requests of Lambda's control plane that are held to AWS's rates, as an SDK meets them."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from tests.platform import running


def test_the_control_plane_is_throttled_when_asked_for() -> None:
    """--throttle-requests: 15 a second. An SDK's retries get through; a client without them is told why not."""
    with running(options=["--throttle-requests"]) as platform, ThreadPoolExecutor(8) as threads:
        once = platform.client("lambda", retries={"total_max_attempts": 1})

        def ask(_: int) -> Any:
            try:
                return once.list_functions()["ResponseMetadata"]["HTTPStatusCode"]
            except ClientError as error:
                return error.response

        answers = list(threads.map(ask, range(300)))
        refused = [answer for answer in answers if answer != 200]
        assert len(answers) - len(refused) >= 15
        assert {(one["Error"]["Code"], one["Error"]["Message"], one["Type"], one["Reason"]) for one in refused} == {
            ("TooManyRequestsException", "Rate exceeded", "User", "CallerRateLimitExceeded")
        }
        assert {one["ResponseMetadata"]["HTTPStatusCode"] for one in refused} == {429}
        platform.advance(1)
        patient = platform.client("lambda", retries={"mode": "standard", "total_max_attempts": 10})
        asked = list(threads.map(lambda _: patient.list_functions()["ResponseMetadata"]["RetryAttempts"], range(40)))
        assert sum(asked) > 0
