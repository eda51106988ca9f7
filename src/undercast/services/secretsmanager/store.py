"""The rows of secrets and versions, and the rules of staging labels.

AWS: Secrets Manager User Guide, "Secret versions" (a label is on one version; versions without labels are deprecated
and removed when there are more than 100).
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from undercast.core.arn import Scope
from undercast.services.sealing import Sealed
from undercast.services.secretsmanager.errors import not_found
from undercast.services.secretsmanager.models import (
    CURRENT,
    PREVIOUS,
    Named,
    Secret,
    Version,
    secret_of,
    version_of,
)
from undercast.store.database import Row, Tx

MAX_VERSIONS = 100
_KEY = "account_id = ? AND region = ? AND name = ?"
_CHANGEABLE = frozenset({
    "description", "kms_key_id", "tags", "policy", "changed_at", "accessed_at", "deleted_at", "ends_at",
    "rotation_lambda", "rotation_rules", "rotated_at", "rotates_at", "rotating", "testing",
    "primary_region",
})  # fmt: skip


def find(tx: Tx, named: Named) -> Secret | None:
    """The secret that a SecretId means."""
    for name, suffix in named.names:
        row = tx.one(f"SELECT * FROM secretsmanager_secret WHERE {_KEY}", (*named.scope, name))
        if row is not None and suffix in ("", row["suffix"]):
            return secret_of(row)
    return None


def existing(tx: Tx, named: Named) -> Secret:
    """Raises ResourceNotFoundException."""
    secret = find(tx, named)
    if secret is None:
        raise not_found()
    return secret


def add(tx: Tx, secret: Secret) -> None:
    """A new secret."""
    tx.execute(
        "INSERT INTO secretsmanager_secret (account_id, region, name, suffix, description, kms_key_id, tags, policy,"
        " created_at, changed_at, rotation_lambda, rotation_rules, rotating, primary_region)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *secret.scope,
            secret.name,
            secret.suffix,
            secret.description,
            secret.kms_key_id,
            json.dumps(dict(secret.tags)),
            secret.policy,
            secret.created_at,
            secret.changed_at,
            secret.rotation_lambda,
            json.dumps(dict(secret.rotation_rules)),
            secret.rotating,
            secret.primary_region,
        ),
    )


def change(tx: Tx, secret: Secret, **columns: Any) -> None:
    """Set some columns; mappings and lists are stored as JSON."""
    assert columns.keys() <= _CHANGEABLE, "column names are ours alone"
    names = ", ".join(f"{name} = ?" for name in columns)
    values = [json.dumps(value) if isinstance(value, dict | list) else value for value in columns.values()]
    tx.execute(f"UPDATE secretsmanager_secret SET {names} WHERE {_KEY}", (*values, *secret.scope, secret.name))


def remove(tx: Tx, secret: Secret) -> None:
    """The secret with all its values."""
    for table in ("secretsmanager_version", "secretsmanager_replica", "secretsmanager_secret"):
        tx.execute(f"DELETE FROM {table} WHERE {_KEY}", (*secret.scope, secret.name))


def versions(tx: Tx, secret: Secret) -> list[Version]:
    """Every version, the newest first."""
    rows = tx.all(f"SELECT * FROM secretsmanager_version WHERE {_KEY} ORDER BY ord DESC", (*secret.scope, secret.name))
    return [version_of(row) for row in rows]


def version(tx: Tx, secret: Secret, *, version_id: str = "", stage: str = "") -> Version | None:
    """A version by its id, by a label, or by both."""
    for one in versions(tx, secret):
        if version_id in ("", one.id) and (not stage or stage in one.stages):
            return one
    return None


def add_version(tx: Tx, secret: Secret, made: Version) -> None:
    """A further version; the labels that it takes leave the versions that had them."""
    for stage in made.stages:
        move_stage(tx, secret, stage, None)
    order = tx.one("SELECT MAX(ord) AS last FROM secretsmanager_version")
    tx.execute(
        "INSERT INTO secretsmanager_version (account_id, region, name, id, kind, blob, data_key, digest, stages,"
        " created_at, ord) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *secret.scope,
            secret.name,
            made.id,
            made.kind,
            made.sealed.blob,
            made.sealed.data_key,
            made.digest,
            json.dumps(made.stages),
            made.created_at,
            ((order["last"] or 0) if order is not None else 0) + 1,
        ),
    )
    _drop_deprecated(tx, secret)


def reseal(tx: Tx, secret: Secret, one: Version, sealed: Sealed) -> None:
    """Keep the same value under another key, unless it was sealed anew meanwhile."""
    tx.execute(
        f"UPDATE secretsmanager_version SET blob = ?, data_key = ? WHERE {_KEY} AND id = ? AND data_key = ?",
        (sealed.blob, sealed.data_key, *secret.scope, secret.name, one.id, one.sealed.data_key),
    )


def move_stage(tx: Tx, secret: Secret, stage: str, to: str | None) -> None:
    """Take a label from the version that has it, and give it to another. AWSCURRENT leaves AWSPREVIOUS behind."""
    every = versions(tx, secret)
    holder = next((one for one in every if stage in one.stages), None)
    if holder is not None and holder.id != to:
        set_stages(tx, secret, holder, tuple(label for label in holder.stages if label != stage))
        if stage == CURRENT:
            for one in every:
                if PREVIOUS in one.stages and one.id != holder.id:
                    set_stages(tx, secret, one, tuple(label for label in one.stages if label != PREVIOUS))
            left = tuple(label for label in holder.stages if label not in (stage, PREVIOUS))
            set_stages(tx, secret, holder, (*left, PREVIOUS))
    target = next((one for one in every if one.id == to), None)
    if target is not None and stage not in target.stages:
        kept = tuple(label for label in target.stages if not (stage == CURRENT and label == PREVIOUS))
        set_stages(tx, secret, target, (*kept, stage))


def set_stages(tx: Tx, secret: Secret, one: Version, stages: tuple[str, ...]) -> None:
    """Replace a version's labels."""
    tx.execute(
        f"UPDATE secretsmanager_version SET stages = ? WHERE {_KEY} AND id = ?",
        (json.dumps(stages), *secret.scope, secret.name, one.id),
    )


