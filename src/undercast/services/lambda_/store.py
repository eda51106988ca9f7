"""Lambda's rows: every statement of SQL that the service has. Each function runs inside a transaction."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from undercast.core.arn import AccountId, Region, Scope
from undercast.services.lambda_.images.use import ImageUse
from undercast.services.lambda_.layers import LayerUse
from undercast.services.lambda_.models import ACTIVE, FAILED, IN_PROGRESS, PENDING, SUCCESSFUL, Alias, Function, Version
from undercast.services.lambda_.permissions import policy_document
from undercast.store.database import Row, Tx

Key = tuple[str, str, str]

_VERSION_KEY = "account_id = ? AND region = ? AND name = ? AND number = ?"

_QUALIFIED = ("policy", "event_invoke_config", "provisioned", "runtime_management", "url")
"""Tables of what a version or an alias has."""
_OF_FUNCTION = ("function", "version", "function_layer", "alias", "function_signing", *_QUALIFIED)
_VERSION_COLUMNS = (
    "account_id, region, name, number, configuration, code_sha256, code_size, unzipped_bytes, code_folder, image,"
    " revision_id, modified_at, state, state_reason, update_status, update_reason"
)


def key_of(scope: Scope, name: str) -> Key:
    """The leading columns of every row of a function."""
    return scope.account_id, scope.region, name


def _scope(row: Row) -> Scope:
    return Scope(AccountId(row["account_id"]), Region(row["region"]))


# Functions


def add_function(tx: Tx, function: Function) -> bool:
    """False when it exists."""
    return bool(
        tx.execute(
            "INSERT INTO lambda_function (account_id, region, name, tags, reserved_concurrency, recursive_loop)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                *key_of(function.scope, function.name),
                json.dumps(dict(function.tags)),
                function.reserved_concurrency,
                function.recursive_loop,
            ),
        )
    )


def function(tx: Tx, scope: Scope, name: str) -> Function | None:
    """The function, or None."""
    row = tx.one("SELECT * FROM lambda_function WHERE account_id = ? AND region = ? AND name = ?", key_of(scope, name))
    if row is None:
        return None
    return Function(
        scope=scope,
        name=name,
        tags=json.loads(row["tags"]),
        reserved_concurrency=row["reserved_concurrency"],
        recursive_loop=row["recursive_loop"],
    )


def change_function(tx: Tx, changed: Function) -> None:
    """Write tags, reserved concurrency and recursion setting."""
    tx.execute(
        "UPDATE lambda_function SET tags = ?, reserved_concurrency = ?, recursive_loop = ?"
        " WHERE account_id = ? AND region = ? AND name = ?",
        (
            json.dumps(dict(changed.tags)),
            changed.reserved_concurrency,
            changed.recursive_loop,
            *key_of(changed.scope, changed.name),
        ),
    )


def delete_function(tx: Tx, scope: Scope, name: str) -> None:
    """Everything but the numbers: Lambda never gives a version number twice."""
    for table in _OF_FUNCTION:
        tx.execute(f"DELETE FROM lambda_{table} WHERE account_id = ? AND region = ? AND name = ?", key_of(scope, name))


def reserved_elsewhere(tx: Tx, scope: Scope, name: str = "") -> int:
    """Reserved concurrency of all functions of the scope but one."""
    row = tx.one(
        "SELECT COALESCE(SUM(reserved_concurrency), 0) AS total FROM lambda_function"
        " WHERE account_id = ? AND region = ? AND name <> ?",
        key_of(scope, name),
    )
    return int(row["total"]) if row else 0


def claimed_elsewhere(tx: Tx, scope: Scope, name: str = "") -> int:
    """Concurrency that the other functions of the scope have for themselves: reserved, or else provisioned."""
    row = tx.one(
        "SELECT COALESCE(SUM(p.requested), 0) AS total FROM lambda_provisioned p JOIN lambda_function f"
        " ON f.account_id = p.account_id AND f.region = p.region AND f.name = p.name"
        " WHERE p.account_id = ? AND p.region = ? AND p.name <> ? AND f.reserved_concurrency IS NULL",
        key_of(scope, name),
    )
    return reserved_elsewhere(tx, scope, name) + (int(row["total"]) if row else 0)


def usage(tx: Tx, scope: Scope) -> tuple[int, int]:
    """(bytes of code of all versions of functions and layers, number of functions)."""
    code = tx.one(
        "SELECT (SELECT COALESCE(SUM(code_size), 0) FROM lambda_version WHERE account_id = ? AND region = ?)"
        " + (SELECT COALESCE(SUM(code_size), 0) FROM lambda_layer_version WHERE account_id = ? AND region = ?)"
        " AS total",
        (scope.account_id, scope.region, scope.account_id, scope.region),
    )
    count = tx.one(
        "SELECT COUNT(*) AS total FROM lambda_function WHERE account_id = ? AND region = ?",
        (scope.account_id, scope.region),
    )
    return int(code["total"]) if code else 0, int(count["total"]) if count else 0


# Versions


def add_version(tx: Tx, version: Version) -> None:
    """Insert the row. The caller holds a reference to the code's blob."""
    tx.execute(
        f"INSERT INTO lambda_version ({_VERSION_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*key_of(version.scope, version.name), version.number, *_values(version)),
    )
    _put_layers(tx, version)


