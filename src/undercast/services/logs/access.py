"""What each Logs request needs.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for Amazon CloudWatch Logs".
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Access, Params
from undercast.services.logs import resource_policies, store
from undercast.services.logs.destination import PRINCIPAL
from undercast.services.logs.instance import Logs
from undercast.services.logs.models import group_arn, group_of_arn
from undercast.services.roles import passed_role

_NO_RESOURCE = frozenset({
    "GetQueryResults", "StopQuery", "DescribeQueries", "GetLogRecord", "PutQueryDefinition", "TestMetricFilter",
    "DescribeQueryDefinitions", "DeleteQueryDefinition", "DescribeExportTasks", "CancelExportTask",
    "PutResourcePolicy", "DescribeResourcePolicies", "DeleteResourcePolicy",
})  # fmt: skip

_NAMES = ("resourceArn", "resourceIdentifier", "logGroupIdentifier", "logGroupName")
"""How a request names its group; the operations refuse one that does so in two ways. Prefixes and patterns name none:
AWS asks for DescribeLogGroups on "log-group::log-stream:" whatever the prefix (terraform-provider-aws issue 8804)."""


async def access(logs: Logs, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`. A group is named with ":log-stream:" behind it, as AWS's denials show."""
    if "destinationName" in params or operation == "DescribeDestinations":
        return tuple(_on_destination(ctx, operation, params))
    if operation == "PutSubscriptionFilter":
        return tuple(_on_subscription(logs, ctx, params))
    if operation in _NO_RESOURCE:
        return (Access(action=f"logs:{operation}", resource="*"),)
    if several := params.get("logGroupNames") or params.get("logGroupIdentifiers"):
        return tuple(
            Access(action=f"logs:{operation}", resource=f"{_group_arn(ctx, one)}:log-stream:") for one in several
        )
    group = _group_arn(ctx, next((params[member] for member in _NAMES if params.get(member)), ""))
    if "resourceArn" in params:
        return (Access(action=f"logs:{operation}", resource=group),)
    stream = params.get("logStreamName", "") if operation != "CreateLogStream" else params["logStreamName"]
    return (Access(action=f"logs:{operation}", resource=f"{group}:log-stream:{stream}"),)


async def policy_of(logs: Logs, arn: str) -> Mapping[str, Any] | None:
    """See `core.service.Manifest.policy_of`. The ARN is that of a group or of a stream in it."""
    found = Arn.parse(arn)
    scope = Scope(AccountId(found.account_id), Region(found.region))
    group = found.resource.removeprefix("log-group:").split(":")[0]
    return await logs.database.read(lambda tx: resource_policies.about(tx, scope, group))


def _group_arn(ctx: RequestContext, named: str) -> str:
    """As policies write it, however the request does: what the operation takes for a group is guarded as that group."""
    if not named.startswith("arn:"):
        return group_arn(ctx.scope, named)
    try:
        return group_arn(ctx.scope, group_of_arn(ctx.scope, named))
    except ServiceError:
        return named.removesuffix(":*")  # the operation says what is wrong with it


def _on_destination(ctx: RequestContext, operation: str, params: Params) -> Iterator[Access]:
    arn = f"arn:aws:logs:{ctx.region}:{ctx.account_id}:destination:{params.get('destinationName', '*')}"
    yield Access(action=f"logs:{operation}", resource=arn)
    if "roleArn" in params:
        yield _passed(ctx, params["roleArn"])


def _on_subscription(logs: Logs, ctx: RequestContext, params: Params) -> Iterator[Access]:
    """On the group; on the logical destination, whose policy lets other accounts in; the role that is passed on."""
    action, arn = "logs:PutSubscriptionFilter", params["destinationArn"]
    yield Access(action=action, resource=f"{group_arn(ctx.scope, params['logGroupName'])}:log-stream:")
    if ":destination:" in arn and (destination := logs.subscriptions.destination(arn)) is not None:
        policy = json.loads(destination.policy) if destination.policy else None
        owner = destination.scope.account_id
        yield Access(action=action, resource=arn, resource_policy=policy, resource_account_id=owner)
    if "roleArn" in params:
        yield _passed(ctx, params["roleArn"])


def _passed(ctx: RequestContext, role_arn: str) -> Access:
    # Its own text: HashiCorp's support, "Terraform Error creating Cloudwatch log subscription filter".
    refusal = ServiceError("AccessDeniedException", "Cross-account role passing is not allowed.")
    return passed_role(ctx, role_arn, PRINCIPAL, refusal=refusal)


def tags_of(logs: Logs, arn: str) -> Mapping[str, str]:
    """See `core.service.Manifest.tags_of`."""
    of = Arn.parse(arn)
    scope = Scope(AccountId(of.account_id), Region(of.region))
    group = logs.journal.database.read_now(lambda tx: store.group(tx, scope, group_of_arn(scope, arn)))
    return group.tags if group is not None else {}
