"""The rows of layers: every statement of SQL that they have. Each function runs inside a transaction."""

import json
from collections.abc import Iterator, Sequence

from undercast.core.arn import AccountId, Region, Scope
from undercast.services.lambda_.layers import LayerReference, LayerUse, LayerVersion, missing, parse_references
from undercast.store.database import Row, Tx

_KEY = "account_id = ? AND region = ? AND name = ? AND version = ?"


def _key(reference: LayerReference) -> tuple[str, str, str, int]:
    return reference.scope.account_id, reference.scope.region, reference.name, reference.version


def next_version(tx: Tx, scope: Scope, name: str) -> int:
    """The number of the next version; never one that was given before, deleted or not."""
    row = tx.one(
        "INSERT INTO lambda_layer (account_id, region, name, last_version) VALUES (?, ?, ?, 1)"
        " ON CONFLICT (account_id, region, name) DO UPDATE SET last_version = lambda_layer.last_version + 1"
        " RETURNING last_version",
        (scope.account_id, scope.region, name),
    )
    assert row is not None
    return int(row["last_version"])


def add(tx: Tx, version: LayerVersion) -> None:
    """Insert the row. The caller holds a reference to the code's blob."""
    tx.execute(
        "INSERT INTO lambda_layer_version (account_id, region, name, version, configuration, code_sha256, code_size,"
        " unzipped_bytes, created_at, statements, policy_revision_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *_key(version.reference),
            json.dumps(dict(version.configuration)),
            version.code_sha256,
            version.code_size,
            version.unzipped_bytes,
            version.created_at,
            json.dumps(list(version.statements)),
            version.policy_revision_id,
        ),
    )


def find(tx: Tx, reference: LayerReference) -> LayerVersion | None:
    """One version, or None."""
    row = tx.one(f"SELECT * FROM lambda_layer_version WHERE {_KEY}", _key(reference))
    return _version(row) if row else None


def uses(tx: Tx, scope: Scope, arns: Sequence[str]) -> tuple[LayerUse, ...]:
    """What a function that asks for these layer versions gets. Raises AWS's errors."""
    found: list[LayerUse] = []
    for reference in parse_references(scope, arns):
        version = find(tx, reference)
        if version is None:
            raise missing(reference.arn)
        found.append(version.use)
    return tuple(found)


def versions(tx: Tx, scope: Scope, name: str, below: int) -> Iterator[LayerVersion]:
    """Versions of a layer under a number, the newest first."""
    for row in tx.all(
        "SELECT * FROM lambda_layer_version WHERE account_id = ? AND region = ? AND name = ? AND version < ?"
        " ORDER BY version DESC",
        (scope.account_id, scope.region, name, below),
    ):
        yield _version(row)


def all_versions(tx: Tx, scope: Scope, after: str) -> Iterator[LayerVersion]:
    """Versions of all layers behind a name: by name, the newest first."""
    for row in tx.all(
        "SELECT * FROM lambda_layer_version WHERE account_id = ? AND region = ? AND name > ?"
        " ORDER BY name, version DESC",
        (scope.account_id, scope.region, after),
    ):
        yield _version(row)


def put_policy(tx: Tx, version: LayerVersion) -> None:
    """Write the statements and their revision."""
    tx.execute(
        f"UPDATE lambda_layer_version SET statements = ?, policy_revision_id = ? WHERE {_KEY}",
        (json.dumps(list(version.statements)), version.policy_revision_id, *_key(version.reference)),
    )


def delete(tx: Tx, reference: LayerReference) -> None:
    """Remove one version."""
    tx.execute(f"DELETE FROM lambda_layer_version WHERE {_KEY}", _key(reference))


def _version(row: Row) -> LayerVersion:
    scope = Scope(AccountId(row["account_id"]), Region(row["region"]))
    return LayerVersion(
        reference=LayerReference(scope=scope, name=row["name"], version=row["version"]),
        configuration=json.loads(row["configuration"]),
        code_sha256=row["code_sha256"],
        code_size=row["code_size"],
        unzipped_bytes=row["unzipped_bytes"],
        created_at=row["created_at"],
        statements=json.loads(row["statements"]),
        policy_revision_id=row["policy_revision_id"],
    )