def change_version(tx: Tx, version: Version) -> None:
    """Write everything but the key."""
    tx.execute(
        "UPDATE lambda_version SET configuration = ?, code_sha256 = ?, code_size = ?, unzipped_bytes = ?,"
        " code_folder = ?, image = ?, revision_id = ?, modified_at = ?, state = ?, state_reason = ?, update_status = ?,"
        " update_reason = ?"
        " WHERE account_id = ? AND region = ? AND name = ? AND number = ?",
        (*_values(version), *key_of(version.scope, version.name), version.number),
    )
    tx.execute(f"DELETE FROM lambda_function_layer WHERE {_VERSION_KEY}", _version_key(version))
    _put_layers(tx, version)


def _put_layers(tx: Tx, version: Version) -> None:
    for position, layer in enumerate(version.layers):
        tx.execute(
            "INSERT INTO lambda_function_layer (account_id, region, name, number, position, layer_arn, code_sha256,"
            " code_size, unzipped_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *_version_key(version),
                position,
                layer.arn,
                layer.code_sha256,
                layer.code_size,
                layer.unzipped_bytes,
            ),
        )


def _version_key(version: Version) -> tuple[str, str, str, int]:
    return (*key_of(version.scope, version.name), version.number)


def version(tx: Tx, scope: Scope, name: str, number: int) -> Version | None:
    """One version, or None."""
    row = tx.one(
        f"SELECT {_VERSION_COLUMNS} FROM lambda_version"
        " WHERE account_id = ? AND region = ? AND name = ? AND number = ?",
        (*key_of(scope, name), number),
    )
    return _version(tx, row) if row else None


def versions(tx: Tx, scope: Scope, name: str, after: int = -1, limit: int = -1) -> list[Version]:
    """Versions of a function from $LATEST upwards."""
    rows = tx.all(
        f"SELECT {_VERSION_COLUMNS} FROM lambda_version"
        " WHERE account_id = ? AND region = ? AND name = ? AND number > ? ORDER BY number LIMIT ?",
        (*key_of(scope, name), after, limit),
    )
    return [_version(tx, row) for row in rows]


def all_versions(tx: Tx, scope: Scope, after: tuple[str, int], limit: int, *, latest_only: bool) -> list[Version]:
    """Versions of all functions of the scope, by name and number, behind a position."""
    rows = tx.all(
        f"SELECT {_VERSION_COLUMNS} FROM lambda_version WHERE account_id = ? AND region = ?"
        " AND (name > ? OR (name = ? AND number > ?)) AND number <= ? ORDER BY name, number LIMIT ?",
        (scope.account_id, scope.region, after[0], after[0], after[1], 0 if latest_only else 1 << 62, limit),
    )
    return [_version(tx, row) for row in rows]


def delete_version(tx: Tx, scope: Scope, name: str, number: int) -> None:
    """Remove one published version, with what names it."""
    for table in ("version", "function_layer"):
        tx.execute(f"DELETE FROM lambda_{table} WHERE {_VERSION_KEY}", (*key_of(scope, name), number))
    _delete_qualified(tx, scope, name, str(number))