def accessed(tx: Tx, secret: Secret, one: Version, day: float) -> None:
    """LastAccessedDate, which AWS gives in whole days."""
    change(tx, secret, accessed_at=day)
    tx.execute(
        f"UPDATE secretsmanager_version SET accessed_at = ? WHERE {_KEY} AND id = ?",
        (day, *secret.scope, secret.name, one.id),
    )


def _drop_deprecated(tx: Tx, secret: Secret) -> None:
    surplus = versions(tx, secret)[MAX_VERSIONS:]
    for one in surplus:
        if not one.stages:
            remove_version(tx, secret, one)


def remove_version(tx: Tx, secret: Secret, one: Version) -> None:
    """One value is gone."""
    tx.execute(f"DELETE FROM secretsmanager_version WHERE {_KEY} AND id = ?", (*secret.scope, secret.name, one.id))


def each(tx: Tx, scope: Scope) -> Iterator[Secret]:
    """Every secret of a scope, the newest first."""
    rows = tx.each(
        "SELECT * FROM secretsmanager_secret WHERE account_id = ? AND region = ? ORDER BY created_at DESC, name", scope
    )
    return (secret_of(row) for row in rows)


def ending(tx: Tx, now: float) -> list[Secret]:
    """Deleted secrets whose recovery window is over."""
    return [secret_of(row) for row in tx.all("SELECT * FROM secretsmanager_secret WHERE ends_at <= ?", (now,))]


def due(tx: Tx, now: float) -> list[Secret]:
    """Secrets that are to be rotated now."""
    rows: list[Row] = tx.all("SELECT * FROM secretsmanager_secret WHERE rotates_at <= ? AND deleted_at IS NULL", (now,))
    return [secret_of(row) for row in rows]


def rotating(tx: Tx) -> list[Secret]:
    """Secrets whose rotation, or the test of its configuration, has begun and is not over."""
    query = "SELECT * FROM secretsmanager_secret WHERE (rotating != '' OR testing != '') AND deleted_at IS NULL"
    rows: list[Row] = tx.all(query, ())
    return [secret_of(row) for row in rows]


def tags_of(given: Any) -> Mapping[str, str]:
    """AWS's list as a mapping."""
    return {tag["Key"]: tag.get("Value", "") for tag in given or ()}
