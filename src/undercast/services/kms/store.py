"""The rows of keys, their material, aliases and grants.

AWS: KMS API Reference.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

from undercast.core.arn import Scope
from undercast.services.kms.models import Grant, Key, Material, Named, grant_of, key_of
from undercast.store.database import Row, Tx


def add_key(tx: Tx, key: Key, secret: bytes) -> None:
    """A new key with its first material."""
    tx.execute(
        "INSERT INTO kms_key (account_id, region, id, spec, usage, description, policy, tags, state, manager,"
        " created_at, deletion_at, multi_region, rotation_days, rotates_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *key.scope,
            key.id,
            key.spec,
            key.usage,
            key.description,
            json.dumps(key.policy),
            json.dumps(dict(key.tags)),
            key.state,
            key.manager,
            key.created_at,
            key.deletion_at,
            int(key.multi_region),
            key.rotation_days,
            key.rotates_at,
        ),
    )
    add_material(tx, key, Material(number=1, secret=secret, made_at=key.created_at, reason=""))


def add_material(tx: Tx, key: Key, material: Material) -> None:
    """A further generation."""
    tx.execute(
        "INSERT INTO kms_material (key_id, number, secret, made_at, reason) VALUES (?, ?, ?, ?, ?)",
        (key.id, material.number, material.secret, material.made_at, material.reason),
    )


def materials(tx: Tx, key: Key) -> Sequence[Material]:
    """Every generation, the newest first."""
    rows = tx.all("SELECT * FROM kms_material WHERE key_id = ? ORDER BY number DESC", (key.id,))
    return [_material(row) for row in rows]


def material(tx: Tx, key: Key, number: int = 0) -> Material | None:
    """One generation; the newest for 0."""
    if number:
        row = tx.one("SELECT * FROM kms_material WHERE key_id = ? AND number = ?", (key.id, number))
    else:
        row = tx.one("SELECT * FROM kms_material WHERE key_id = ? ORDER BY number DESC LIMIT 1", (key.id,))
    return None if row is None else _material(row)


def _material(row: Row) -> Material:
    return Material(number=row["number"], secret=row["secret"], made_at=row["made_at"], reason=row["reason"])


def find(tx: Tx, name: Named) -> Key | None:
    """The key, also by an alias."""
    key_id = name.key_id
    if name.alias:
        row = tx.one(
            "SELECT key_id FROM kms_alias WHERE account_id = ? AND region = ? AND name = ?", (*name.scope, name.alias)
        )
        if row is None:
            return None
        key_id = row["key_id"]
    row = tx.one("SELECT * FROM kms_key WHERE account_id = ? AND region = ? AND id = ?", (*name.scope, key_id))
    return None if row is None else key_of(row)


def find_in_region(tx: Tx, key_id: str, region: str) -> Key | None:
    """The key of a ciphertext, which does not say whose it is."""
    row = tx.one("SELECT * FROM kms_key WHERE id = ? AND region = ?", (key_id, region))
    return None if row is None else key_of(row)


def keys(tx: Tx, scope: Scope, after: str, most: int) -> list[Key]:
    """Keys by id."""
    rows = tx.all(
        "SELECT * FROM kms_key WHERE account_id = ? AND region = ? AND id > ? ORDER BY id LIMIT ?",
        (*scope, after, most),
    )
    return [key_of(row) for row in rows]


Column = str | int | float | None
_CHANGEABLE = frozenset({"description", "policy", "tags", "state", "deletion_at", "rotation_days", "rotates_at"})


def change(tx: Tx, key: Key, **columns: Column) -> None:
    """Set some columns."""
    assert columns.keys() <= _CHANGEABLE, "column names are ours alone"
    names = ", ".join(f"{name} = ?" for name in columns)
    tx.execute(
        f"UPDATE kms_key SET {names} WHERE account_id = ? AND region = ? AND id = ?",
        (*columns.values(), *key.scope, key.id),
    )


def delete_due(tx: Tx, now: float) -> int:
    """Delete the keys whose waiting period is over, with everything of theirs; how many."""
    query = "SELECT id FROM kms_key WHERE deletion_at <= ? AND state = 'PendingDeletion'"
    due = [row["id"] for row in tx.all(query, (now,))]
    for key_id in due:
        for table in ("kms_material", "kms_alias", "kms_grant"):
            tx.execute(f"DELETE FROM {table} WHERE key_id = ?", (key_id,))
        tx.execute("DELETE FROM kms_key WHERE id = ?", (key_id,))
    return len(due)


def rotation_due(tx: Tx, now: float) -> list[Key]:
    """Keys that are to be rotated now."""
    return [key_of(row) for row in tx.all("SELECT * FROM kms_key WHERE rotates_at <= ? AND state = 'Enabled'", (now,))]


def aliases(tx: Tx, scope: Scope, key_id: str, after: str, most: int) -> list[Row]:
    """Aliases by name, all or those of a key."""
    return tx.all(
        "SELECT * FROM kms_alias WHERE account_id = ? AND region = ? AND (? = '' OR key_id = ?) AND name > ?"
        " ORDER BY name LIMIT ?",
        (*scope, key_id, key_id, after, most),
    )


def set_alias(tx: Tx, scope: Scope, name: str, key_id: str, now: float) -> None:
    """Point an alias, new or known, to a key."""
    tx.execute(
        "INSERT INTO kms_alias (account_id, region, name, key_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (account_id, region, name) DO UPDATE SET key_id = excluded.key_id,"
        " updated_at = excluded.updated_at",
        (*scope, name, key_id, now, now),
    )


def has_alias(tx: Tx, scope: Scope, name: str) -> bool:
    """Whether there is such an alias."""
    query = "SELECT 1 FROM kms_alias WHERE account_id = ? AND region = ? AND name = ?"
    return tx.one(query, (*scope, name)) is not None


def delete_alias(tx: Tx, scope: Scope, name: str) -> bool:
    """Whether there was one."""
    return bool(tx.execute("DELETE FROM kms_alias WHERE account_id = ? AND region = ? AND name = ?", (*scope, name)))


def add_grant(tx: Tx, grant: Grant) -> None:
    """A new grant."""
    tx.execute(
        "INSERT INTO kms_grant (account_id, region, id, key_id, token, name, grantee, retiring, operations,"
        " constraints, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *grant.scope,
            grant.id,
            grant.key_id,
            grant.token,
            grant.name,
            grant.grantee,
            grant.retiring,
            json.dumps(grant.operations),
            json.dumps(grant.constraints),
            grant.created_at,
        ),
    )


def grants_of(tx: Tx, key_id: str, after: str, most: int) -> list[Grant]:
    """So many of a key's grants by id."""
    rows = tx.all("SELECT * FROM kms_grant WHERE key_id = ? AND id > ? ORDER BY id LIMIT ?", (key_id, after, most))
    return [grant_of(row) for row in rows]


