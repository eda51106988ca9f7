"""What each Pipes request needs: its action on the pipe, and iam:PassRole for its role.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EventBridge Pipes".
"""

from undercast.core.arn import Arn
from undercast.core.context import RequestContext
from undercast.core.service import Access, Params
from undercast.services.pipes.instance import Pipes
from undercast.services.pipes.models import PRINCIPAL, pipe_arn
from undercast.services.roles import passed_role


async def access(pipes: Pipes, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`."""
    action = f"pipes:{operation}"
    if operation == "ListPipes":
        return (Access(action=action, resource="*"),)
    if "resourceArn" in params:
        arn = params["resourceArn"]
        return (Access(action=action, resource=arn, resource_account_id=Arn.parse(arn).account_id or None),)
    needed = (Access(action=action, resource=pipe_arn(ctx.scope, params["Name"])),)
    if "RoleArn" not in params:
        return needed
    return (*needed, passed_role(ctx, params["RoleArn"], PRINCIPAL))
