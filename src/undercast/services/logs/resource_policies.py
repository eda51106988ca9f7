"""Resource policies: which services of AWS may write to the log groups of an account, or to one group.

EventBridge asks them before it writes to a log group. Rows in state.db; functions run inside a transaction.
AWS: CloudWatch Logs API Reference, PutResourcePolicy; EventBridge User Guide, "CloudWatch Logs permissions".
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from undercast.core import json_values
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.policy.document import parse_policy
from undercast.services.logs.errors import invalid
from undercast.services.logs.models import group_arn
from undercast.services.logs.store import scope_of
from undercast.store.database import Row, Tx

ACCOUNT, RESOURCE = "ACCOUNT", "RESOURCE"
MAX_OF_ACCOUNT = 10
_KEY = "account_id = ? AND region = ? AND scope = ? AND key = ?"


@record
class ResourcePolicy:
    """One policy."""

    owner: Scope
    scope: str
    key: str
    """Its name, or the ARN of the log group that it is attached to, without ":*"."""
    document: str
    updated_ms: int
    revision: str

    def output(self) -> dict[str, Any]:
        """ResourcePolicy."""
        shown = {"policyDocument": self.document, "lastUpdatedTime": self.updated_ms, "policyScope": self.scope}
        if self.scope == ACCOUNT:
            return {"policyName": self.key, **shown}
        return {"resourceArn": self.key, "revisionId": self.revision, **shown}


def checked(text: str) -> str:
    """A policy that AWS would take. It takes accounts, services and "*" as principals, and no ARNs."""
    refused = invalid("Could not convert to persistable policy")
    try:
        document = json_values.parse(text)
        parse_policy(document, "resource")
    except (ValueError, RecursionError, ServiceError) as error:
        raise refused from error
    if any(one.startswith("arn:") for one in _principals(document)):
        raise refused
    return text


def _principals(document: Mapping[str, Any]) -> Iterator[str]:
    statements = document["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal")
        for named in principal.values() if isinstance(principal, dict) else ():
            yield from [named] if isinstance(named, str) else named


def find(tx: Tx, owner: Scope, scope: str, key: str) -> ResourcePolicy | None:
    """None where there is no such policy."""
    row = tx.one(f"SELECT * FROM logs_resource_policy WHERE {_KEY}", (*scope_of(owner), scope, key))
    return _policy(row) if row is not None else None


def of_account(tx: Tx, owner: Scope, scope: str) -> list[ResourcePolicy]:
    """Those of one scope, by name or ARN."""
    rows = tx.all(
        "SELECT * FROM logs_resource_policy WHERE account_id = ? AND region = ? AND scope = ? ORDER BY key",
        (*scope_of(owner), scope),
    )
    return [_policy(row) for row in rows]


def put(tx: Tx, one: ResourcePolicy) -> None:
    """Make it, or replace the one before it."""
    tx.execute(
        "INSERT INTO logs_resource_policy (account_id, region, scope, key, document, updated_ms, revision)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, region, scope, key) DO UPDATE SET"
        " document = excluded.document, updated_ms = excluded.updated_ms, revision = excluded.revision",
        (*scope_of(one.owner), one.scope, one.key, one.document, one.updated_ms, one.revision),
    )


def delete(tx: Tx, owner: Scope, scope: str, key: str) -> bool:
    """False when there is none."""
    return bool(tx.execute(f"DELETE FROM logs_resource_policy WHERE {_KEY}", (*scope_of(owner), scope, key)))


def about(tx: Tx, owner: Scope, group: str) -> dict[str, Any] | None:
    """All that the policies of an account say about a group, as one policy; None where there is none."""
    found = of_account(tx, owner, ACCOUNT)
    of_group = find(tx, owner, RESOURCE, group_arn(owner, group))
    documents = [json.loads(one.document) for one in (*found, *([of_group] if of_group else []))]
    if not documents:
        return None
    statements: list[Any] = []
    for document in documents:
        given = document["Statement"]
        statements += given if isinstance(given, list) else [given]
    return {"Version": "2012-10-17", "Statement": statements}


def _policy(row: Row) -> ResourcePolicy:
    return ResourcePolicy(
        owner=Scope(AccountId(row["account_id"]), Region(row["region"])),
        scope=row["scope"],
        key=row["key"],
        document=row["document"],
        updated_ms=row["updated_ms"],
        revision=row["revision"],
    )
