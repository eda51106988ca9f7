"""Connections and API destinations as rows: where an HTTP endpoint is, and how it is authorised.

What is secret of a connection is a secret of Secrets Manager, as on AWS. AWS: EventBridge User Guide, "API destinations
as targets", "Connections for HTTP endpoint targets"; API Reference, CreateConnection, CreateApiDestination.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.clock import moment
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.services.events.errors import not_found
from undercast.store.database import Row, Tx
from undercast.store.statements import upsert

AUTHORIZED, DEAUTHORIZED = "AUTHORIZED", "DEAUTHORIZED"
_ARN = re.compile(
    r"arn:aws[\w-]*:events:([a-z0-9-]+):(\d{12}):(connection|api-destination)/([\w.-]+)/([\w-]+)", re.ASCII
)
_KEY = "account_id = ? AND region = ? AND name = ?"
_SECRETS = {
    "BasicAuthParameters": "Password",
    "ApiKeyAuthParameters": "ApiKeyValue",
    "ClientParameters": "ClientSecret",
}


class Named(NamedTuple):
    """What the ARN of a connection or API destination says."""

    kind: str
    scope: Scope
    name: str
    id: str
    """Of this one: another one that gets its name later has another id."""


@record
class Connection:
    """One connection. `shown` are its AuthParameters without what is secret."""

    scope: Scope
    name: str
    id: str
    description: str | None
    kind: str
    shown: Mapping[str, Any]
    state: str
    secret_arn: str
    kms_key_id: str
    from_sandbox: bool
    made_by: str
    created_at: float
    changed_at: float
    authorized_at: float | None

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:events:{self.scope.region}:{self.scope.account_id}:connection/{self.name}/{self.id}"

    def times(self) -> dict[str, Any]:
        """As every answer about a connection has them."""
        found: dict[str, Any] = {
            "ConnectionArn": self.arn,
            "ConnectionState": self.state,
            "CreationTime": moment(self.created_at),
            "LastModifiedTime": moment(self.changed_at),
        }
        if self.authorized_at is not None:
            found["LastAuthorizedTime"] = moment(self.authorized_at)
        return found


@record
class Destination:
    """One API destination."""

    scope: Scope
    name: str
    id: str
    description: str | None
    connection: str
    """The connection's ARN."""
    endpoint: str
    method: str
    rate: int | None
    from_sandbox: bool
    """Whether a function made it: requests then reach what the function itself may reach."""
    made_by: str
    """Whose role that was; "" before this was kept."""
    created_at: float
    changed_at: float

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:events:{self.scope.region}:{self.scope.account_id}:api-destination/{self.name}/{self.id}"


def named_by_arn(arn: str) -> Named | None:
    """What an ARN means; None for what is none of a connection or API destination."""
    found = _ARN.fullmatch(arn)
    return None if found is None else Named(found[3], Scope(AccountId(found[2]), Region(found[1])), found[4], found[5])


