"""What each X-Ray request needs: its action on the group or the sampling rule, else on all.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for AWS X-Ray".
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Access, Params
from undercast.services.xray import store
from undercast.services.xray.instance import XRay, arn_of

_ON_GROUP = frozenset({"CreateGroup", "GetGroup", "UpdateGroup", "DeleteGroup"})
_ON_TAGGED = frozenset({"TagResource", "UntagResource", "ListTagsForResource"})
_RULE = {"CreateSamplingRule": "SamplingRule", "UpdateSamplingRule": "SamplingRuleUpdate", "DeleteSamplingRule": ""}
"""Operation on a rule -> the member in which it is named, "" for the request itself."""


async def access(xray: XRay, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`. A group that is not there has no id in its ARN."""
    resource = "*"
    if operation in _ON_TAGGED:
        resource = params["ResourceARN"]
    elif operation in _ON_GROUP:
        resource = _group(xray, ctx, params)
    elif operation in _RULE:
        named: Mapping[str, Any] = params[_RULE[operation]] if _RULE[operation] else params
        name = named.get("RuleName")
        resource = arn_of(ctx, f"sampling-rule/{name}") if name else named.get("RuleARN") or "*"
    return (Access(action=f"xray:{operation}", resource=resource),)


def _group(xray: XRay, ctx: RequestContext, params: Params) -> str:
    name = params.get("GroupName")
    if not name:
        return params.get("GroupARN") or "*"
    groups = xray.database.read_now(lambda tx: store.groups(tx, ctx.scope))
    return next((one.arn for one in groups if one.name == name), arn_of(ctx, f"group/{name}/*"))
