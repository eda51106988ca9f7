"""What the pool is made of, and what it gives to each environment that it makes.

AWS: none.
"""

from dataclasses import field
from pathlib import Path

from undercast.core.clock import HostClock, PlatformClock
from undercast.core.config import Config
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.sandbox.admission import Limits
from undercast.sandbox.creation import Creation, Site
from undercast.sandbox.debugging.registry import Debugging
from undercast.sandbox.driver import Driver
from undercast.sandbox.environment import Owner, Watchers
from undercast.sandbox.log_pipes import LogFlow
from undercast.sandbox.logs import ERAS
from undercast.sandbox.model import CauseBook, CredentialSource, FrontDoor, LogSink, TraceSink
from undercast.sandbox.runtimes.plan import Runtimes


@record
class PoolParts:
    """What the pool is made of; given by `app`."""

    driver: Driver
    runtimes: Runtimes
    logs: LogSink
    credentials: CredentialSource
    front_door: FrontDoor
    causes: CauseBook
    host_clock: HostClock
    platform_clock: PlatformClock
    ids: Ids
    config: Config
    limits: Limits
    traces: TraceSink | None = None
    ca_bundle: Path | None = None
    debugging: Debugging = field(default_factory=Debugging)


def creation(parts: PoolParts, front_door_port: int) -> Creation:
    """Makes the environments; the port is the one that the front door really has."""
    return Creation(
        driver=parts.driver,
        logs=parts.logs,
        credentials=parts.credentials,
        front_door=parts.front_door,
        ids=parts.ids,
        platform_clock=parts.platform_clock,
        traces=parts.traces,
        debugging=parts.debugging,
        site=Site(
            front_door_port=front_door_port,
            forward_ports=parts.config.forward_ports,
            ca_bundle=parts.ca_bundle,
        ),
    )


def watchers(parts: PoolParts, owner: Owner) -> Watchers:
    """Who is told what an environment does."""
    return Watchers(
        causes=parts.causes,
        host_clock=parts.host_clock,
        platform_clock=parts.platform_clock,
        ids=parts.ids,
        cores=parts.limits.cores,
        flow=LogFlow(),
        billing=ERAS[parts.config.billing],
        log_payloads=parts.config.log_payloads,
        profile=parts.config.profile,
        traces=parts.traces,
        owner=owner,
    )
