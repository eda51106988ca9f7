"""Secrets by way of Parameter Store: /aws/reference/secretsmanager/NAME, with a version's id or stage behind a colon.

AWS: Systems Manager User Guide, "Referencing AWS Secrets Manager secrets from Parameter Store parameters".
"""

import json
from datetime import datetime
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.services.ssm.errors import invalid, not_found
from undercast.services.ssm.models import SECRET_PREFIX, SECURE

_UUID_LENGTH = 36


async def referenced(ctx: RequestContext, name: str, decrypt: bool) -> dict[str, Any]:
    """The secret as a parameter. Raises ParameterNotFound for a secret that is not there."""
    if not decrypt:
        raise invalid("WithDecryption flag must be True for retrieving a Secret Manager secret.")
    secret, _, selector = name.removeprefix(SECRET_PREFIX).partition(":")
    params: dict[str, Any] = {"SecretId": secret}
    if selector:
        params["VersionId" if len(selector) == _UUID_LENGTH else "VersionStage"] = selector
    try:
        found = await ctx.call("secretsmanager", "GetSecretValue", params)
    except ServiceError as error:
        if error.code in ("ResourceNotFoundException", "InvalidRequestException"):
            text = f"An error occurred (ParameterNotFound) when referencing Secrets Manager: Secret {name} not found."
            raise ServiceError(not_found().code, text) from None
        raise
    value = found.get("SecretString")
    if value is None:
        raise invalid("Binary secrets cannot be referenced from Parameter Store.")
    created: datetime = found["CreatedDate"]
    return {
        "Name": name,
        "Type": SECURE,
        "Value": value,
        "Version": 0,
        "SourceResult": json.dumps({**found, "CreatedDate": created.timestamp()}, default=str),
        "LastModifiedDate": created,
        "ARN": found["ARN"],
        **({"Selector": f":{selector}"} if selector else {}),
    }
