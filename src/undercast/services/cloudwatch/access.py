"""What each CloudWatch request needs.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for Amazon CloudWatch".
"""

from undercast.core.context import RequestContext
from undercast.core.service import Access, Params
from undercast.services.cloudwatch.instance import CloudWatch


async def access(cloudwatch: CloudWatch, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`."""
    action = f"cloudwatch:{operation}"
    if operation == "PutMetricData":
        return (Access(action=action, resource="*", conditions={"cloudwatch:namespace": params["Namespace"]}),)
    return (Access(action=action, resource="*"),)