def _delete_qualified(tx: Tx, scope: Scope, name: str, qualifier: str) -> None:
    for table in _QUALIFIED:
        tx.execute(
            f"DELETE FROM lambda_{table} WHERE account_id = ? AND region = ? AND name = ? AND qualifier = ?",
            (*key_of(scope, name), qualifier),
        )


def next_number(tx: Tx, scope: Scope, name: str) -> int:
    """The number of the next published version; never one that was given before."""
    row = tx.one(
        "INSERT INTO lambda_last_number (account_id, region, name, number) VALUES (?, ?, ?, 1)"
        " ON CONFLICT (account_id, region, name) DO UPDATE SET number = lambda_last_number.number + 1"
        " RETURNING number",
        key_of(scope, name),
    )
    assert row is not None
    return int(row["number"])


def folders_of_others(tx: Tx, scope: Scope) -> list[str]:
    """The folders that functions of other accounts have as their code."""
    rows = tx.all(
        "SELECT DISTINCT code_folder FROM lambda_version WHERE account_id <> ? AND code_folder <> ''",
        (scope.account_id,),
    )
    return [row["code_folder"] for row in rows]


def code_in_use(tx: Tx, sha256: str) -> bool:
    """Whether any function version of any account has this code, as its own or in a layer."""
    tables = ("lambda_version", "lambda_function_layer")
    return any(tx.one(f"SELECT 1 FROM {table} WHERE code_sha256 = ? LIMIT 1", (sha256,)) for table in tables)


def all_code(tx: Tx) -> frozenset[str]:
    """The digests of all code that a function version has."""
    query = "SELECT code_sha256 FROM lambda_version UNION SELECT code_sha256 FROM lambda_function_layer"
    return frozenset(row["code_sha256"] for row in tx.all(query))


def unfinished(tx: Tx) -> list[Version]:
    """Versions whose code was being unpacked when the platform stopped."""
    rows = tx.all(
        f"SELECT {_VERSION_COLUMNS} FROM lambda_version WHERE state = ? OR update_status = ?", (PENDING, IN_PROGRESS)
    )
    return [_version(tx, row) for row in rows]


def latest_versions(tx: Tx) -> list[Version]:
    """$LATEST of every function."""
    return [_version(tx, row) for row in tx.all(f"SELECT {_VERSION_COLUMNS} FROM lambda_version WHERE number = 0")]


def settle(tx: Tx, subject: Version, failure: str | None) -> bool:
    """The end of a creation or update: Active and Successful, or Failed with a reason. False, and nothing, where the
    version is gone or another by now."""
    current = version(tx, subject.scope, subject.name, subject.number)
    if current is None or current.revision_id != subject.revision_id:
        return False
    if failure is None:
        settled = replace(current, state=ACTIVE, state_reason="", update_status=SUCCESSFUL, update_reason="")
    elif current.state == PENDING:
        settled = replace(current, state=FAILED, state_reason=failure, update_status=FAILED, update_reason=failure)
    else:
        settled = replace(current, update_status=FAILED, update_reason=failure)
    change_version(tx, settled)
    return True


def _values(version: Version) -> tuple[str | int | float, ...]:
    return (
        json.dumps(dict(version.configuration)),
        version.code_sha256,
        version.code_size,
        version.unzipped_bytes,
        version.folder,
        version.image.as_row() if version.image is not None else "",
        version.revision_id,
        version.modified_at,
        version.state,
        version.state_reason,
        version.update_status,
        version.update_reason,
    )


def _version(tx: Tx, row: Row) -> Version:
    return Version(
        scope=_scope(row),
        name=row["name"],
        number=row["number"],
        configuration=json.loads(row["configuration"]),
        code_sha256=row["code_sha256"],
        code_size=row["code_size"],
        unzipped_bytes=row["unzipped_bytes"],
        folder=row["code_folder"],
        image=ImageUse.from_row(row["image"]),
        layers=_layers(tx, row),
        revision_id=row["revision_id"],
        modified_at=row["modified_at"],
        state=row["state"],
        state_reason=row["state_reason"],
        update_status=row["update_status"],
        update_reason=row["update_reason"],
    )


