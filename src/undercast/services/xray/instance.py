"""The X-Ray service as its operations see it."""

from dataclasses import field

from undercast.core.clock import PlatformClock
from undercast.core.context import RequestContext
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.services.parts import Internal
from undercast.services.xray.export import Exporter
from undercast.services.xray.intake import Intake
from undercast.services.xray.sampling import Reservoirs
from undercast.services.xray.upkeep import Upkeep
from undercast.store.database import Database
from undercast.store.journal import Journal


@record
class XRay:
    """One per platform."""

    database: Database
    journal: Journal
    intake: Intake
    upkeep: Upkeep
    exporter: Exporter | None
    internal: Internal
    clock: PlatformClock
    ids: Ids
    reservoirs: Reservoirs = field(default_factory=Reservoirs)


def arn_of(ctx: RequestContext, resource: str) -> str:
    """The ARN of a group or a rule, e.g. of "group/slow/ABC"."""
    return f"arn:aws:xray:{ctx.region}:{ctx.account_id}:{resource}"
