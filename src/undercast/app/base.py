"""The second step of a start: what every call of AWS's API needs, whatever its service.

Loaded right behind the ready line; a first call waits for all that is imported here. `tests/architecture/test_start.py`
names what may not be.
"""

from collections.abc import Mapping
from functools import partial

from undercast.app.door import Door
from undercast.core.arn import Arn
from undercast.core.clock import PlatformClock
from undercast.core.errors import ServiceError
from undercast.core.ids import SystemIds
from undercast.core.metrics import Metrics
from undercast.core.record import record
from undercast.events.arrivals import Arrivals
from undercast.events.causality import CausalLog
from undercast.events.outbox import Outbox
from undercast.gateway.auth import Authenticator, Authorizer, Gate
from undercast.gateway.cross_origin import page_allowed
from undercast.gateway.dispatch import Dispatcher, Tools
from undercast.gateway.request_log import RequestLog
from undercast.gateway.sites import Sites
from undercast.services import catalogue
from undercast.services.parts import Parts
from undercast.services.registry import Mounted, Services
from undercast.store import clock_offset
from undercast.store.blobs import BlobStore
from undercast.wire import sdk_calls


@record
class Base:
    """What everything above the store is made with, and what services are made with."""

    door: Door
    request_log: RequestLog
    dispatcher: Dispatcher
    parts: Parts


def make_base(door: Door, services: Services) -> Base:
    """The tables are there."""
    offset_s, jumps = clock_offset.offset_of(door.database), clock_offset.jumps_of(door.database)
    platform_clock = PlatformClock(door.host_clock, offset_s, jumps)
    causality = CausalLog(door.database, door.journal, platform_clock)
    ids, request_log = SystemIds(door.host_clock), RequestLog(door.folder.requests_log)
    tools = Tools(
        host_names=door.host_names,
        sites=Sites(catalogue.addresses()),
        causality=causality,
        platform_clock=platform_clock,
        host_clock=door.host_clock,
        ids=ids,
        request_log=request_log,
        default_region=door.config.default_region,
        endpoint=f"http://localhost:{door.config.port}",
    )
    dispatcher = Dispatcher(tools, services)
    parts = Parts(
        config=door.config,
        database=door.database,
        blobs=BlobStore(door.folder.blobs, door.database),
        journal=door.journal,
        outbox=Outbox(door.database, platform_clock, causality),
        arrivals=Arrivals(),
        metrics=Metrics(),
        causality=causality,
        platform_clock=platform_clock,
        host_clock=door.host_clock,
        ids=ids,
        internal=dispatcher.internal,
        sdk=sdk_calls,
    )
    return Base(door=door, request_log=request_log, dispatcher=dispatcher, parts=parts)


def gate_of(door: Door, services: Mapping[str, Mounted]) -> Gate:
    """Who guards the services, some of which may come later: IAM and STS are there."""
    iam, sts = services["iam"].instance, services["sts"].instance
    return Gate(
        authenticator=Authenticator(
            (iam.credential, sts.session),
            door.host_clock,
            issued_keys_only=not door.loopback,
            page_allowed=partial(page_allowed, services=services),
            used=iam.note_key_use,
        ),
        authorizer=Authorizer(iam.policies_of, door.host_clock, door.config.iam, partial(_tags_of, services)),
    )


def _tags_of(services: Mapping[str, Mounted], arn: str) -> Mapping[str, str]:
    """The tags of a resource, as its service tells; none where there is none, or no ARN, as a caller may send it."""
    try:
        mounted = services.get(Arn.parse(arn).service)
        if mounted is None or mounted.manifest.tags_of is None:
            return {}
        return mounted.manifest.tags_of(mounted.instance, arn)
    except ServiceError:
        return {}
