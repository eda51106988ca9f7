"""What a call to a target is: the operation of another service that takes an event's text, for each kind of target.

For services that send to targets as a role: EventBridge's rules, Scheduler's schedules. Each call goes through the
other service's own API, which authorises the role. Whether that service is here, its answer says.
AWS: EventBridge User Guide, "Event bus targets in Amazon EventBridge"; Scheduler User Guide, "Using templated targets".
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Any

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.backoff import Backoff
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal, root_principal
from undercast.core.record import record


@record
class Letter:
    """What goes to a target."""

    arn: str
    text: str
    group_id: str = ""
    """MessageGroupId of a FIFO queue."""
    partition_key: str = ""
    """Of a Kinesis stream."""
    name: str = ""
    """Of a state machine's execution: the same for each attempt."""


BACKOFF = Backoff(longest_s=600.0)
"""AWS says exponential, and 185 attempts within 24 hours."""
_THROTTLED = ("ThrottlingException", "TooManyRequestsException", "ProvisionedThroughputExceededException")

Call = Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
Send = Callable[[Call, Letter], Awaitable[object]]


@record
class Kind:
    """One service that can be a target."""

    service: str
    """As `ctx.call` names it."""
    action: str
    """What the role needs."""
    send: Send
    probe: tuple[str, Mapping[str, Any]] = field(default=("", MappingProxyType({})))
    """An operation that says whether the service is here at all; "" for services that are."""


def queue_url(arn: str) -> str:
    """The URL of a queue's ARN, under SQS's own name: the role need not be allowed to ask for it."""
    queue = Arn.parse(arn)
    return f"https://sqs.{queue.region}.amazonaws.com/{queue.account_id}/{queue.resource}"


async def _send_message(call: Call, letter: Letter) -> object:
    message: dict[str, Any] = {"QueueUrl": queue_url(letter.arn), "MessageBody": letter.text}
    if letter.group_id:
        message["MessageGroupId"] = letter.group_id
    return await call("SendMessage", message)


async def _start_execution(call: Call, letter: Letter) -> object:
    """An attempt that is repeated has the same name, which starts nothing again."""
    return await call("StartExecution", {"stateMachineArn": letter.arn, "input": letter.text, "name": letter.name})


async def _put_record(call: Call, letter: Letter) -> object:
    record = {"Data": letter.text.encode(), "PartitionKey": letter.partition_key}
    return await call("PutRecord", {"StreamARN": letter.arn, **record})


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "lambda": Kind(
            service="lambda",
            action="lambda:InvokeFunction",
            send=lambda call, letter: call(
                "Invoke", {"FunctionName": letter.arn, "InvocationType": "Event", "Payload": letter.text.encode()}
            ),
        ),
        "sqs": Kind(service="sqs", action="sqs:SendMessage", send=_send_message),
        "sns": Kind(
            service="sns",
            action="sns:Publish",
            send=lambda call, letter: call("Publish", {"TopicArn": letter.arn, "Message": letter.text}),
        ),
        "kinesis": Kind(
            service="kinesis", action="kinesis:PutRecord", send=_put_record, probe=("ListStreams", {"Limit": 1})
        ),
        "states": Kind(
            service="stepfunctions",
            action="states:StartExecution",
            send=_start_execution,
            probe=("ListStateMachines", {"maxResults": 1}),
        ),
    }
)


def scope_of(arn: str, default: Scope) -> Scope:
    """Account and region of a target."""
    parsed = Arn.parse(arn)
    return Scope(AccountId(parsed.account_id or default.account_id), Region(parsed.region or default.region))


async def is_here(ctx: RequestContext, kind: Kind) -> bool:
    """Whether this platform has the service."""
    operation, params = kind.probe
    if not operation:
        return True
    try:
        await ctx.call(kind.service, operation, params, principal=root_principal(ctx.account_id))
    except ServiceError as error:
        return error.code != "NotImplemented"
    return True


async def send(ctx: RequestContext, kind: Kind, role: Principal, letter: Letter) -> None:
    """Raises the other service's error, that of its validation too: a partition key comes out of an event."""
    scope = scope_of(letter.arn, ctx.scope)

    def call(operation: str, params: Mapping[str, Any]) -> Awaitable[Mapping[str, Any]]:
        return ctx.checked_call(kind.service, operation, params, principal=role, scope=scope)

    await kind.send(call, letter)


def is_throttle(error: ServiceError) -> bool:
    """Whether the service has too much to do."""
    return error.status == 429 or error.code in _THROTTLED


def is_transient(error: ServiceError) -> bool:
    """Whether another attempt may do what this one did not."""
    return is_throttle(error) or (error.status >= 500 and error.code != "NotImplemented")
