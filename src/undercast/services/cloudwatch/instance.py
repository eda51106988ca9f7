"""CloudWatch as its operations see it."""

from collections.abc import Callable
from typing import TypeVar

from undercast.core.clock import PlatformClock
from undercast.core.record import record
from undercast.services.cloudwatch.actions import ActionTarget
from undercast.services.cloudwatch.composites import Composites
from undercast.services.cloudwatch.evaluator import Evaluator
from undercast.services.cloudwatch.housekeeping import Housekeeping
from undercast.services.cloudwatch.intake import Intake
from undercast.services.cloudwatch.transitions import Transitions
from undercast.store.database import Database, Tx
from undercast.store.journal import Journal

T = TypeVar("T")


@record
class CloudWatch:
    """One per platform."""

    database: Database
    journal: Journal
    intake: Intake
    evaluator: Evaluator
    composites: Composites
    transitions: Transitions
    actions: ActionTarget
    housekeeping: Housekeeping
    clock: PlatformClock

    async def read(self, fn: Callable[[Tx], T]) -> T:
        """Read metrics, with all that has been measured until now."""
        self.intake.collect()
        return await self.journal.read(fn)
