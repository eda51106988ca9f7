"""Connections and API destinations as an ARN names them, and changes of them that meet."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import CountingIds, FakeClock
from tests.state import State, open_state
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.context import EXTERNAL, Cause, RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal, root_principal
from undercast.core.metrics import Metrics
from undercast.events.alarm import Alarm
from undercast.events.delivery import Delivery
from undercast.services.events import connections, schema, store
from undercast.services.events.connections import AUTHORIZED, DEAUTHORIZED, Connection
from undercast.services.events.http_target import HttpTarget
from undercast.services.events.instance import Events
from undercast.services.events.measures import Measures
from undercast.services.events.service import MANIFEST

SCOPE = Scope(AccountId("111122223333"), Region("us-west-2"))
OTHERS = (Scope(AccountId("444455556666"), SCOPE.region), Scope(SCOPE.account_id, Region("eu-west-1")))


def connection(scope: Scope, **given: str) -> Connection:
    """One that is authorised."""
    return Connection(
        scope=scope,
        name="c",
        id=given.get("id", "1"),
        description=None,
        kind="API_KEY",
        shown={},
        state=AUTHORIZED,
        secret_arn=given.get("secret_arn", ""),
        kms_key_id="",
        from_sandbox=False,
        made_by="",
        created_at=1.0,
        changed_at=1.0,
        authorized_at=1.0,
    )


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[State]:
    async with open_state(tmp_path, FakeClock(), schemas={"events": schema.SCHEMA}) as opened:
        yield opened


async def test_an_arn_names_one_connection(state: State) -> None:
    """Its account, region and id count, not its name alone: rows of older versions have ARNs of other accounts."""
    one, *others = (connection(scope) for scope in (SCOPE, *OTHERS))
    for each in (one, *others):
        state.database.write_now(lambda tx, each=each: connections.put_connection(tx, each))  # type: ignore[misc]
    later = connection(SCOPE, id="2").arn
    arns = (one.arn, later, *(each.arn for each in others), one.arn.replace("connection", "api-destination"), "x")
    found = [
        state.database.read_now(lambda tx, arn=arn: connections.connection_at(tx, SCOPE, arn))  # type: ignore[misc]
        for arn in arns
    ]
    assert found == [one, *[None] * (len(arns) - 1)]


class Caller:
    """An account's root, and its secrets. While a request asks Secrets Manager, another one is made and ends."""

    def __init__(self, state: State) -> None:
        self.clock = FakeClock()
        self.secrets: dict[str, str] = {}
        self.meanwhile: Callable[[], Awaitable[Any]] | None = None
        self.events = Events(
            database=state.database,
            buses=store.Buses(state.database),
            outbox=state.outbox,
            causality=state.causality,
            internal=lambda scope, principal, cause=EXTERNAL: self._context(""),
            clock=self.clock,
            host_clock=self.clock.host,
            ids=CountingIds(),
            profile="current",
            measures=Measures(Metrics(), self.clock),
            alarm=Alarm(state.database, self.clock, store.next_round),
            ca_bundle=Path("none"),
            connect_as_sandbox=_no_connection,
        )

    async def call(self, operation: str, **params: Any) -> Any:
        """Run an operation as dispatch does."""
        return await MANIFEST.operations[operation](self.events, self._context(operation), params)

    def _context(self, operation: str) -> RequestContext:
        return RequestContext(
            request_id="r",
            scope=SCOPE,
            principal=root_principal(SCOPE.account_id),
            cause=EXTERNAL,
            clock=self.clock,
            host_clock=self.clock.host,
            ids=self.events.ids,
            caller=self._secrets_manager,
            permits=_anything,
            operation=operation,
        )

    async def _secrets_manager(
        self, ctx: RequestContext, service: str, operation: str, params: Mapping[str, Any], checked: bool = False
    ) -> dict[str, Any]:
        meanwhile, self.meanwhile = (None, self.meanwhile) if service == "iam" else (self.meanwhile, None)
        if meanwhile is not None:
            await meanwhile()
        if service == "iam":
            raise ServiceError("NoSuchEntity", "no role is known")
        if operation == "GetSecretValue" and params["SecretId"] in self.secrets:
            return {"SecretString": self.secrets[params["SecretId"]]}
        if operation == "CreateSecret":
            self.secrets[params["Name"]] = params["SecretString"]
            return {"ARN": params["Name"]}
        if self.secrets.pop(params["SecretId"], None) is None:
            raise ServiceError("ResourceNotFoundException", "no such secret")
        return {}

    async def make(self, value: str = "1") -> Any:
        """CreateConnection."""
        return await self.call("CreateConnection", Name="c", AuthorizationType="API_KEY", AuthParameters=key(value))

    async def update(self, value: str = "2", **params: Any) -> Any:
        """UpdateConnection."""
        return await self.call("UpdateConnection", Name="c", AuthParameters=key(value), **params)

    async def shown(self) -> Any:
        """DescribeConnection."""
        return await self.call("DescribeConnection", Name="c")


