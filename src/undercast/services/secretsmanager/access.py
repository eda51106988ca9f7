"""What each Secrets Manager request needs: its action on the secret, and the secret's own policy.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for AWS Secrets Manager".
"""

import json
from collections.abc import Mapping
from typing import Any

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.context import RequestContext
from undercast.core.service import Access, Params
from undercast.services.secretsmanager import store
from undercast.services.secretsmanager.errors import not_found
from undercast.services.secretsmanager.instance import SecretsManager
from undercast.services.secretsmanager.models import parse_id

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
        return (Access(action=action, resource=resource),)
    conditions: dict[str, str | tuple[str, ...]] = {"secretsmanager:SecretId": secret.arn}
    conditions.update({f"aws:ResourceTag/{name}": value for name, value in secret.tags.items()})
    if params.get("AddReplicaRegions"):
        conditions["secretsmanager:AddReplicaRegions"] = tuple(
            one.get("Region", "") for one in params["AddReplicaRegions"]
        )
    return (
        Access(
            action=action,
            resource=secret.arn,
            conditions=conditions,
            resource_policy=json.loads(secret.policy) if secret.policy else None,
            resource_account_id=secret.scope.account_id,
        ),
    )


async def policy_of(manager: SecretsManager, arn: str) -> Mapping[str, Any] | None:
    """See `core.service.Manifest.policy_of`."""
    named = parse_id(arn, Scope(AccountId(""), Region("")))  # an ARN says its own
    secret = manager.database.read_now(lambda tx: store.find(tx, named))
    return json.loads(secret.policy) if secret is not None and secret.policy else None
