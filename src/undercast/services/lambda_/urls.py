"""Function URLs as they are stored, with their SQL.

AWS: Lambda API Reference, "FunctionUrlConfig"; Developer Guide, "Creating and managing Lambda function URLs".
"""

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.record import record
from undercast.services.lambda_.addresses import place_of
from undercast.services.lambda_.models import timestamp
from undercast.services.lambda_.names import Reference
from undercast.store.database import Row, Tx

_KEY = "account_id = ? AND region = ? AND name = ? AND qualifier = ?"


@record
class FunctionUrl:
    """`configuration` holds AuthType, InvokeMode and Cors, by AWS's names. `qualifier` is an alias, or None."""

    scope: Scope
    name: str
    qualifier: str | None
    id: str
    configuration: Mapping[str, Any]
    created_at: float
    modified_at: float

    @property
    def reference(self) -> Reference:
        """The function or alias that it invokes."""
        return Reference(self.scope, self.name, self.qualifier)

    def output(self, endpoint: str) -> dict[str, Any]:
        """FunctionUrlConfig, with the URL for a caller who reaches the platform at this endpoint."""
        return {
            "FunctionUrl": address(self.id, self.scope.region, endpoint),
            "FunctionArn": self.reference.arn,
            **self.configuration,
            "CreationTime": timestamp(self.created_at),
            "LastModifiedTime": timestamp(self.modified_at),
        }


def address(url_id: str, region: str, endpoint: str) -> str:
    """AWS's own form for who came under an AWS name (inside a sandbox); else one that leads to this machine."""
    parts = urlsplit(endpoint)
    if (parts.hostname or "").endswith(".amazonaws.com"):
        return f"https://{url_id}.lambda-url.{region}.on.aws/"
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{url_id}.lambda-url.{region}.localhost{port}/"


def find_by_host(tx: Tx, name: str) -> FunctionUrl | None:
    """What a host name invokes."""
    place = place_of(name)
    if place is None:
        return None
    row = tx.one("SELECT * FROM lambda_url WHERE id = ? AND region = ?", (place.url_id, place.region))
    return _url(row) if row else None


def find(tx: Tx, reference: Reference) -> FunctionUrl | None:
    """That of a function or alias."""
    row = tx.one(f"SELECT * FROM lambda_url WHERE {_KEY}", _key(reference))
    return _url(row) if row else None


def of_function(tx: Tx, reference: Reference) -> list[FunctionUrl]:
    """Those of a function and its aliases, by qualifier."""
    rows = tx.all(
        "SELECT * FROM lambda_url WHERE account_id = ? AND region = ? AND name = ? ORDER BY qualifier",
        (reference.scope.account_id, reference.scope.region, reference.name),
    )
    return [_url(row) for row in rows]


def put(tx: Tx, url: FunctionUrl) -> None:
    """Insert or replace."""
    tx.execute(
        "INSERT INTO lambda_url (account_id, region, name, qualifier, id, configuration, created_at, modified_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, region, name, qualifier) DO UPDATE SET"
        " configuration = excluded.configuration, modified_at = excluded.modified_at",
        (*_key(url.reference), url.id, json.dumps(dict(url.configuration)), url.created_at, url.modified_at),
    )


def delete(tx: Tx, url: FunctionUrl) -> None:
    """Remove it."""
    tx.execute(f"DELETE FROM lambda_url WHERE {_KEY}", _key(url.reference))


def _key(reference: Reference) -> tuple[str, str, str, str]:
    return reference.scope.account_id, reference.scope.region, reference.name, reference.qualifier or ""


def _url(row: Row) -> FunctionUrl:
    return FunctionUrl(
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        name=row["name"],
        qualifier=row["qualifier"] or None,
        id=row["id"],
        configuration=json.loads(row["configuration"]),
        created_at=row["created_at"],
        modified_at=row["modified_at"],
    )
