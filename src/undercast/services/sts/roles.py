"""The role that a request wants to assume, as IAM knows it.

STS reaches IAM by calls alone (I3), in its own name: the caller needs no permission to read the role.
AWS: STS API Reference, "AssumeRole".
"""

import json
from collections.abc import Mapping
from dataclasses import field, replace
from typing import Any
from urllib.parse import unquote

from undercast.core.arn import AccountId, Scope, is_account_id
from undercast.core.context import LOOK_UP, RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import service_principal
from undercast.core.record import record

_STS = "sts.amazonaws.com"


@record
class Role:
    """A role. `trust_policy` is None when IAM does not know the role."""

    account_id: AccountId
    arn: str
    name: str
    id: str = ""
    max_session_s: int = 43_200
    trust_policy: Mapping[str, Any] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


async def find_role(ctx: RequestContext, arn: str) -> Role:
    """Raises ValidationError when the text is no role ARN."""
    fields = arn.split(":", 5)
    if len(fields) != 6 or fields[2] != "iam" or not is_account_id(fields[4]) or not fields[5].startswith("role/"):
        raise ServiceError("ValidationError", f"{arn} is invalid", 400)
    account, name = AccountId(fields[4]), arn.rpartition("/")[2]
    try:
        answer = await call_iam(ctx, account, "GetRole", {"RoleName": name})
    except ServiceError as error:
        if error.code not in ("NoSuchEntity", "ValidationError"):
            raise
        return Role(account_id=account, arn=arn, name=name)
    role = answer["Role"]
    if role["Arn"] != arn:
        return Role(account_id=account, arn=arn, name=name)
    return Role(
        account_id=account,
        arn=arn,
        name=role["RoleName"],
        id=role["RoleId"],
        max_session_s=role["MaxSessionDuration"],
        trust_policy=json.loads(unquote(role["AssumeRolePolicyDocument"])),
        tags={tag["Key"]: tag["Value"] for tag in role.get("Tags", ())},
    )


async def managed_document(ctx: RequestContext, account: AccountId, arn: str) -> str:
    """The text in force of a managed policy. Raises NoSuchEntity."""
    policy = (await call_iam(ctx, account, "GetPolicy", {"PolicyArn": arn}))["Policy"]
    wanted = {"PolicyArn": arn, "VersionId": policy["DefaultVersionId"]}
    version = await call_iam(ctx, account, "GetPolicyVersion", wanted)
    return unquote(version["PolicyVersion"]["Document"])


async def call_iam(
    ctx: RequestContext, account: AccountId, operation: str, params: Mapping[str, Any]
) -> dict[str, Any]:
    """Ask IAM about an account, as the STS service."""
    scope = Scope(account, ctx.region)
    ctx = replace(ctx, cause=LOOK_UP)
    return await ctx.call("iam", operation, params, principal=service_principal(_STS, account), scope=scope)
