"""SQS as its operations see it."""

from dataclasses import field

from undercast.core.clock import PlatformClock
from undercast.core.context import RequestContext
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.core.service import Access
from undercast.events.causality import CausalLog
from undercast.services.parts import Internal
from undercast.services.sqs.housekeeping import Housekeeping
from undercast.services.sqs.measures import Measures
from undercast.services.sqs.models import Queue, QueueName, named_by_url
from undercast.services.sqs.moving import Moves
from undercast.services.sqs.queues import Queues
from undercast.services.sqs.waiting import Waiting
from undercast.store.database import Database


@record
class Sqs:
    """One per platform."""

    database: Database
    queues: Queues
    waiting: Waiting
    moves: Moves
    housekeeping: Housekeeping
    measures: Measures
    causality: CausalLog
    internal: Internal
    clock: PlatformClock
    ids: Ids
    accesses: dict[tuple[str, QueueName], tuple[Queue, Access]] = field(default_factory=dict)
    """What an action on a queue needs, by both, for as long as the queue is this one."""

    def queue(self, ctx: RequestContext, url: str) -> Queue:
        """The queue of a QueueUrl. Raises QueueDoesNotExist."""
        return self.queues.get(named_by_url(url, ctx.region))