def _layers(tx: Tx, row: Row) -> tuple[LayerUse, ...]:
    rows = tx.all(
        f"SELECT * FROM lambda_function_layer WHERE {_VERSION_KEY} ORDER BY position",
        (row["account_id"], row["region"], row["name"], row["number"]),
    )
    return tuple(
        LayerUse(
            arn=layer["layer_arn"],
            code_sha256=layer["code_sha256"],
            code_size=layer["code_size"],
            unzipped_bytes=layer["unzipped_bytes"],
        )
        for layer in rows
    )


# Aliases


def alias(tx: Tx, scope: Scope, name: str, alias_name: str) -> Alias | None:
    """One alias, or None."""
    row = tx.one(
        "SELECT * FROM lambda_alias WHERE account_id = ? AND region = ? AND name = ? AND alias = ?",
        (*key_of(scope, name), alias_name),
    )
    return _alias(row) if row else None


def aliases(tx: Tx, scope: Scope, name: str) -> Iterator[Alias]:
    """All aliases of a function by name."""
    for row in tx.all(
        "SELECT * FROM lambda_alias WHERE account_id = ? AND region = ? AND name = ? ORDER BY alias",
        key_of(scope, name),
    ):
        yield _alias(row)


def put_alias(tx: Tx, alias: Alias) -> None:
    """Insert or replace."""
    tx.execute(
        "INSERT INTO lambda_alias (account_id, region, name, alias, version, description, weights, revision_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, region, name, alias) DO UPDATE SET"
        " version = excluded.version, description = excluded.description, weights = excluded.weights,"
        " revision_id = excluded.revision_id",
        (
            *key_of(alias.scope, alias.name),
            alias.alias,
            alias.version,
            alias.description,
            json.dumps(dict(alias.weights)),
            alias.revision_id,
        ),
    )


def delete_alias(tx: Tx, scope: Scope, name: str, alias_name: str) -> None:
    """Remove one alias, with what names it."""
    tx.execute(
        "DELETE FROM lambda_alias WHERE account_id = ? AND region = ? AND name = ? AND alias = ?",
        (*key_of(scope, name), alias_name),
    )
    _delete_qualified(tx, scope, name, alias_name)


def _alias(row: Row) -> Alias:
    return Alias(
        scope=_scope(row),
        name=row["name"],
        alias=row["alias"],
        version=row["version"],
        description=row["description"],
        weights=json.loads(row["weights"]),
        revision_id=row["revision_id"],
    )


# Policies


def policy(tx: Tx, scope: Scope, name: str, qualifier: str) -> tuple[dict[str, Any], str] | None:
    """(document, revision id) of the policy on a qualifier; "" is the unqualified function."""
    row = tx.one(
        "SELECT statements, revision_id FROM lambda_policy"
        " WHERE account_id = ? AND region = ? AND name = ? AND qualifier = ?",
        (*key_of(scope, name), qualifier),
    )
    if row is None:
        return None
    stored = json.loads(row["statements"])
    # Rows of earlier versions hold the statements alone.
    return (policy_document(stored) if isinstance(stored, list) else stored), row["revision_id"]


def put_policy(tx: Tx, key: Key, qualifier: str, document: Mapping[str, Any] | None, revision_id: str) -> None:
    """Write the policy; None, and one without statements, removes it."""
    if not document or not document["Statement"]:
        tx.execute(
            "DELETE FROM lambda_policy WHERE account_id = ? AND region = ? AND name = ? AND qualifier = ?",
            (*key, qualifier),
        )
        return
    tx.execute(
        "INSERT INTO lambda_policy (account_id, region, name, qualifier, statements, revision_id)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, region, name, qualifier) DO UPDATE SET"
        " statements = excluded.statements, revision_id = excluded.revision_id",
        (*key, qualifier, json.dumps(document), revision_id),
    )


# Asynchronous invocation settings


