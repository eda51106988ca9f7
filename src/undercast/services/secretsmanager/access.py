"""What each Secrets Manager request needs: its action on the secret, and the secret's own policy.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for AWS Secrets Manager".
"""

import json
from collections.abc import Mapping
from typing import Any

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.context import RequestContext
from undercast.core.late_keys import Keys
from undercast.core.service import Access, Params
from undercast.services.secretsmanager import store
from undercast.services.secretsmanager.errors import not_found
from undercast.services.secretsmanager.instance import SecretsManager
from undercast.services.secretsmanager.models import Secret, parse_id

_AS_SAID = (
    "BlockPublicPolicy", "Description", "ForceDeleteWithoutRecovery", "ForceOverwriteReplicaSecret", "KmsKeyId", "Name",
    "RecoveryWindowInDays", "RotateImmediately", "RotationLambdaARN", "VersionId", "VersionStage",
)  # fmt: skip
"""Members whose condition key has their name."""
_ON_NONE = frozenset({"ListSecrets", "GetRandomPassword", "BatchGetSecretValue"})


async def access(manager: SecretsManager, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`. The values of a batch are asked for one by one, each with its own access."""
    action = f"secretsmanager:{operation}"
    secret_id = params.get("SecretId") or params.get("Name")
    if operation in _ON_NONE or not secret_id:
        return (Access(action=action, resource="*"),)
    named = parse_id(secret_id, ctx.scope)
    secret = manager.database.read_now(lambda tx: store.find(tx, named))
    if secret is None:
        if named.scope.account_id != ctx.account_id:
            raise not_found()
        resource = str(Arn.of(named.scope, "secretsmanager", f"secret:{named.names[0][0]}"))
        return (Access(action=action, resource=resource, conditions=_of_request(operation, params)),)
    conditions = _of_request(operation, params) | _of_secret(secret)
    return (
        Access(
            action=action,
            resource=secret.arn,
            conditions=conditions,
            resource_policy=json.loads(secret.policy) if secret.policy else None,
            resource_account_id=secret.scope.account_id,
        ),
    )


def _of_request(operation: str, params: Params) -> Keys:
    """What the request says. AWS: Service Authorization Reference, "Condition keys for AWS Secrets Manager"."""
    found: Keys = {f"secretsmanager:{member}": _text(params[member]) for member in _AS_SAID if member in params}
    if params.get("AddReplicaRegions"):
        found["secretsmanager:AddReplicaRegions"] = tuple(one.get("Region", "") for one in params["AddReplicaRegions"])
    if operation == "RotateSecret":
        found["secretsmanager:ModifyRotationRules"] = "true" if "RotationRules" in params else "false"
    if str(params.get("KmsKeyId", "")).startswith("arn:"):
        found["secretsmanager:KmsKeyArn"] = params["KmsKeyId"]
    return found


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _of_secret(secret: Secret) -> Keys:
    """What the secret is."""
    found: Keys = {
        "secretsmanager:SecretId": secret.arn,
        "secretsmanager:SecretPrimaryRegion": secret.primary_region or secret.scope.region,
    }
    if secret.rotation_lambda:
        found["secretsmanager:resource/AllowRotationLambdaArn"] = secret.rotation_lambda
    for name, value in secret.tags.items():
        found |= {f"aws:ResourceTag/{name}": value, f"secretsmanager:ResourceTag/{name}": value}
    return found


async def policy_of(manager: SecretsManager, arn: str) -> Mapping[str, Any] | None:
    """See `core.service.Manifest.policy_of`."""
    named = parse_id(arn, Scope(AccountId(""), Region("")))  # an ARN says its own
    secret = manager.database.read_now(lambda tx: store.find(tx, named))
    return json.loads(secret.policy) if secret is not None and secret.policy else None


def tags_of(manager: SecretsManager, arn: str) -> Mapping[str, str]:
    """See `core.service.Manifest.tags_of`."""
    named = parse_id(arn, Scope(AccountId(""), Region("")))
    secret = manager.database.read_now(lambda tx: store.find(tx, named))
    return secret.tags if secret is not None else {}
