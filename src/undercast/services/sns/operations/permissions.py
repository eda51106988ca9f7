"""AddPermission and RemovePermission: statements of the topic's policy by label.

AWS: SNS API Reference, the operations of these names.
"""

import json
import re
from typing import Any

from undercast.core.arn import is_account_id
from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.sns.errors import invalid
from undercast.services.sns.instance import Sns
from undercast.services.sns.models import Topic
from undercast.services.sns.operations.topics import change_attributes
from undercast.services.sns.sending import topic_name

ACTIONS = frozenset({
    "AddPermission", "DeleteTopic", "GetDataProtectionPolicy", "GetTopicAttributes", "ListSubscriptionsByTopic",
    "ListTagsForResource", "Publish", "PutDataProtectionPolicy", "Receive", "RemovePermission", "SetTopicAttributes",
    "Subscribe",
})  # fmt: skip
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}", re.ASCII)


@operation("AddPermission")
async def add_permission(sns: Sns, ctx: RequestContext, params: Params) -> None:
    """Let other accounts use the topic."""
    label, accounts, actions = params["Label"], params["AWSAccountId"], params["ActionName"]
    if not _LABEL.fullmatch(label):
        raise invalid("Label")
    if not accounts or not all(is_account_id(account) for account in accounts):
        raise invalid("AWSAccountId")
    if not actions or not all(action in ACTIONS for action in actions):
        raise invalid("Policy statement action out of service scope!")
    topic = sns.topic(ctx, params["TopicArn"])
    statements = _statements(topic)
    if any(statement.get("Sid") == label for statement in statements):
        raise invalid("Statement already exists")
    statement = {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": _one_or_all([f"arn:aws:iam::{account}:root" for account in accounts])},
        "Action": _one_or_all([f"SNS:{action}" for action in actions]),
        "Resource": topic.arn,
    }
    await _save(sns, topic, [*statements, statement])


@operation("RemovePermission")
async def remove_permission(sns: Sns, ctx: RequestContext, params: Params) -> None:
    """Take a statement away again. One that is not there is no error."""
    topic = sns.topic(ctx, params["TopicArn"])
    statements = _statements(topic)
    left = [statement for statement in statements if statement.get("Sid") != params["Label"]]
    if len(left) != len(statements):
        await _save(sns, topic, left)


def _statements(topic: Topic) -> list[dict[str, Any]]:
    statements = topic.policy.get("Statement", [])
    return [dict(statement) for statement in (statements if isinstance(statements, list) else [statements])]


async def _save(sns: Sns, topic: Topic, statements: list[dict[str, Any]]) -> None:
    policy = json.dumps({**topic.policy, "Statement": statements}, separators=(",", ":"))
    await change_attributes(sns, topic_name(topic), {"Policy": policy})


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
