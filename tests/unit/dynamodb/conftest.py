"""DynamoDB without sockets: the operations on a real database."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from tests.services.dynamodb.conftest import definition
from tests.state import State, open_state
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.clock import HostClock, PlatformClock
from undercast.core.context import EXTERNAL, RequestContext
from undercast.core.identity import service_principal
from undercast.core.ids import SystemIds
from undercast.core.metrics import Metrics
from undercast.events.arrivals import Arrivals
from undercast.services.dynamodb import schema
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.measures import Measures
from undercast.services.dynamodb.service import MANIFEST
from undercast.services.dynamodb.tables import Tables
from undercast.services.dynamodb.throttle import Throttle
from undercast.services.dynamodbstreams import schema as streams_schema

ACCOUNT = AccountId("000000000000")


@dataclass(frozen=True, kw_only=True)
class Ground:
    """DynamoDB on an empty database, with a table that has a stream."""

    dynamo: Dynamo
    ctx: RequestContext
    state: State
    stream_arn: str
    metrics: Metrics

    async def put(self, ctx: RequestContext, **more: Any) -> None:
        """One item."""
        await MANIFEST.operations["PutItem"](
            self.dynamo, ctx, {"TableName": "watched", "Item": {"pk": {"S": "a"}, "r": {"S": ctx.request_id}}, **more}
        )


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    """See `Ground`."""
    host, unused = HostClock(), cast(Any, None)
    clock = PlatformClock(host)
    metrics = Metrics()
    measures = Measures(metrics, clock)
    schemas = {"dynamodb": schema.SCHEMA, "dynamodbstreams": streams_schema.SCHEMA}
    async with open_state(tmp_path, clock, schemas=schemas) as state:
        dynamo = Dynamo(
            database=state.database,
            tables=Tables(state.database),
            causality=state.causality,
            arrivals=Arrivals(),
            outbox=state.outbox,
            throttle=Throttle(clock, measures, enabled=False),
            measures=measures,
            clock=clock,
            ids=SystemIds(host),
            internal=unused,
        )
        ctx = RequestContext(
            request_id="request",
            scope=Scope(ACCOUNT, Region("us-east-1")),
            principal=service_principal("test", ACCOUNT),
            cause=EXTERNAL,
            clock=clock,
            host_clock=host,
            ids=dynamo.ids,
            caller=unused,
            permits=unused,
        )
        stream = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
        params = definition("pk:S", StreamSpecification=stream)
        made: Any = await MANIFEST.operations["CreateTable"](dynamo, ctx, {"TableName": "watched", **params})
        arn = made["TableDescription"]["LatestStreamArn"]
        yield Ground(dynamo=dynamo, ctx=ctx, state=state, stream_arn=arn, metrics=metrics)
