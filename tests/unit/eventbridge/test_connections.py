"""Connections and API destinations as an ARN names them, and changes of them that meet."""

from pathlib import Path

from tests.fakes import FakeClock
from tests.state import open_state
from undercast.core.arn import AccountId, Region, Scope
from undercast.services.events import connections, schema
from undercast.services.events.connections import AUTHORIZED, Connection

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


async def test_an_arn_names_one_connection(tmp_path: Path) -> None:
    """Its account, region and id count, not its name alone: rows of older versions have ARNs of other accounts."""
    async with open_state(tmp_path, FakeClock(), schemas={"events": schema.SCHEMA}) as state:
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
