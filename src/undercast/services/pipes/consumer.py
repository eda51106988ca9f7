"""Who reads a pipe's source: the pipe, as its role.

AWS: EventBridge User Guide, "Amazon EventBridge Pipes permissions".
"""

from collections.abc import Sequence
from dataclasses import replace

from undercast.core.arn import Arn
from undercast.core.context import Cause, RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal, service_principal
from undercast.events.causality import Edge
from undercast.events.poller import Unavailable
from undercast.services import roles
from undercast.services.pipes.instance import Pipes
from undercast.services.pipes.models import PRINCIPAL, Pipe


class Consumer:
    """One per pipe. See `event_sources.reading.Reader`."""

    def __init__(self, pipes: Pipes, pipe: Pipe) -> None:
        self._pipes = pipes
        self._pipe = pipe

    async def context(self) -> RequestContext:
        """For calls to the source. Raises Unavailable while the role cannot be assumed."""
        source = Arn.parse(self._pipe.source)
        scope = self._pipe.scope._replace(region=type(self._pipe.scope.region)(source.region))
        try:
            return replace(await self.as_role(Cause(kind="internal")), scope=scope)
        except ServiceError as error:
            raise Unavailable(error.message) from error

    async def as_role(self, cause: Cause) -> RequestContext:
        """For calls to enrichment and target. Raises AccessDeniedException."""
        role = await self._role()
        return self._pipes.internal(self._pipe.scope, role, cause)

    async def _role(self) -> Principal:
        pipe, role_arn = self._pipe, self._pipe.given["RoleArn"]
        ctx = self._pipes.internal(pipe.scope, service_principal(PRINCIPAL, pipe.scope.account_id))
        conditions = {"aws:SourceArn": pipe.arn, "aws:SourceAccount": str(pipe.scope.account_id)}
        if not await roles.trusts(ctx, PRINCIPAL, role_arn, conditions):
            raise ServiceError("AccessDeniedException", f"EventBridge Pipes may not assume {role_arn}", 403)
        return await roles.session_of(ctx, PRINCIPAL, role_arn, pipe.name)

    def note(self, execution_id: str, kind: str, ids: Sequence[str]) -> None:
        """An execution has several causes: one edge from each message or record of it (I10)."""
        edge = Edge(
            from_kind=kind,
            from_id="",
            to_kind="delivery",
            to_id=execution_id,
            label=f"pipe {self._pipe.name}: {len(ids)} from {self._pipe.source}",
            at=self._pipes.clock.now(),
            scope=self._pipe.scope,
        )
        self._pipes.causality.gathered(edge, ids)

    def left_out(self, kind: str, number: int, ids: Sequence[str]) -> None:
        """See `Reader`."""
        note = f"{number} filtered out by pipe {self._pipe.name}"
        self._pipes.causality.filtered_out(kind, ids, note, self._pipe.scope)
