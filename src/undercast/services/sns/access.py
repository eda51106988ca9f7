"""What each SNS request needs: its action on the topic, the subscription or the application, and the topic's policy.

The default policy of a topic asks for AWS:SourceOwner, which only AWS's own services send: to users and roles of the
account it gives nothing.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for Amazon SNS"; SNS Developer Guide,
"Amazon SNS keys" (sns:Protocol, sns:Endpoint).
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.arn import AccountId, Arn
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Access, Params
from undercast.services.roles import passed_role
from undercast.services.sns.instance import Sns
from undercast.services.sns.models import subscription_named, topic_named

_BY_TOKEN = frozenset({"ConfirmSubscription", "Unsubscribe"})
"""What AWS takes without a signature: who has the token, or the link, may."""
_OF_ACCOUNT = frozenset({
    "ListTopics", "ListSubscriptions", "CreatePlatformApplication", "ListPlatformApplications", "SetSMSAttributes",
    "GetSMSAttributes", "CheckIfPhoneNumberIsOptedOut", "ListPhoneNumbersOptedOut", "OptInPhoneNumber",
    "GetSMSSandboxAccountStatus", "CreateSMSSandboxPhoneNumber", "VerifySMSSandboxPhoneNumber",
    "DeleteSMSSandboxPhoneNumber", "ListSMSSandboxPhoneNumbers",
})  # fmt: skip
_OF_SUBSCRIPTION = frozenset({"GetSubscriptionAttributes", "SetSubscriptionAttributes", "Unsubscribe"})


async def access(sns: Sns, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`. A topic that is not there needs what its name would."""
    if operation in _BY_TOKEN and (ctx.principal.kind == "anonymous" or operation == "ConfirmSubscription"):
        return ()
    action = f"sns:{operation.removesuffix('Batch')}"
    passed = _passed_roles(ctx, params)
    if operation in _OF_ACCOUNT or (operation == "Publish" and _topic_arn(params) == ""):
        return (Access(action=action, resource="*"), *passed)
    if operation == "CreateTopic":
        return (Access(action=action, resource=str(Arn.of(ctx.scope, "sns", params["Name"]))), *passed)
    if operation in _OF_SUBSCRIPTION:
        return (_of_subscription(sns, ctx, action, params["SubscriptionArn"]),)
    arn = _topic_arn(params)
    if ":app/" in arn or ":endpoint/" in arn:
        needed = Access(action=action, resource=arn, resource_account_id=AccountId(Arn.parse(arn).account_id))
        return (needed, *passed)
    return (_of_topic(sns, action, arn, params), *passed)


def _passed_roles(ctx: RequestContext, params: Params) -> tuple[Access, ...]:
    """The roles that SNS is to write logs of deliveries as: Developer Guide, "Amazon SNS message delivery status"."""
    if "AttributeName" in params:
        given = {params["AttributeName"]: params.get("AttributeValue")}
    else:
        given = params.get("Attributes") or {}
    roles = [value for name, value in given.items() if name.endswith("FeedbackRoleArn") and value]
    if not roles:
        return ()
    refusal = ServiceError("AuthorizationError", "Cross-account pass role is not allowed.", 403)
    return tuple(passed_role(ctx, role, "sns.amazonaws.com", refusal=refusal) for role in roles)


def _topic_arn(params: Params) -> str:
    names = ("TopicArn", "TargetArn", "ResourceArn", "PlatformApplicationArn", "EndpointArn")
    return next((str(params[name]) for name in names if params.get(name)), "")


def _of_topic(sns: Sns, action: str, arn: str, params: Params) -> Access:
    name = topic_named(arn)
    topic = sns.topics.find(name)
    policy = topic.policy if topic is not None else None

    def needed(**conditions: str) -> Access:
        return Access(
            action=action,
            resource=arn,
            conditions=conditions,
            resource_policy=policy,
            resource_account_id=name.scope.account_id,
        )

    if action == "sns:Subscribe":
        return needed(**{"sns:Protocol": params["Protocol"], "sns:Endpoint": params.get("Endpoint") or ""})
    return sns.accesses.find(action, arn, policy, needed)


def _of_subscription(sns: Sns, ctx: RequestContext, action: str, arn: str) -> Access:
    """Who subscribed and who owns the topic both have a subscription in their account."""
    name, _ = subscription_named(arn)
    owners = {name.scope.account_id}
    try:
        owners.add(sns.subscription(arn)[1].scope.account_id)
    except ServiceError as error:
        if error.status != 404:
            raise
    account = ctx.principal.account_id
    return Access(action=action, resource=arn, resource_account_id=account if account in owners else min(owners))


async def policy_of(sns: Sns, arn: str) -> Mapping[str, Any] | None:
    """See `core.service.Manifest.policy_of`."""
    try:
        topic = sns.topics.find(topic_named(arn))
    except ServiceError:
        return None
    return topic.policy if topic is not None else None


def tags_of(sns: Sns, arn: str) -> Mapping[str, str]:
    """See `core.service.Manifest.tags_of`."""
    topic = sns.topics.find(topic_named(arn))
    return topic.tags if topic is not None else {}
