"""Where a bucket's events may go: functions, queues and topics.

Pure. AWS: S3 API Reference, NotificationConfiguration; S3 User Guide, "Supported event destinations", "Granting
permissions to publish event notification messages to a destination".
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from undercast.core.arn import AccountId, Arn, Region, Scope, is_fifo
from undercast.core.context import RequestContext
from undercast.core.record import record
from undercast.events.delivery import Delivery
from undercast.services.s3.errors import InvalidArgument
from undercast.services.s3.models import Bucket

_TEST_EVENT = "s3:TestEvent"
_SUBJECT = "Amazon S3 Notification"
"""Of the messages that topics get."""


@record
class Destination:
    """One kind of destination."""

    member: str
    """Where NotificationConfiguration has its entries."""
    arn_member: str
    """Where an entry names it."""
    kind: str
    """The deliveries' kind."""
    service: str
    """In its ARN."""
    action: str
    """What its policy must allow S3."""
    argument: str
    """Its name in errors about the ARN."""
    refusal: str
    """AWS's text where its policy does not let S3 in; `{arn}` stands for it."""
    is_told_first: bool
    """Whether s3:TestEvent goes to it when it is configured."""


DESTINATIONS = (
    Destination(
        member="LambdaFunctionConfigurations",
        arn_member="LambdaFunctionArn",
        kind="lambda",
        service="lambda",
        action="lambda:InvokeFunction",
        argument="CloudFunction",
        refusal="Not authorized to invoke function [{arn}]",
        is_told_first=False,
    ),
    Destination(
        member="QueueConfigurations",
        arn_member="QueueArn",
        kind="sqs",
        service="sqs",
        action="sqs:SendMessage",
        argument="Queue",
        refusal="Permissions on the destination queue do not allow S3 to publish notifications from this bucket",
        is_told_first=True,
    ),
    Destination(
        member="TopicConfigurations",
        arn_member="TopicArn",
        kind="sns",
        service="sns",
        action="sns:Publish",
        argument="Topic",
        refusal="Permissions on the destination topic do not allow S3 to publish notifications from this bucket",
        is_told_first=True,
    ),
)


def entries(configuration: Mapping[str, Any]) -> Iterator[tuple[Destination, Mapping[str, Any]]]:
    """Every entry of a bucket's configuration with its kind of destination."""
    for destination in DESTINATIONS:
        for entry in configuration.get(destination.member) or ():
            yield destination, entry


def check_arn(destination: Destination, text: str, bucket: Bucket) -> None:
    """Raises InvalidArgument for what cannot be such a destination of this bucket."""
    parts = text.split(":")
    members = {"ArgumentName": destination.argument, "ArgumentValue": text}
    well_formed = len(parts) >= 6 and parts[0] == "arn" and parts[2] == destination.service and parts[4].isdigit()
    if destination.kind == "lambda":
        well_formed = well_formed and len(parts) in (7, 8) and parts[5] == "function" and bool(parts[6])
    elif well_formed:
        well_formed = len(parts) == 6 and bool(parts[5])
    if not well_formed:
        raise InvalidArgument("The ARN is not well formed", members=members)
    if parts[3] != bucket.region:
        text = "The notification destination service region is not valid for the bucket location constraint"
        raise InvalidArgument(text, members=members)
    if destination.kind != "lambda" and is_fifo(parts[5]):
        raise InvalidArgument(f"FIFO {destination.argument.lower()}s are not supported.", members=members)


def delivery(
    destination: Destination, entry: Mapping[str, Any], bucket: Bucket, event: Mapping[str, Any], **what: Any
) -> Delivery:
    """The delivery of an event to the destination of an entry; `what` is its id, cause and time, further attributes."""
    arn, attributes = Arn.parse(entry[destination.arn_member]), what.pop("attributes", {})
    return Delivery(
        kind=destination.kind,
        target_arn=str(arn),
        payload=json.dumps(event, separators=(",", ":")).encode(),
        scope=Scope(AccountId(arn.account_id), Region(arn.region)),
        source_arn=bucket.arn,
        attributes={
            "source_account": bucket.account_id,
            **({"subject": _SUBJECT} if destination.kind == "sns" else {}),
            **attributes,
        },
        **what,
    )


def first_events(configuration: Mapping[str, Any], bucket: Bucket, ctx: RequestContext) -> list[Delivery]:
    """s3:TestEvent for every queue and topic of a configuration that is about to be stored."""
    now = ctx.clock.now()
    at = datetime.fromtimestamp(now, UTC)
    event = {
        "Service": "Amazon S3",
        "Event": _TEST_EVENT,
        "Time": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z",
        "Bucket": bucket.name,
        "RequestId": ctx.request_id,
        "HostId": ctx.ids.hex(32),
    }
    return [
        delivery(destination, entry, bucket, event, id=ctx.ids.uuid(), created_at=now, cause=ctx.cause)
        for destination, entry in entries(configuration)
        if destination.is_told_first
    ]
