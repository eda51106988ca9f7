"""What comes of a batch when its target fails, or when the pipe ends while the target waits.

AWS: EventBridge User Guide, "Amazon EventBridge Pipes batching and concurrency" (partial batch failure).
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.fakes import CountingIds, FakeClock
from tests.state import State, open_state
from tests.unit.auth.requests import context
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.context import EXTERNAL, RequestContext
from undercast.core.identity import Principal
from undercast.core.metrics import Metrics
from undercast.core.tasks import NotBegun
from undercast.services.pipes.consumer import Consumer
from undercast.services.pipes.execution import Execution
from undercast.services.pipes.instance import Pipes
from undercast.services.pipes.measures import Measures
from undercast.services.pipes.models import RUNNING, Pipe
from undercast.services.pipes.troubles import Troubles

SCOPE = Scope(AccountId("1" * 12), Region("us-east-1"))
ENRICHMENT = f"arn:aws:lambda:us-east-1:{SCOPE.account_id}:function:enrich"
QUEUE = f"arn:aws:sqs:us-east-1:{SCOPE.account_id}:q"
PIPE = Pipe(
    id="1", scope=SCOPE, name="p",
    given={"RoleArn": f"arn:aws:iam::{SCOPE.account_id}:role/r", "Source": QUEUE + "source", "Target": QUEUE},
    tags={}, desired=RUNNING, state=RUNNING, created_at=0.0, changed_at=0.0,
)  # fmt: skip
EVENTS = [{"messageId": "a"}, {"messageId": "b"}]


class Services:
    """The rest of the platform: what the enrichment answers, and a queue that takes no message or does not answer."""

    def __init__(self, state: State, enriched: Any, *, stopped: bool = False) -> None:
        self._enriched, self._stopped = enriched, stopped
        self.called: list[tuple[str, Mapping[str, Any]]] = []
        """Operations of other services than IAM, with their parameters."""
        clock = FakeClock()
        self.pipes = Pipes(
            database=state.database,
            arrivals=cast(Any, None),
            outbox=state.outbox,
            causality=state.causality,
            internal=self._internal,
            clock=clock,
            ids=CountingIds(),
            running=cast(Any, None),
            troubles=Troubles(),
            measures=Measures(Metrics(), clock, clock),
        )

    def execution(self, *, enriched: bool, **given: Any) -> Execution:
        """Of a pipe with or without an enrichment."""
        more = {"Enrichment": ENRICHMENT} if enriched else {}
        pipe = replace(PIPE, given={**PIPE.given, **more, **given})
        return Execution(self.pipes, pipe, Consumer(self.pipes, pipe))

    def _internal(self, scope: Scope, principal: Principal, cause: Any = EXTERNAL) -> RequestContext:
        return replace(context(principal, scope.account_id), caller=self._call, permits=self._permits, cause=cause)

    async def _permits(self, *_: Any, **__: Any) -> bool:
        return True

    async def _call(
        self, ctx: RequestContext, service: str, operation: str, params: Mapping[str, Any], checked: bool = False
    ) -> dict[str, Any]:
        if service != "iam":
            self.called.append((operation, params))
        if service == "lambda" and params["InvocationType"] == "Event":
            return {}  # 202
        if service == "lambda":
            return {"Payload": json.dumps(self._enriched).encode()}
        if service == "sqs":
            if self._stopped:
                raise NotBegun
            failed = [{"Id": one["Id"], "Code": "E", "Message": "no"} for one in params["Entries"][1:]]
            return {"Successful": [], "Failed": failed}
        return {}


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[State]:
    """An empty data folder."""
    async with open_state(tmp_path, FakeClock()) as opened:
        yield opened


@pytest.mark.parametrize(
    ("enriched", "failed"),
    [
        ([{"messageId": "a"}, {"messageId": "b"}], ["b"]),
        ([{"n": 1}, {"n": 2}], ["a", "b"]),
        ([1, 2], ["a", "b"]),
        ([{"messageId": "a"}, {"messageId": "other"}], ["a", "b"]),
    ],
)
async def test_all_have_failed_where_what_failed_does_not_say_whose_it_is(
    state: State, enriched: Any, failed: list[str]
) -> None:
    """An enrichment may leave ids out, and the target takes the first of what it made and not the second."""
    assert sorted(await Services(state, enriched).execution(enriched=True).run(EVENTS, "message")) == failed


@pytest.mark.parametrize(
    ("enriched", "is_sent"),
    [([], False), ({}, False), ("", False), (None, False), ([{}], True), ([""], True), (0, True), (False, True)],
)
async def test_an_enrichment_that_answers_with_nothing_skips_the_target(
    state: State, enriched: Any, is_sent: bool
) -> None:
    """AWS: User Guide, "Event enrichment": [], {} and "" leave the target out. The batch is done."""
    services = Services(state, enriched)
    failed = await services.execution(enriched=True).run(EVENTS[:1], "message")
    assert list(failed) == []
    sent = [operation for operation, _ in services.called]
    assert sent == (["Invoke", "SendMessageBatch"] if is_sent else ["Invoke"])


@pytest.mark.parametrize(
    ("how", "invocation", "failed"),
    [
        ("FIRE_AND_FORGET", "Event", []),
        ("REQUEST_RESPONSE", "RequestResponse", ["b"]),
        (None, "RequestResponse", ["b"]),
    ],
)
async def test_a_function_that_is_not_waited_for_can_fail_nothing(
    state: State, how: str | None, invocation: str, failed: list[str]
) -> None:
    """AWS: Pipes API Reference, PipeTargetLambdaFunctionParameters, InvocationType."""
    services = Services(state, {"batchItemFailures": [{"itemIdentifier": "b"}]})
    more = {"TargetParameters": {"LambdaFunctionParameters": {"InvocationType": how}}} if how else {}
    found = await services.execution(enriched=False, Target=ENRICHMENT, **more).run(EVENTS, "message")
    assert sorted(found) == failed
    ((operation, params),) = services.called
    assert (operation, params["InvocationType"], params["FunctionName"]) == ("Invoke", invocation, ENRICHMENT)
    assert json.loads(params["Payload"]) == EVENTS


@pytest.mark.parametrize(("enriched", "kind"), [(False, NotBegun), (True, asyncio.CancelledError)])
async def test_events_that_an_enrichment_saw_are_not_given_back_as_if_unseen(
    state: State, enriched: bool, kind: type[BaseException]
) -> None:
    """The pipe ends while its target waits for its turn: a receive counts where an enrichment had the events."""
    with pytest.raises(asyncio.CancelledError) as caught:
        await Services(state, EVENTS, stopped=True).execution(enriched=enriched).run(EVENTS, "message")
    assert caught.type is kind
