"""How many invocations run at once, and when AWS would answer 429.

Counters in memory only; one number per function and per scope. Admission by what the machine can run is the pool's.
AWS: Lambda Developer Guide, "Understanding Lambda function scaling", "Configuring reserved concurrency".
"""

from undercast.core.arn import Scope
from undercast.services.lambda_.errors import throttled

ACCOUNT_LIMIT = 1000
MIN_UNRESERVED = 100


class Concurrency:
    """Counts what runs. `enter` and `leave` come in pairs."""

    def __init__(self) -> None:
        self._reserved: dict[str, int] = {}
        self._unreserved: dict[Scope, int] = {}

    def enter(self, function_arn: str, scope: Scope, reserved: int | None, unreserved_limit: int) -> None:
        """Count one more. Raises TooManyRequestsException where AWS throttles."""
        if reserved is not None:
            running = self._reserved.get(function_arn, 0)
            if running >= reserved:
                raise throttled("ReservedFunctionConcurrentInvocationLimitExceeded")
            self._reserved[function_arn] = running + 1
            return
        running = self._unreserved.get(scope, 0)
        if running >= unreserved_limit:
            raise throttled("ConcurrentInvocationLimitExceeded")
        self._unreserved[scope] = running + 1

    def leave(self, function_arn: str, scope: Scope, reserved: int | None) -> None:
        """One less, by the same setting it was counted under."""
        if reserved is not None:
            left = self._reserved[function_arn] - 1
            if left:
                self._reserved[function_arn] = left
            else:
                del self._reserved[function_arn]
        else:
            self._unreserved[scope] -= 1
