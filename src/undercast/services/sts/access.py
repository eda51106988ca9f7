"""What each STS operation needs. AssumeRole: the role's trust policy must allow it, whatever else does.

AWS: IAM User Guide, "Methods to assume a role"; Service Authorization Reference, "AWS Security Token Service".
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Access
from undercast.services.sts.roles import find_role
from undercast.services.sts.sts import Sts

Params = Mapping[str, Any]
_TRUSTS_NOBODY: Mapping[str, Any] = {"Version": "2012-10-17", "Statement": []}


async def access(sts: Sts, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `Manifest.access`. The other operations need no permission on AWS either.

    A role that IAM does not know is let through like one that calls, unless `--iam strict`: for the platform's own
    services and for administrators, never for users and roles that IAM does know.
    """
    if operation != "AssumeRole":
        return ()
    role = await find_role(ctx, params["RoleArn"])
    if role.trust_policy is None and sts.mode != "strict" and ctx.principal.kind in ("root", "service"):
        return ()
    conditions = _conditions(params) | {f"iam:ResourceTag/{key}": value for key, value in role.tags.items()}
    actions = ["sts:AssumeRole"] + (["sts:TagSession"] if params.get("Tags") else [])
    return tuple(
        Access(
            action=action,
            resource=role.arn,
            conditions=conditions,
            resource_policy=_TRUSTS_NOBODY if role.trust_policy is None else role.trust_policy,
            resource_account_id=role.account_id,
            needs_resource_policy=True,
        )
        for action in actions
    )


def _conditions(params: Params) -> dict[str, str | tuple[str, ...]]:
    keys: dict[str, str | tuple[str, ...]] = {"sts:RoleSessionName": params["RoleSessionName"]}
    if "ExternalId" in params:
        keys["sts:ExternalId"] = params["ExternalId"]
    if params.get("SourceIdentity"):
        keys["sts:SourceIdentity"] = params["SourceIdentity"]
    if params.get("TransitiveTagKeys"):
        keys["sts:TransitiveTagKeys"] = tuple(params["TransitiveTagKeys"])
    if tags := params.get("Tags"):
        keys["aws:TagKeys"] = tuple(tag["Key"] for tag in tags)
        keys.update({f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in tags})
    return keys
