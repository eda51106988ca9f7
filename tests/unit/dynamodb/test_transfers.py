"""Exports and imports that meet what nobody expected. AWS: none; the messages are ours."""

import sqlite3
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from tests.fakes import CountingIds, FakeClock
from tests.services.dynamodb.conftest import definition
from tests.state import open_state
from undercast.core import recurring
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.context import EXTERNAL, RequestContext
from undercast.core.identity import Principal, service_principal
from undercast.core.metrics import Metrics
from undercast.events.arrivals import Arrivals
from undercast.services.dynamodb import exporting, importing, schema, transfers
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.measures import Measures
from undercast.services.dynamodb.tables import Tables
from undercast.services.dynamodb.throttle import Throttle

SCOPE = Scope(AccountId("000000000000"), Region("us-east-1"))
TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/t"


def no_s3(scope: Scope, principal: Principal, cause: Any = EXTERNAL) -> RequestContext:
    """Its disk is broken."""
    clock = FakeClock()

    async def call(
        ctx: RequestContext, service: str, operation: str, params: Mapping[str, Any], checked: bool = False
    ) -> dict[str, Any]:
        raise OSError("Input/output error")

    return RequestContext(
        request_id="r",
        scope=scope,
        principal=principal,
        cause=cause,
        clock=clock,
        host_clock=clock.host,
        ids=CountingIds(),
        caller=call,
        permits=cast(Any, None),
    )


@pytest.fixture
async def dynamo(tmp_path: Path) -> AsyncIterator[Dynamo]:
    """DynamoDB beside a broken S3."""
    clock = FakeClock()
    measures = Measures(Metrics(), clock)
    async with open_state(tmp_path, clock, schemas={"dynamodb": schema.SCHEMA}) as state:
        yield Dynamo(
            database=state.database,
            tables=Tables(state.database),
            causality=state.causality,
            arrivals=Arrivals(),
            outbox=state.outbox,
            throttle=Throttle(clock, measures, enabled=False),
            measures=measures,
            clock=clock,
            ids=CountingIds(),
            internal=no_s3,
        )


@pytest.mark.parametrize("kind", [transfers.EXPORT, transfers.IMPORT])
async def test_whatever_happens_a_transfer_ends(dynamo: Dynamo, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAILED with why, once the store takes it: it is asked again after a rest."""
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr(recurring, "rest", rest)
    name, run = ("Export", exporting.run) if kind == transfers.EXPORT else ("Import", importing.run)
    arn = f"{TABLE}/{kind}/1"
    description = {
        f"{name}Arn": arn, f"{name}Status": "IN_PROGRESS", "StartTime": dynamo.clock.now(), "TableId": "1",
        "S3Bucket": "b", "S3BucketSource": {"S3Bucket": "b"}, "InputFormat": "CSV",
        "TableCreationParameters": definition("pk:S"),
    }  # fmt: skip
    ctx = no_s3(SCOPE, service_principal("test", SCOPE.account_id))
    transfer = await dynamo.database.write(lambda tx: transfers.add(tx, ctx, kind, (TABLE, ""), description))
    note, refusals = transfers.note, 2

    def refusing(*given: Any) -> bool:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            raise sqlite3.OperationalError("database or disk is full")
        return note(*given)

    monkeypatch.setattr(transfers, "note", refusing)
    monkeypatch.setattr(importing._Import, "_table", lambda self, tx: object() if refusals == 2 else None)
    await run(dynamo, transfer)
    found = dynamo.database.read_now(lambda tx: transfers.find(tx, arn))
    assert found is not None
    assert (found.description[f"{name}Status"], found.description["FailureCode"]) == ("FAILED", "InternalServerError")
    assert "Input/output error" in found.description["FailureMessage"]
    assert found.description["EndTime"] == dynamo.clock.now()
    assert rests == [1, 2]
