"""Sends what a pipe has given up to its dead-letter queue or topic, as the pipe's role.

AWS: EventBridge Pipes API Reference, PipeSourceDynamoDBStreamParameters, DeadLetterConfig.
"""

import logging

from undercast.core.context import Cause
from undercast.core.errors import ServiceError
from undercast.core.identity import service_principal
from undercast.events.delivery import Delivery, Outcome
from undercast.services import roles
from undercast.services.pipes.instance import Pipes
from undercast.services.pipes.models import PRINCIPAL
from undercast.services.target_calls import BACKOFF, KINDS, Letter, is_transient, send

log = logging.getLogger(__name__)

LONGEST_S = 21_600.0
"""How long a queue that fails with a fault of its own is tried. AWS does not say."""


class DeadLetterTarget:
    """See `events.delivery.Target`."""

    def __init__(self, pipes: Pipes) -> None:
        self._pipes = pipes

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once; a refusal ends it."""
        principal = service_principal(PRINCIPAL, delivery.scope.account_id)
        ctx = self._pipes.internal(delivery.scope, principal, Cause(kind="delivery", id=delivery.id))
        role = await roles.session_of(ctx, PRINCIPAL, delivery.attributes["role_arn"], "EventBridgePipes")
        letter = Letter(arn=delivery.target_arn, text=delivery.payload.decode())
        try:
            await send(ctx, KINDS[delivery.attributes["service"]], role, letter)
        except ServiceError as error:
            now = self._pipes.clock.now()
            if is_transient(error) and now - delivery.created_at < LONGEST_S:
                due_at = now + BACKOFF.wait_s(delivery.attempts)
                return Outcome(kind="retry", due_at=due_at, counted=True, reason=error.message)
            log.warning("%s cannot be sent to %s: %s", delivery.id, delivery.target_arn, error)
            return Outcome(kind="dead", reason=error.message)
        return Outcome(kind="done")
