"""How many requests of Lambda's control plane a second takes, where they are held to it (`--throttle-requests`).

Per account and region, in memory, on the platform clock: a bucket that holds one second's worth. Without the option
everything passes, so that a deployment takes as long as its work, and no test has to wait for a rate.
AWS: Lambda Developer Guide, "Lambda quotas", "Lambda API requests": GetFunction 100 a second, GetPolicy 15, all others
together 15; invocations are not among them (`concurrency`).
"""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from undercast.core.arn import Scope
from undercast.core.clock import PlatformClock
from undercast.core.context import RequestContext
from undercast.core.rates import Buckets
from undercast.core.service import OperationFunction, Params, Reply
from undercast.services.lambda_.errors import too_many_requests

if TYPE_CHECKING:
    from undercast.services.lambda_.instance import Lambda

INVOCATIONS = frozenset({"Invoke", "InvokeAsync", "InvokeWithResponseStream"})
OWN_RATES: Mapping[str, float] = MappingProxyType({"GetFunction": 100.0, "GetPolicy": 15.0})
SHARED_RATE = 15.0


class RequestRates:
    """The buckets of all accounts and regions."""

    def __init__(self, clock: PlatformClock, *, enabled: bool) -> None:
        self._enabled = enabled
        self._buckets: Buckets[tuple[Scope, str]] = Buckets(clock)

    def count(self, scope: Scope, operation: str) -> None:
        """One more request. Raises TooManyRequestsException where this second has had its share."""
        if not self._enabled:
            return
        rate = OWN_RATES.get(operation, SHARED_RATE)
        bucket = self._buckets.find((scope, operation if operation in OWN_RATES else ""), rate, rate)
        if bucket.left < 1:
            raise too_many_requests()
        bucket.left -= 1


def held_to_rates(operations: Mapping[str, OperationFunction]) -> dict[str, OperationFunction]:
    """Each operation of the control plane counts before it begins, whoever calls it."""
    return {name: one if name in INVOCATIONS else _counted(name, one) for name, one in operations.items()}


def _counted(name: str, function: OperationFunction) -> OperationFunction:
    @functools.wraps(function)
    async def count(functions: "Lambda", ctx: RequestContext, params: Params) -> Mapping[str, Any] | Reply | None:
        functions.rates.count(ctx.scope, name)
        return await function(functions, ctx, params)

    return count
