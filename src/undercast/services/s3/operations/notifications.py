"""PutBucketNotificationConfiguration and GetBucketNotificationConfiguration.

A destination is accepted only when its resource policy lets S3 in for this bucket.
AWS: S3 API Reference, the operations of these names; S3 User Guide, "Granting permissions to publish event messages".
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.identity import service_principal
from undercast.core.service import operation
from undercast.services.s3.destinations import entries, first_events
from undercast.services.s3.errors import InvalidArgument
from undercast.services.s3.instance import S3
from undercast.services.s3.models import Bucket
from undercast.services.s3.notifications import checked
from undercast.store.database import Tx


@operation("PutBucketNotificationConfiguration")
async def put_bucket_notification_configuration(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> None:
    """Replace the configuration; an empty one turns notifications off."""
    bucket = s3.buckets.get(ctx, params)
    given = params["NotificationConfiguration"]
    configuration = checked(given, bucket, ctx.ids.uuid)
    if not params.get("SkipDestinationValidation"):
        await _check_destinations(ctx, bucket, configuration)
    told = first_events(configuration, bucket, ctx)

    def commit(tx: Tx) -> None:
        s3.buckets.configure(tx, s3.buckets.confirm(tx, bucket), "notification", configuration or None)
        for delivery in told:
            s3.outbox.add(tx, delivery)

    await s3.database.write(commit)


@operation("GetBucketNotificationConfiguration")
async def get_bucket_notification_configuration(
    s3: S3, ctx: RequestContext, params: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The configuration; nothing where there is none."""
    return dict(s3.buckets.get(ctx, params).configurations.get("notification", {}))


async def _check_destinations(ctx: RequestContext, bucket: Bucket, configuration: Mapping[str, Any]) -> None:
    """Raises InvalidArgument naming every destination that does not let S3 in (or does not exist)."""
    principal = service_principal("s3.amazonaws.com", bucket.account_id)
    conditions = {"aws:SourceArn": bucket.arn, "aws:SourceAccount": bucket.account_id}
    refused: dict[str, str] = {}
    actions = {entry[one.arn_member]: one for one, entry in entries(configuration)}
    for arn, destination in actions.items():
        if not await ctx.permits(principal, destination.action, arn, conditions):
            number = len(refused) // 2 + 1
            refused[f"ArgumentName{number}"] = arn
            refused[f"ArgumentValue{number}"] = destination.refusal.format(arn=arn)
    if refused:
        raise InvalidArgument("Unable to validate the following destination configurations", members=refused)