def key(value: str) -> dict[str, Any]:
    """AuthParameters."""
    return {"ApiKeyAuthParameters": {"ApiKeyName": "K", "ApiKeyValue": value}}


async def _anything(principal: Principal, action: str, resource_arn: str, conditions: Mapping[str, str]) -> bool:
    return True


def _no_connection(_: str) -> Any:
    raise AssertionError("nobody is connected to")


async def test_of_two_connections_of_one_name_the_first_is_made(state: State) -> None:
    """AWS: API Reference, CreateConnection (ResourceAlreadyExistsException). The second one leaves no secret."""
    caller = Caller(state)
    caller.meanwhile = caller.make
    with pytest.raises(ServiceError, match="already exists"):
        await caller.make("2")
    found = await caller.shown()
    assert list(caller.secrets) == [found["SecretArn"]]
    assert '"1"' in caller.secrets[found["SecretArn"]]


async def test_an_update_keeps_what_another_one_gave_meanwhile(state: State) -> None:
    """What is given replaces what was there, and nothing else; one secret is left."""
    caller = Caller(state)
    await caller.make()
    caller.meanwhile = lambda: caller.update("2", Description="theirs")
    await caller.update("3")
    found = await caller.shown()
    assert found["Description"] == "theirs"
    assert list(caller.secrets) == [found["SecretArn"]]
    assert '"3"' in caller.secrets[found["SecretArn"]]


async def test_an_update_makes_no_deleted_connection_again(state: State) -> None:
    """AWS: API Reference, UpdateConnection (ResourceNotFoundException)."""
    caller = Caller(state)
    await caller.make()
    caller.meanwhile = lambda: caller.call("DeleteConnection", Name="c")
    with pytest.raises(ServiceError, match="does not exist"):
        await caller.update()
    assert (await caller.call("ListConnections"))["Connections"] == []
    assert not caller.secrets


@pytest.mark.parametrize("operation", ["DeauthorizeConnection", "DeleteConnection"])
async def test_what_ends_a_connection_takes_a_later_secret_with_it(state: State, operation: str) -> None:
    """An update that is answered first gave it another secret: that is dropped, too."""
    caller = Caller(state)
    await caller.make()
    caller.meanwhile = lambda: caller.update(Description="theirs")
    await caller.call(operation, Name="c")
    assert not caller.secrets
    if operation == "DeauthorizeConnection":
        found = await caller.shown()
        assert (found["ConnectionState"], found["Description"]) == (DEAUTHORIZED, "theirs")


async def test_a_connection_that_was_made_again_is_not_deleted(state: State) -> None:
    """Who deleted the one before it was first."""
    caller = Caller(state)
    await caller.make()

    async def again() -> None:
        await caller.call("DeleteConnection", Name="c")
        await caller.make("2")

    caller.meanwhile = again
    with pytest.raises(ServiceError, match="does not exist"):
        await caller.call("DeleteConnection", Name="c")
    assert (await caller.shown())["ConnectionState"] == AUTHORIZED
    assert len(caller.secrets) == 1


@pytest.mark.parametrize("ends", [False, True])
async def test_a_request_on_its_way_gets_the_secret_that_came_meanwhile(state: State, ends: bool) -> None:
    """Its connection is as valid as before: it is no failure. A secret that somebody deleted is one."""
    caller = Caller(state)
    made = await caller.make()
    at = {"ConnectionArn": made["ConnectionArn"], "InvocationEndpoint": "http://127.0.0.1:9/", "HttpMethod": "POST"}
    destination = await caller.call("CreateApiDestination", Name="d", **at)

    async def delete() -> None:
        caller.secrets.clear()

    caller.meanwhile = delete if ends else caller.update
    role = f"arn:aws:iam::{SCOPE.account_id}:role/r"
    delivery = Delivery(
        id="1",
        kind="events-http",
        target_arn=destination["ApiDestinationArn"],
        payload=b"{}",
        scope=SCOPE,
        created_at=caller.clock.now(),
        cause=Cause(kind="internal"),
        source_arn="rule",
        attributes={
            "source_account": SCOPE.account_id, "role_arn": role, "max_attempts": "0", "max_age_s": "60",
            "failure_kind": "none", "failure_arn": "rule", "target": destination["ApiDestinationArn"],
        },
    )  # fmt: skip
    outcome = await HttpTarget(caller.events, Path("none")).deliver(delivery)
    assert (outcome.kind, outcome.counted) == (("dead", True) if ends else ("retry", False))
