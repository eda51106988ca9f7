"""What each Parameter Store request needs: its action on each parameter that it names.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for AWS Systems Manager"; User Guide,
"Restricting access to Parameter Store parameters using IAM policies".
"""

import json

from undercast.core.arn import AccountId, Arn, Scope
from undercast.core.context import RequestContext
from undercast.core.late_keys import Keys, Later
from undercast.core.service import Access, Params
from undercast.services.ssm import store
from undercast.services.ssm.instance import Ssm
from undercast.services.ssm.models import parameter_arn, parse_name
from undercast.services.ssm.public import is_public


async def access(ssm: Ssm, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`."""
    action = f"ssm:{operation}"
    if operation == "DescribeParameters":
        return (Access(action=action, resource=str(Arn.of(ctx.scope, "ssm", "*"))),)
    if operation == "GetParametersByPath":
        arn = parameter_arn(_owner(ctx.scope, params["Path"]), params["Path"])
        return (Access(action=action, resource=arn, conditions={"ssm:Recursive": _text(params.get("Recursive"))}),)
    if operation == "PutParameter":
        return (_on_written(ssm, ctx, action, params),)
    names = params.get("Names") or [params.get("Name") or params.get("ResourceId") or ""]
    return tuple(_on(ssm, ctx, action, name, reads=operation.startswith("Get")) for name in dict.fromkeys(names))


def _on_written(ssm: Ssm, ctx: RequestContext, action: str, params: Params) -> Access:
    """User Guide, "Preventing access to Parameter Store API operations": ssm:Overwrite, ssm:Policies."""
    keys = {"ssm:Overwrite": _text(params.get("Overwrite")), "ssm:Policies": _text(bool(params.get("Policies")))}
    name = params["Name"].strip()
    conditions = Later(lambda: {**_tags(ssm, ctx.scope, name), **keys})
    return Access(action=action, resource=parameter_arn(ctx.scope, name), conditions=conditions)


def _tags(ssm: Ssm, scope: Scope, name: str) -> Keys:
    row = ssm.database.read_now(lambda tx: store.parameter(tx, scope, name))
    tags = json.loads(row["tags"]) if row is not None else {}
    return {f"ssm:resourceTag/{key}": value for key, value in tags.items()}


def _text(flag: bool | None) -> str:
    return "true" if flag else "false"


def _owner(scope: Scope, name: str) -> Scope:
    """Public parameters are in no account: arn:aws:ssm:us-east-1::parameter/aws/service/..."""
    return Scope(AccountId(""), scope.region) if is_public(name) else scope


def _on(ssm: Ssm, ctx: RequestContext, action: str, name: str, *, reads: bool) -> Access:
    if not reads:
        plain = name.strip()
        keys = Later(lambda: _tags(ssm, ctx.scope, plain))
        return Access(action=action, resource=parameter_arn(ctx.scope, plain), conditions=keys)
    wanted = parse_name(name, ctx.scope)
    if is_public(wanted.name):
        return Access(action=action, resource=parameter_arn(_owner(wanted.scope, wanted.name), wanted.name))
    return Access(
        action=action,
        resource=parameter_arn(wanted.scope, wanted.name),
        conditions=Later(lambda: _tags(ssm, wanted.scope, wanted.name)),
        resource_account_id=wanted.scope.account_id,
    )