def invoke_config(tx: Tx, scope: Scope, name: str, qualifier: str) -> tuple[dict[str, Any], float] | None:
    """(configuration, time of change) for a qualifier; $LATEST stands for the unqualified function too."""
    row = tx.one(
        "SELECT configuration, modified_at FROM lambda_event_invoke_config"
        " WHERE account_id = ? AND region = ? AND name = ? AND qualifier = ?",
        (*key_of(scope, name), qualifier),
    )
    return (json.loads(row["configuration"]), row["modified_at"]) if row else None


def invoke_configs(tx: Tx, scope: Scope, name: str) -> list[tuple[str, dict[str, Any], float]]:
    """(qualifier, configuration, time of change) of a function."""
    rows = tx.all(
        "SELECT qualifier, configuration, modified_at FROM lambda_event_invoke_config"
        " WHERE account_id = ? AND region = ? AND name = ? ORDER BY qualifier",
        key_of(scope, name),
    )
    return [(row["qualifier"], json.loads(row["configuration"]), row["modified_at"]) for row in rows]


def put_invoke_config(tx: Tx, key: Key, qualifier: str, configuration: Mapping[str, Any], at: float) -> None:
    """Insert or replace."""
    tx.execute(
        "INSERT INTO lambda_event_invoke_config (account_id, region, name, qualifier, configuration, modified_at)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, region, name, qualifier) DO UPDATE SET"
        " configuration = excluded.configuration, modified_at = excluded.modified_at",
        (*key, qualifier, json.dumps(dict(configuration)), at),
    )


def delete_invoke_config(tx: Tx, key: Key, qualifier: str) -> bool:
    """False when there was none."""
    return bool(
        tx.execute(
            "DELETE FROM lambda_event_invoke_config WHERE account_id = ? AND region = ? AND name = ? AND qualifier = ?",
            (*key, qualifier),
        )
    )


# Provisioned concurrency


def provisioned(tx: Tx, scope: Scope, name: str) -> list[tuple[str, int, float]]:
    """(qualifier, requested, time of change) of a function."""
    rows = tx.all(
        "SELECT qualifier, requested, modified_at FROM lambda_provisioned"
        " WHERE account_id = ? AND region = ? AND name = ? ORDER BY qualifier",
        key_of(scope, name),
    )
    return [(row["qualifier"], row["requested"], row["modified_at"]) for row in rows]


def provisioned_functions(tx: Tx) -> list[tuple[Scope, str]]:
    """All functions that have any."""
    return [
        (_scope(row), row["name"]) for row in tx.all("SELECT DISTINCT account_id, region, name FROM lambda_provisioned")
    ]


def put_provisioned(tx: Tx, key: Key, qualifier: str, requested: int, at: float) -> None:
    """Insert or replace."""
    tx.execute(
        "INSERT INTO lambda_provisioned (account_id, region, name, qualifier, requested, modified_at)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, region, name, qualifier) DO UPDATE SET"
        " requested = excluded.requested, modified_at = excluded.modified_at",
        (*key, qualifier, requested, at),
    )


def delete_provisioned(tx: Tx, key: Key, qualifier: str) -> None:
    """Nothing when there is none."""
    tx.execute(
        "DELETE FROM lambda_provisioned WHERE account_id = ? AND region = ? AND name = ? AND qualifier = ?",
        (*key, qualifier),
    )


# Runtime management


def runtime_management(tx: Tx, key: Key, qualifier: str) -> tuple[str, str] | None:
    """(UpdateRuntimeOn, RuntimeVersionArn or "") of a qualifier."""
    row = tx.one(
        "SELECT update_on, version_arn FROM lambda_runtime_management"
        " WHERE account_id = ? AND region = ? AND name = ? AND qualifier = ?",
        (*key, qualifier),
    )
    return (row["update_on"], row["version_arn"]) if row else None


def put_runtime_management(tx: Tx, key: Key, qualifier: str, update_on: str, version_arn: str) -> None:
    """Insert or replace."""
    tx.execute(
        "INSERT INTO lambda_runtime_management (account_id, region, name, qualifier, update_on, version_arn)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, region, name, qualifier) DO UPDATE SET"
        " update_on = excluded.update_on, version_arn = excluded.version_arn",
        (*key, qualifier, update_on, version_arn),
    )
