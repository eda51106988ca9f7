"""Two updates of one pipe at once: the later one is made of what the earlier one left."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.fakes import CountingIds, FakeClock
from tests.state import open_state
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.context import EXTERNAL, RequestContext
from undercast.core.errors import not_implemented
from undercast.core.identity import Principal, root_principal
from undercast.core.metrics import Metrics
from undercast.events.arrivals import Arrivals
from undercast.services.pipes import schema, store
from undercast.services.pipes.instance import Pipes
from undercast.services.pipes.measures import Measures
from undercast.services.pipes.models import RUNNING
from undercast.services.pipes.running import running
from undercast.services.pipes.service import MANIFEST
from undercast.services.pipes.troubles import Troubles
from undercast.store.database import Tx

SCOPE = Scope(AccountId("111122223333"), Region("us-west-2"))
QUEUE = f"arn:aws:sqs:{SCOPE.region}:{SCOPE.account_id}:"
ROLE = f"arn:aws:iam::{SCOPE.account_id}:role/plumber"


class Caller:
    """An account's root. While an update asks whether Pipes may assume the role, another one is committed and ends."""

    def __init__(self, pipes: Pipes, clock: FakeClock) -> None:
        self.pipes = pipes
        self.clock = clock
        self.overtaking: dict[str, Any] = {}

    async def call(self, operation: str, **params: Any) -> Any:
        """Run an operation as dispatch does."""
        ctx = RequestContext(
            request_id="r",
            scope=SCOPE,
            principal=root_principal(SCOPE.account_id),
            cause=EXTERNAL,
            clock=self.clock,
            host_clock=self.clock.host,
            ids=self.pipes.ids,
            caller=_nobody,
            permits=self._permits,
            operation=operation,
        )
        return await MANIFEST.operations[operation](self.pipes, ctx, params)

    def change(self, given: Mapping[str, Any]) -> None:
        """A change that has been made, and has ended."""

        def write(tx: Tx) -> None:
            pipe = store.existing(tx, SCOPE, "p")
            store.put(tx, replace(pipe, given={**pipe.given, **given}, state=RUNNING))

        self.pipes.database.write_now(write)

    async def _permits(
        self, principal: Principal, action: str, resource_arn: str, conditions: Mapping[str, str]
    ) -> bool:
        overtaking, self.overtaking = self.overtaking, {}
        if overtaking:
            self.change(overtaking)
        return True


async def _nobody(
    ctx: RequestContext, service: str, operation: str, params: Mapping[str, Any], checked: bool = False
) -> dict[str, Any]:
    raise not_implemented(service, operation)


async def test_update_keeps_what_another_one_gave_meanwhile(tmp_path: Path) -> None:
    """AWS: API Reference, UpdatePipe: only the fields of the request are updated, the rest remain unchanged."""
    clock = FakeClock()
    async with open_state(tmp_path, clock, schemas={"pipes": schema.SCHEMA}) as state:
        pipes = Pipes(
            database=state.database,
            arrivals=Arrivals(),
            outbox=state.outbox,
            causality=state.causality,
            internal=lambda scope, principal, cause=EXTERNAL: _never(),
            clock=clock,
            ids=CountingIds(),
            running=running(state.database, clock),
            troubles=Troubles(),
            measures=Measures(Metrics(), clock, clock.host),
        )
        caller = Caller(pipes, clock)
        await caller.call("CreatePipe", Name="p", Source=QUEUE + "from", Target=QUEUE + "to", RoleArn=ROLE)
        caller.change({})
        caller.overtaking = {"Description": "theirs"}
        await caller.call("UpdatePipe", Name="p", RoleArn=ROLE, Target=QUEUE + "elsewhere")
        found = await caller.call("DescribePipe", Name="p")
        assert (found["Description"], found["Target"]) == ("theirs", QUEUE + "elsewhere")


def _never() -> RequestContext:
    raise AssertionError("no pipe is read here")
