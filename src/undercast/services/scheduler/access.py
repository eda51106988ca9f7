"""What each Scheduler request needs: its action on the schedule or the group, and iam:PassRole for the target's role.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EventBridge Scheduler".
"""

from undercast.core.arn import Arn
from undercast.core.context import RequestContext
from undercast.core.service import Access, Params
from undercast.services.roles import passed_role
from undercast.services.scheduler.instance import Scheduler
from undercast.services.scheduler.models import DEFAULT_GROUP, PRINCIPAL, schedule_arn

_LISTS = frozenset({"ListSchedules", "ListScheduleGroups"})


async def access(scheduler: Scheduler, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`."""
    action = f"scheduler:{operation}"
    if operation in _LISTS:
        return (Access(action=action, resource="*"),)
    if "ResourceArn" in params:
        arn = params["ResourceArn"]
        return (Access(action=action, resource=arn, resource_account_id=Arn.parse(arn).account_id or None),)
    if operation.endswith("Group"):
        path = f"schedule-group/{params['Name']}"
        return (Access(action=action, resource=str(Arn.of(ctx.scope, "scheduler", path))),)
    resource = schedule_arn(ctx.scope, params.get("GroupName") or DEFAULT_GROUP, params["Name"])
    needed = (Access(action=action, resource=resource),)
    if "Target" not in params:
        return needed
    return (*needed, passed_role(ctx, params["Target"]["RoleArn"], PRINCIPAL))
