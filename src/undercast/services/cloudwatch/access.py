"""What each CloudWatch request needs.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for Amazon CloudWatch".
"""

from undercast.core.arn import Arn
from undercast.core.context import RequestContext
from undercast.core.service import Access, Params
from undercast.services.cloudwatch.alarms import alarm_arn
from undercast.services.cloudwatch.instance import CloudWatch

_ON_ALARMS = frozenset({
    "PutMetricAlarm", "PutCompositeAlarm", "DeleteAlarms", "SetAlarmState", "EnableAlarmActions", "DisableAlarmActions",
    "DescribeAlarmHistory",
})  # fmt: skip
_ON_DASHBOARDS = frozenset({"PutDashboard", "GetDashboard", "DeleteDashboards"})


async def access(cloudwatch: CloudWatch, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`."""
    action = f"cloudwatch:{operation}"
    if operation == "PutMetricData":
        return (Access(action=action, resource="*", conditions={"cloudwatch:namespace": params["Namespace"]}),)
    if "ResourceARN" in params:
        arn = params["ResourceARN"]
        return (Access(action=action, resource=arn, resource_account_id=Arn.parse(arn).account_id),)
    conditions = {"cloudwatch:AlarmActions": tuple(params["AlarmActions"])} if params.get("AlarmActions") else {}
    return tuple(
        Access(action=action, resource=resource, conditions=conditions)
        for resource in _resources(ctx, operation, params)
    )


def _resources(ctx: RequestContext, operation: str, params: Params) -> list[str]:
    if operation in _ON_ALARMS:
        names = params.get("AlarmNames") or [params.get("AlarmName") or "*"]
        return [alarm_arn(ctx.scope, name) for name in names]
    if operation in _ON_DASHBOARDS:
        names = params.get("DashboardNames") or [params.get("DashboardName") or "*"]
        return [f"arn:aws:cloudwatch::{ctx.account_id}:dashboard/{name}" for name in names]
    return ["*"]
