"""What each Logs request needs.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for Amazon CloudWatch Logs".
"""

from undercast.core.context import RequestContext
from undercast.core.service import Access, Params
from undercast.services.logs.instance import Logs
from undercast.services.logs.models import group_arn

_NO_RESOURCE = frozenset({
    "GetQueryResults", "StopQuery", "DescribeQueries", "GetLogRecord", "PutQueryDefinition", "TestMetricFilter",
    "DescribeQueryDefinitions", "DeleteQueryDefinition",
})  # fmt: skip


async def access(logs: Logs, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`. A group is named with ":log-stream:" behind it, as AWS's denials show."""
    if operation in _NO_RESOURCE:
        return (Access(action=f"logs:{operation}", resource="*"),)
    if several := params.get("logGroupNames") or params.get("logGroupIdentifiers"):
        return tuple(
            Access(action=f"logs:{operation}", resource=f"{_group_arn(ctx, one)}:log-stream:") for one in several
        )
    named = params.get("resourceArn") or params.get("logGroupIdentifier") or params.get("logGroupName") or ""
    group = _group_arn(ctx, named)
    if "resourceArn" in params:
        return (Access(action=f"logs:{operation}", resource=group),)
    stream = params.get("logStreamName", "") if operation != "CreateLogStream" else params["logStreamName"]
    return (Access(action=f"logs:{operation}", resource=f"{group}:log-stream:{stream}"),)


def _group_arn(ctx: RequestContext, named: str) -> str:
    return named.removesuffix(":*") if named.startswith("arn:") else group_arn(ctx.scope, named)
