"""Code signing configurations, and which function has which: stored, as there is no AWS Signer that could sign code.

Holds its own SQL. AWS: Lambda Developer Guide, "Using code signing to verify code integrity with Lambda".
"""

import json
from collections.abc import Mapping
from typing import Any

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.record import record
from undercast.services.lambda_.errors import not_found, user_error
from undercast.services.lambda_.models import timestamp
from undercast.services.lambda_.names import function_arn
from undercast.store.database import Row, Tx

_KEY = "account_id = ? AND region = ? AND id = ?"


@record
class CodeSigningConfig:
    """`configuration` holds Description, AllowedPublishers and CodeSigningPolicies."""

    scope: Scope
    id: str
    configuration: Mapping[str, Any]
    tags: Mapping[str, str]
    modified_at: float

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:lambda:{self.scope.region}:{self.scope.account_id}:code-signing-config:{self.id}"

    def output(self) -> dict[str, Any]:
        """AWS's CodeSigningConfig."""
        return {
            "CodeSigningConfigId": self.id,
            "CodeSigningConfigArn": self.arn,
            **self.configuration,
            "LastModified": timestamp(self.modified_at),
        }


def put(tx: Tx, config: CodeSigningConfig) -> None:
    """Insert or replace."""
    tx.execute(
        "INSERT INTO lambda_code_signing_config (account_id, region, id, configuration, tags, modified_at)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, region, id) DO UPDATE SET"
        " configuration = excluded.configuration, tags = excluded.tags, modified_at = excluded.modified_at",
        (
            config.scope.account_id,
            config.scope.region,
            config.id,
            json.dumps(dict(config.configuration)),
            json.dumps(dict(config.tags)),
            config.modified_at,
        ),
    )


def find(tx: Tx, arn: str) -> CodeSigningConfig | None:
    """By ARN; None for an ARN of anything else, too."""
    parts = arn.split(":")
    if len(parts) != 7 or parts[:3] != ["arn", "aws", "lambda"] or parts[5] != "code-signing-config":
        return None
    row = tx.one(f"SELECT * FROM lambda_code_signing_config WHERE {_KEY}", (parts[4], parts[3], parts[6]))
    return _config(row) if row else None


def existing(tx: Tx, arn: str) -> CodeSigningConfig:
    """Raises ResourceNotFoundException."""
    config = find(tx, arn)
    if config is None:
        raise not_found(f"The Lambda code signing configuration {arn} can not be found.")
    return config


def usable(tx: Tx, scope: Scope, arn: str) -> CodeSigningConfig:
    """For a function of that account and region. Raises CodeSigningConfigNotFoundException for another's, too."""
    config = find(tx, arn)
    if config is None or config.scope != scope:
        text = "The code signing configuration cannot be found. Check that the provided configuration is not deleted: "
        raise user_error("CodeSigningConfigNotFoundException", f"{text}{arn}.", 404)
    return config


def check_signable(is_image: bool) -> None:
    """Lambda Developer Guide, "Using code signing": not for functions defined as container images. Our text."""
    if is_image:
        raise user_error("InvalidParameterValueException", "Code signing is not supported for container images.")


def configs(tx: Tx, scope: Scope, after: str, limit: int) -> list[CodeSigningConfig]:
    """Those of a scope by id, behind a position."""
    rows = tx.all(
        "SELECT * FROM lambda_code_signing_config WHERE account_id = ? AND region = ? AND id > ? ORDER BY id LIMIT ?",
        (scope.account_id, scope.region, after, limit),
    )
    return [_config(row) for row in rows]


def delete(tx: Tx, config: CodeSigningConfig) -> None:
    """Remove it."""
    key = config.scope.account_id, config.scope.region, config.id
    tx.execute(f"DELETE FROM lambda_code_signing_config WHERE {_KEY}", key)


def assign(tx: Tx, scope: Scope, name: str, arn: str) -> None:
    """Give it to a function; "" takes it away."""
    key = scope.account_id, scope.region, name
    tx.execute("DELETE FROM lambda_function_signing WHERE account_id = ? AND region = ? AND name = ?", key)
    if arn:
        tx.execute(
            "INSERT INTO lambda_function_signing (account_id, region, name, config_arn) VALUES (?, ?, ?, ?)",
            (*key, arn),
        )


def assigned(tx: Tx, scope: Scope, name: str) -> str:
    """The ARN of what a function has, or ""."""
    row = tx.one(
        "SELECT config_arn FROM lambda_function_signing WHERE account_id = ? AND region = ? AND name = ?",
        (scope.account_id, scope.region, name),
    )
    return row["config_arn"] if row else ""


def users(tx: Tx, arn: str) -> list[str]:
    """The ARNs of the functions that have it, by name."""
    rows = tx.all("SELECT * FROM lambda_function_signing WHERE config_arn = ? ORDER BY name", (arn,))
    return [function_arn(_scope(row), row["name"]) for row in rows]


def _scope(row: Row) -> Scope:
    return Scope(AccountId(row["account_id"]), Region(row["region"]))


def _config(row: Row) -> CodeSigningConfig:
    return CodeSigningConfig(
        scope=_scope(row),
        id=row["id"],
        configuration=json.loads(row["configuration"]),
        tags=json.loads(row["tags"]),
        modified_at=row["modified_at"],
    )