def grants_to(tx: Tx, key_id: str, grantees: Iterable[str], after: str = "", most: int = -1) -> list[Grant]:
    """Those of a key to these principals by id: of the thousands that a key may have, few."""
    rows = tx.all(
        "SELECT * FROM kms_grant WHERE key_id = ? AND grantee IN (SELECT value FROM json_each(?)) AND id > ?"
        " ORDER BY id LIMIT ?",
        (key_id, json.dumps(list(grantees)), after, most),
    )
    return [grant_of(row) for row in rows]


def grants_retired_by(tx: Tx, scope: Scope, principal: str, after: str, most: int) -> list[Grant]:
    """So many of a scope's grants that a principal may retire, by id."""
    rows = tx.all(
        "SELECT * FROM kms_grant WHERE account_id = ? AND region = ? AND retiring = ? AND id > ? ORDER BY id LIMIT ?",
        (*scope, principal, after, most),
    )
    return [grant_of(row) for row in rows]


def grant(tx: Tx, key_id: str, grant_id: str) -> Grant | None:
    """One of a key's grants."""
    row = tx.one("SELECT * FROM kms_grant WHERE id = ? AND key_id = ?", (grant_id, key_id))
    return None if row is None else grant_of(row)


def grant_by_token(tx: Tx, token: str) -> Grant | None:
    """The grant of a grant token."""
    row = tx.one("SELECT * FROM kms_grant WHERE token = ?", (token,))
    return None if row is None else grant_of(row)


def delete_grant(tx: Tx, grant_id: str) -> bool:
    """Whether there was one."""
    return bool(tx.execute("DELETE FROM kms_grant WHERE id = ?", (grant_id,)))


def tags_text(tags: Mapping[str, str]) -> str:
    """For the column."""
    return json.dumps(dict(tags))
