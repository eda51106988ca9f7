"""The function of an event source mapping, as every kind of source uses it.

Looked up anew for each batch: it may have been updated, throttled or deleted meanwhile. Invoked as others are, through
the same lanes of concurrency, behind the synchronous ones.
AWS: Lambda Developer Guide, "How Lambda processes records from stream and queue-based event sources".
"""

from collections.abc import Sequence

from undercast.core.context import Cause, RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal, service_principal
from undercast.events.causality import Edge
from undercast.events.poller import Unavailable
from undercast.sandbox.model import Invocation, InvocationResult
from undercast.services.lambda_.catalog import Resolved
from undercast.services.lambda_.execution import NO_CHAIN, run, version_to_run
from undercast.services.lambda_.instance import PRINCIPAL, Lambda
from undercast.services.lambda_.lineage import Chain
from undercast.services.lambda_.mapping_store import EventSourceMapping
from undercast.services.lambda_.roles import session_of
from undercast.services.lambda_.tracing import trace_header

FAILED = "PROBLEM: Function call failed"


class Consumer:
    """One per mapping."""

    def __init__(self, functions: Lambda, mapping: EventSourceMapping) -> None:
        self._functions = functions
        self._mapping = mapping
        self._session: Principal | None = None

    def crowded(self) -> bool:
        """Whether invocations of it wait for an environment."""
        known = self._functions.catalog.peek(self._mapping.scope, self._mapping.function_arn, None)
        return known is not None and self._functions.environments.waiting(known.function)

    async def resolve(self) -> Resolved:
        """What runs. Raises Unavailable."""
        try:
            return await self._functions.catalog.resolve(self._mapping.scope, self._mapping.function_arn)
        except ServiceError as error:
            raise Unavailable(error.message) from error

    async def context(self) -> RequestContext:
        """For calls to the source, as the role of the function that there is now. Raises Unavailable."""
        return await self.as_role(await self.resolve())

    async def as_role(self, resolved: Resolved) -> RequestContext:
        """A context for calls to the source.

        The session stays while the function has this role: what the role may do is looked up for each call. One that
        IAM does not know is asked for again, for it may be made later.
        """
        scope, role_arn, session = self._mapping.scope, resolved.function.role_arn, self._session
        if session is None or session.role_arn != role_arn or not session.known:
            ctx = self._functions.internal(scope, service_principal(PRINCIPAL, scope.account_id))
            session = self._session = await session_of(ctx, role_arn, resolved.function.name)
        return self._functions.internal(scope, session)

    async def run(
        self,
        resolved: Resolved,
        request_id: str,
        payload: bytes,
        trace_headers: tuple[str, ...] = (),
        chain: Chain = NO_CHAIN,
    ) -> InvocationResult:
        """Invoke it; `trace_headers` are those of its messages, `chain` is what led to all of them.

        Raises ServiceError: TooManyRequestsException where it is throttled, RecursiveInvocationException.
        """
        function, now = version_to_run(self._functions, resolved), self._functions.clock.now()
        invocation = Invocation(
            request_id=request_id,
            function=function,
            payload=payload,
            invoked_arn=resolved.invoked_arn,
            cause=Cause(kind="delivery", id=request_id),
            trace_header=trace_header("", self._functions.ids, now, active=function.traces_actively),
            linked_headers=trace_headers,
            synchronous=False,
        )
        return await run(self._functions, resolved, invocation, "", chain)

    def note(self, request_id: str, kind: str, ids: Sequence[str]) -> None:
        """A batch has several causes: one edge from each message or record of it (I10)."""
        edge = Edge(
            from_kind=kind,
            from_id="",
            to_kind="delivery",
            to_id=request_id,
            label=f"batch of {len(ids)} from {self._mapping.source_arn}",
            at=self._functions.clock.now(),
            scope=self._mapping.scope,
        )
        self._functions.causality.gathered(edge, ids)

    def left_out(self, kind: str, number: int, ids: Sequence[str]) -> None:
        """See `Reader`."""
        mapping = self._mapping
        note = f"{number} filtered out by event source mapping {mapping.id} of {mapping.function_arn}"
        self._functions.causality.filtered_out(kind, ids, note, mapping.scope)

    def not_delivered(self, request_id: str, error: ServiceError | Unavailable) -> None:
        """Note why a batch led to no invocation: the function is throttled or gone, or cannot run on this machine."""
        self._functions.causality.not_delivered(request_id, str(error), self._mapping.scope)
