"""What `app` gives every service at construction. Frozen; one per platform."""

from typing import Any, Protocol

from undercast.core.arn import Scope
from undercast.core.clock import HostClock, PlatformClock
from undercast.core.config import Config
from undercast.core.context import RequestContext
from undercast.core.identity import Principal
from undercast.core.ids import Ids
from undercast.core.metrics import Metrics
from undercast.core.record import record
from undercast.events.arrivals import Arrivals
from undercast.events.causality import CausalLog
from undercast.events.outbox import Outbox
from undercast.store.blobs import BlobStore
from undercast.store.database import Database
from undercast.store.journal import Journal


class Internal(Protocol):
    """Makes a context for work that no request caused: a timer, a sweep, a delivery."""

    def __call__(self, scope: Scope, principal: Principal, cause: Any = ...) -> RequestContext:
        """A context whose `call` works as in a request."""
        ...


class SdkCalls(Protocol):
    """Operations by their SDKs' names, with parameters as JSON: `wire.sdk_calls`, which services cannot reach."""

    def operation_of(self, service: str, action: str) -> tuple[str, str] | None:
        """botocore's service and operation; None for what AWS does not have."""
        ...

    def parameters_of(self, service: str, operation: str, document: Any) -> dict[str, Any]:
        """As `ctx.call` takes them. Raises the service's validation errors."""
        ...


@record
class Parts:
    """The platform's parts, as services see them."""

    config: Config
    database: Database
    blobs: BlobStore
    journal: Journal
    outbox: Outbox
    arrivals: Arrivals
    metrics: Metrics
    causality: CausalLog
    platform_clock: PlatformClock
    host_clock: HostClock
    ids: Ids
    internal: Internal
    sdk: SdkCalls