def without_secrets(given: Mapping[str, Any]) -> dict[str, Any]:
    """AuthParameters as DescribeConnection shows them."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, Mapping):
            inner = without_secrets(value)
            inner.pop(_SECRETS.get(name, ""), None)
            found[name] = inner
        elif isinstance(value, list):
            found[name] = [
                {key: text for key, text in one.items() if key != "Value" or not one.get("IsValueSecret")}
                for one in value
            ]
        else:
            found[name] = value
    return found


def connection_of(row: Row) -> Connection:
    """What a row of events_connection says."""
    return Connection(
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        name=row["name"],
        id=row["id"],
        description=row["description"],
        kind=row["kind"],
        shown=json.loads(row["shown"]),
        state=row["state"],
        secret_arn=row["secret_arn"],
        kms_key_id=row["kms_key_id"],
        from_sandbox=bool(row["from_sandbox"]),
        made_by=row["made_by"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
        authorized_at=row["authorized_at"],
    )


def destination_of(row: Row) -> Destination:
    """What a row of events_destination says."""
    return Destination(
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        name=row["name"],
        id=row["id"],
        description=row["description"],
        connection=row["connection"],
        endpoint=row["endpoint"],
        method=row["method"],
        rate=row["rate"],
        from_sandbox=bool(row["from_sandbox"]),
        made_by=row["made_by"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
    )


def find_connection(tx: Tx, scope: Scope, name: str) -> Connection | None:
    """None where there is none of this name."""
    row = tx.one(f"SELECT * FROM events_connection WHERE {_KEY}", (*scope, name))
    return None if row is None else connection_of(row)


def no_connection(name: str) -> ServiceError:
    """No such connection."""
    return not_found(f"Failed to describe the connection(s). Connection '{name}' does not exist.")


def connection(tx: Tx, scope: Scope, name: str) -> Connection:
    """Raises ResourceNotFoundException."""
    found = find_connection(tx, scope, name)
    if found is None:
        raise no_connection(name)
    return found


def destination(tx: Tx, scope: Scope, name: str) -> Destination:
    """Raises ResourceNotFoundException."""
    row = tx.one(f"SELECT * FROM events_destination WHERE {_KEY}", (*scope, name))
    if row is None:
        raise not_found(f"Failed to describe the api-destination(s). An api-destination '{name}' does not exist.")
    return destination_of(row)


def connection_at(tx: Tx, scope: Scope, arn: str) -> Connection | None:
    """The connection of an ARN; None where that is gone, or not of this account and region."""
    named = named_by_arn(arn)
    if named is None or (named.kind, named.scope) != ("connection", scope):
        return None
    row = tx.one(f"SELECT * FROM events_connection WHERE {_KEY} AND id = ?", (*scope, named.name, named.id))
    return None if row is None else connection_of(row)


def destination_at(tx: Tx, arn: str) -> Destination | None:
    """The API destination of an ARN; None where that is gone."""
    named = named_by_arn(arn)
    if named is None or named.kind != "api-destination":
        return None
    row = tx.one(f"SELECT * FROM events_destination WHERE {_KEY} AND id = ?", (*named.scope, named.name, named.id))
    return None if row is None else destination_of(row)


def connections(tx: Tx, scope: Scope) -> list[Connection]:
    """By name."""
    rows = tx.all("SELECT * FROM events_connection WHERE account_id = ? AND region = ? ORDER BY name", scope)
    return [connection_of(row) for row in rows]


def destinations(tx: Tx, scope: Scope) -> list[Destination]:
    """By name."""
    rows = tx.all("SELECT * FROM events_destination WHERE account_id = ? AND region = ? ORDER BY name", scope)
    return [destination_of(row) for row in rows]


def put_connection(tx: Tx, one: Connection) -> None:
    """Make it, or write all that it is anew."""
    tx.execute(
        upsert(
            "events_connection",
            "account_id, region, name",
            "id, description, kind, shown, state, secret_arn, kms_key_id, from_sandbox, made_by, created_at,"
            " changed_at, authorized_at",
        ),
        (
            *one.scope,
            one.name,
            one.id,
            one.description,
            one.kind,
            json.dumps(dict(one.shown)),
            one.state,
            one.secret_arn,
            one.kms_key_id,
            int(one.from_sandbox),
            one.made_by,
            one.created_at,
            one.changed_at,
            one.authorized_at,
        ),
    )


def put_destination(tx: Tx, one: Destination) -> None:
    """Make it, or write all that it is anew."""
    tx.execute(
        upsert(
            "events_destination",
            "account_id, region, name",
            "id, description, connection, endpoint, method, rate, from_sandbox, made_by, created_at, changed_at",
        ),
        (
            *one.scope,
            one.name,
            one.id,
            one.description,
            one.connection,
            one.endpoint,
            one.method,
            one.rate,
            int(one.from_sandbox),
            one.made_by,
            one.created_at,
            one.changed_at,
        ),
    )


def remove(tx: Tx, kind: str, scope: Scope, name: str) -> None:
    """A connection or a destination is gone."""
    assert kind in ("connection", "destination"), "table names are ours alone"
    tx.execute(f"DELETE FROM events_{kind} WHERE {_KEY}", (*scope, name))
