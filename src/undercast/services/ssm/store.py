"""The rows of parameters and their versions.

AWS: Systems Manager User Guide, "Working with parameter versions in Parameter Store" (100 are kept).
"""

import json
from collections.abc import Iterator, Mapping

from undercast.core.arn import Scope
from undercast.core.errors import ServiceError
from undercast.services.ssm import policies
from undercast.services.ssm.models import Version, version_of
from undercast.store.database import Row, Tx

MAX_VERSIONS = 100


def parameter(tx: Tx, scope: Scope, name: str) -> Row | None:
    """The parameter's own row."""
    return tx.one("SELECT * FROM ssm_parameter WHERE account_id = ? AND region = ? AND name = ?", (*scope, name))


def newest(tx: Tx, scope: Scope, name: str) -> Version | None:
    """The version that counts."""
    row = tx.one(
        "SELECT * FROM ssm_version WHERE account_id = ? AND region = ? AND name = ? ORDER BY version DESC LIMIT 1",
        (*scope, name),
    )
    return None if row is None else version_of(row)


def versions(tx: Tx, scope: Scope, name: str) -> list[Version]:
    """Every version, the oldest first."""
    rows = tx.all(
        "SELECT * FROM ssm_version WHERE account_id = ? AND region = ? AND name = ? ORDER BY version", (*scope, name)
    )
    return [version_of(row) for row in rows]


def selected(tx: Tx, scope: Scope, name: str, selector: str) -> Version | None:
    """A version by its number or label."""
    if not selector:
        return newest(tx, scope, name)
    for version in versions(tx, scope, name):
        if selector == str(version.version) or selector in version.labels:
            return version
    return None


def add(tx: Tx, version: Version, tags: Mapping[str, str] | None) -> None:
    """The parameter's newest version; `tags` for a new parameter."""
    key, due_at = (*version.scope, version.name), _due_at(version)
    if tags is not None:
        tx.execute(
            "INSERT INTO ssm_parameter (account_id, region, name, version, tags, due_at) VALUES (?, ?, ?, ?, ?, ?)",
            (*key, version.version, json.dumps(dict(tags)), due_at),
        )
    else:
        tx.execute(
            "UPDATE ssm_parameter SET version = ?, due_at = ? WHERE account_id = ? AND region = ? AND name = ?",
            (version.version, due_at, *key),
        )
    tx.execute(
        "INSERT INTO ssm_version (account_id, region, name, version, value, type, key_id, data_key, data_type, tier,"
        " description, allowed_pattern, policies, applied, labels, modified_at, modified_by)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *key,
            version.version,
            version.value,
            version.type,
            version.key_id,
            version.data_key,
            version.data_type,
            version.tier,
            version.description,
            version.allowed_pattern,
            version.policies,
            json.dumps(version.applied),
            json.dumps(version.labels),
            version.modified_at,
            version.modified_by,
        ),
    )
    _drop_oldest(tx, version)


def _drop_oldest(tx: Tx, version: Version) -> None:
    """Raises ParameterMaxVersionLimitExceeded when the version that must go has a label."""
    kept = versions(tx, version.scope, version.name)
    if len(kept) <= MAX_VERSIONS:
        return
    oldest = kept[0]
    if oldest.labels:
        text = (
            f"You attempted to create a new version of {version.name} by calling the PutParameter API with the "
            f"overwrite flag. Version {oldest.version}, the oldest version, can't be deleted because it has a label "
            "associated with it. Move the label to another version of the parameter, and try again."
        )
        raise ServiceError("ParameterMaxVersionLimitExceeded", text)
    tx.execute(
        "DELETE FROM ssm_version WHERE account_id = ? AND region = ? AND name = ? AND version = ?",
        (*oldest.scope, oldest.name, oldest.version),
    )


def set_labels(tx: Tx, version: Version, labels: tuple[str, ...]) -> None:
    """Replace a version's labels."""
    tx.execute(
        "UPDATE ssm_version SET labels = ? WHERE account_id = ? AND region = ? AND name = ? AND version = ?",
        (json.dumps(labels), *version.scope, version.name, version.version),
    )


def set_tags(tx: Tx, scope: Scope, name: str, tags: Mapping[str, str]) -> None:
    """Replace a parameter's tags."""
    tx.execute(
        "UPDATE ssm_parameter SET tags = ? WHERE account_id = ? AND region = ? AND name = ?",
        (json.dumps(dict(tags)), *scope, name),
    )


def delete(tx: Tx, scope: Scope, name: str) -> bool:
    """The parameter with all versions; whether it was there."""
    key = (*scope, name)
    tx.execute("DELETE FROM ssm_version WHERE account_id = ? AND region = ? AND name = ?", key)
    return bool(tx.execute("DELETE FROM ssm_parameter WHERE account_id = ? AND region = ? AND name = ?", key))


def due(tx: Tx, now: float, limit: int) -> list[Version]:
    """The newest versions of parameters of which a policy is to be applied, those first that have waited longest."""
    rows = tx.all(
        "SELECT ssm_version.* FROM ssm_parameter JOIN ssm_version USING (account_id, region, name, version)"
        " WHERE due_at <= ? ORDER BY due_at LIMIT ?",
        (now, limit),
    )
    return [version_of(row) for row in rows]


def set_applied(tx: Tx, version: Version) -> None:
    """Its policies that were applied, and when the next one is due."""
    key = (*version.scope, version.name)
    tx.execute(
        "UPDATE ssm_version SET applied = ? WHERE account_id = ? AND region = ? AND name = ? AND version = ?",
        (json.dumps(version.applied), *key, version.version),
    )
    tx.execute(
        "UPDATE ssm_parameter SET due_at = ? WHERE account_id = ? AND region = ? AND name = ?",
        (_due_at(version), *key),
    )


def _due_at(version: Version) -> float | None:
    left = policies.due(version.policies, version.modified_at, version.applied)
    return left[0].at if left else None


def each(tx: Tx, scope: Scope, after: str, prefix: str = "") -> Iterator[tuple[Version, Mapping[str, str]]]:
    """The newest version of each parameter with the parameter's tags, by name."""
    rows = tx.each(
        "SELECT ssm_version.*, ssm_parameter.tags AS tags FROM ssm_parameter JOIN ssm_version"
        " USING (account_id, region, name, version)"
        " WHERE account_id = ? AND region = ? AND name > ? AND name >= ? AND name < ? ORDER BY name",
        (*scope, after, prefix, prefix + "\U0010ffff"),
    )
    return ((version_of(row), json.loads(row["tags"])) for row in rows)
