"""The rows of exports and imports: what was asked for, by whom, and how far it has come.

A transfer runs beside its request, as the principal that asked, and begins again when the platform starts before it has
ended; it writes the same objects or items then. Its description is what DescribeExport or DescribeImport shows.
AWS: DynamoDB Developer Guide, "DynamoDB data export to Amazon S3: how it works", "... import ...".
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.context import Cause, RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal
from undercast.core.record import record
from undercast.services.dynamodb.instance import Dynamo
from undercast.store.database import Row, Tx

EXPORT, IMPORT = "export", "import"
_TOKEN_S = 8 * 3600.0
_KEPT_S = 90 * 86_400.0


@record
class Transfer:
    """One export or import."""

    id: int
    scope: Scope
    arn: str
    table_arn: str
    principal: Principal
    cause: Cause
    description: Mapping[str, Any]

    @property
    def name(self) -> str:
        """AWS's ExportId or import id: the last part of the ARN."""
        return self.arn.rpartition("/")[2]

    def context(self, dynamo: Dynamo) -> RequestContext:
        """To call other services as whoever asked for it."""
        return dynamo.internal(self.scope, self.principal, self.cause)


def _transfer(row: Row) -> Transfer:
    principal = json.loads(row["principal"])
    principal["session_policies"] = tuple(principal["session_policies"])
    return Transfer(
        id=row["id"],
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        arn=row["arn"],
        table_arn=row["table_arn"],
        principal=Principal(**principal),
        cause=Cause(**json.loads(row["cause"])),
        description=json.loads(row["description"]),
    )


def new_arn(table_arn: str, kind: str, ctx: RequestContext, now: float) -> str:
    """Of a transfer that begins now."""
    return f"{table_arn}/{kind}/{int(now * 1000):014d}-{ctx.ids.hex(8)}"


def add(tx: Tx, ctx: RequestContext, kind: str, of: tuple[str, str], description: Mapping[str, Any]) -> Transfer:
    """A transfer that begins; `of` are the table's ARN and the digest of the request."""
    arn = description["ExportArn" if kind == EXPORT else "ImportArn"]
    cause = Cause(kind="call", id=ctx.request_id, environment_id=ctx.cause.environment_id)
    scope = ctx.scope
    tx.execute(
        "INSERT INTO dynamodb_transfer (kind, account_id, region, arn, table_arn, token, digest, principal, cause,"
        " started_at, ended_at, description) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)",
        (kind, *scope, arn, of[0], description.get("ClientToken", ""), of[1], json.dumps(_plain(ctx.principal)),
         json.dumps(asdict(cause)), description["StartTime"], json.dumps(dict(description))),
    )  # fmt: skip
    found = find(tx, arn)
    assert found is not None
    return found


def _plain(principal: Principal) -> dict[str, Any]:
    whole = replace(principal, session_policies=(), session_tags={})
    policies = [dict(policy) for policy in principal.session_policies]
    return {**asdict(whole), "session_policies": policies, "session_tags": dict(principal.session_tags)}


def asked_before(tx: Tx, scope: Scope, kind: str, asked: tuple[str, str], now: float) -> Transfer | None:
    """That with the same token, up to eight hours after its end; `asked` are token and digest.

    Raises ExportConflictException or ImportConflictException where the request was another one.
    """
    token, wanted = asked
    row = tx.one(
        "SELECT * FROM dynamodb_transfer WHERE account_id = ? AND region = ? AND kind = ? AND token = ?"
        " AND (ended_at IS NULL OR ended_at > ?)",
        (*scope, kind, token, now - _TOKEN_S),
    )
    if row is None or not token:
        return None
    if row["digest"] != wanted:
        raise ServiceError(
            f"{kind.capitalize()}ConflictException",
            f"The client token was used for another request: {row['arn']}",
        )
    return _transfer(row)


def find(tx: Tx, arn: str) -> Transfer | None:
    """By its ARN."""
    row = tx.one("SELECT * FROM dynamodb_transfer WHERE arn = ?", (arn,))
    return None if row is None else _transfer(row)


def running(tx: Tx, kind: str) -> list[Transfer]:
    """Those that have not ended, of all accounts."""
    return [
        _transfer(row)
        for row in tx.all("SELECT * FROM dynamodb_transfer WHERE kind = ? AND ended_at IS NULL ORDER BY id", (kind,))
    ]


def listed(tx: Tx, scope: Scope, kind: str, table_arn: str, page: tuple[str, int]) -> list[Transfer]:
    """In reverse order of ARNs, behind one and at most so many; `table_arn` is "" for all tables."""
    after, limit = page
    rows = tx.all(
        "SELECT * FROM dynamodb_transfer WHERE account_id = ? AND region = ? AND kind = ? AND (? = '' OR table_arn = ?)"
        " AND (? = '' OR arn < ?) ORDER BY arn DESC LIMIT ?",
        (*scope, kind, table_arn, table_arn, after, after, limit),
    )
    return [_transfer(row) for row in rows]


def note(tx: Tx, transfer: Transfer, changes: Mapping[str, Any], ended_at: float | None = None) -> bool:
    """Members that are otherwise now, and the end; whether the transfer is there still."""
    found = find(tx, transfer.arn)
    if found is None:
        return False
    description = {**found.description, **changes}
    if ended_at is not None:
        description["EndTime"] = ended_at
    tx.execute(
        "UPDATE dynamodb_transfer SET description = ?, ended_at = ? WHERE id = ?",
        (json.dumps(description), ended_at, transfer.id),
    )
    return True


def failure(error: Exception, status: str) -> dict[str, Any]:
    """The members that tell why, e.g. of S3's NoSuchBucket: S3NoSuchBucket. `status` is the status member's name."""
    if not isinstance(error, ServiceError):
        error = ServiceError("InternalServerError", f"An internal error occurred: {error!r}")
    code = error.code if error.code.startswith("S3") or error.code.endswith("Error") else f"S3{error.code}"
    return {status: "FAILED", "FailureCode": code, "FailureMessage": error.message}


def remove_old(tx: Tx, now: float) -> None:
    """Those that ended more than 90 days ago."""
    tx.execute("DELETE FROM dynamodb_transfer WHERE ended_at < ?", (now - _KEPT_S,))
