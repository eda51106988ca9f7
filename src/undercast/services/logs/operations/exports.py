"""Export tasks: create, describe, cancel.

AWS: CloudWatch Logs API Reference, CreateExportTask, DescribeExportTasks, CancelExportTask; User Guide, "Export log
data to Amazon S3 using the AWS CLI" (the policies of the bucket and of a key of SSE-KMS).
"""

from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.logs import exports
from undercast.services.logs.errors import invalid
from undercast.services.logs.exports import ACTIVE, DEFAULT_PREFIX, TEST_OBJECT, TEST_TEXT, ExportTask
from undercast.services.logs.instance import Logs, existing_group
from undercast.services.logs.operations.pages import PAGE_ITEMS, slice_of
from undercast.store.database import Tx


@operation("CreateExportTask")
async def create_export_task(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Begin to write a group's events of a span of time into a bucket. One task at a time in an account."""
    if params["from"] >= params["to"]:
        raise invalid("The start of the range must be before its end.")
    group = params["logGroupName"]
    await logs.journal.read(lambda tx: existing_group(tx, ctx.scope, group))
    task = ExportTask(
        scope=ctx.scope,
        id=ctx.ids.uuid(),
        name=params.get("taskName", ""),
        group=group,
        stream_prefix=params.get("logStreamNamePrefix", ""),
        from_ms=params["from"],
        to_ms=params["to"],
        bucket=params["destination"],
        prefix=params.get("destinationPrefix") or DEFAULT_PREFIX,
        created_ms=logs.now_ms(),
    )
    await _check_bucket(logs, ctx, task)

    def add(tx: Tx) -> None:
        if any(one.status in ACTIVE for one in exports.tasks(tx, ctx.scope)):
            raise ServiceError("LimitExceededException", "Resource limit exceeded.")
        exports.add_task(tx, task)

    await logs.database.write(add)
    logs.exports.run(task)
    return {"taskId": task.id}


@operation("DescribeExportTasks")
async def describe_export_tasks(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The tasks of the account, newest first; one of them, or those of a status."""
    wanted, status = params.get("taskId"), params.get("statusCode")
    found = [
        one
        for one in await logs.database.read(lambda tx: exports.tasks(tx, ctx.scope))
        if wanted in (None, one.id) and status in (None, one.status)
    ]
    page, token = slice_of(found, params, params.get("limit") or PAGE_ITEMS)
    return {"exportTasks": [one.output() for one in page], **token}


@operation("CancelExportTask")
async def cancel_export_task(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """End a task that has not ended."""
    there = await logs.database.read(lambda tx: exports.tasks(tx, ctx.scope))
    task = next((one for one in there if one.id == params["taskId"]), None)
    if task is None:
        raise ServiceError("ResourceNotFoundException", "The specified export task does not exist.")
    if task.status not in ACTIVE:
        raise ServiceError("InvalidOperationException", "The specified export task has already finished.")
    await logs.exports.cancel(task)


async def _check_bucket(logs: Logs, ctx: RequestContext, task: ExportTask) -> None:
    """The bucket is there, its policy and that of its key let CloudWatch Logs in; it gets the test object."""
    if not await ctx.permits(exports.writer(task), "s3:GetBucketAcl", f"arn:aws:s3:::{task.bucket}", {}):
        raise _refused("GetBucketAcl")
    try:
        await exports.put_object(logs.internal, task, f"{task.prefix}/{TEST_OBJECT}", TEST_TEXT)
    except ServiceError as error:
        raise _refused("PutObject") from error


def _refused(action: str) -> ServiceError:
    return invalid(
        f"{action} call on the given bucket failed. Please check if CloudWatch Logs has been granted permission to "
        "perform this operation."
    )
