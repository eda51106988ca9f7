"""AddPermission and RemovePermission: statements of the topic's policy by label.

AWS: SNS API Reference, the operations of these names.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from undercast.core.arn import is_account_id
from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.sns.errors import invalid
from undercast.services.sns.instance import Sns
from undercast.services.sns.models import Topic
from undercast.services.sns.operations.topics import set_some
from undercast.store.database import Tx

ACTIONS = frozenset({
    "AddPermission", "DeleteTopic", "GetDataProtectionPolicy", "GetTopicAttributes", "ListSubscriptionsByTopic",
    "ListTagsForResource", "Publish", "PutDataProtectionPolicy", "Receive", "RemovePermission", "SetTopicAttributes",
    "Subscribe",
})  # fmt: skip
Statement = dict[str, Any]
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
    statement = {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": _one_or_all([f"arn:aws:iam::{account}:root" for account in accounts])},
        "Action": _one_or_all([f"SNS:{action}" for action in actions]),
        "Resource": topic.arn,
    }
    await _change(sns, topic, lambda statements: _added(statements, statement))


def _added(statements: list[Statement], statement: Statement) -> list[Statement]:
    if any(one.get("Sid") == statement["Sid"] for one in statements):
        raise invalid("Statement already exists")
    return [*statements, statement]


@operation("RemovePermission")
async def remove_permission(sns: Sns, ctx: RequestContext, params: Params) -> None:
    """Take a statement away again. One that is not there is no error."""
    topic, label = sns.topic(ctx, params["TopicArn"]), params["Label"]
    await _change(sns, topic, lambda statements: [one for one in statements if one.get("Sid") != label])


def _statements(topic: Topic) -> list[Statement]:
    statements = topic.policy.get("Statement", [])
    return [dict(statement) for statement in (statements if isinstance(statements, list) else [statements])]


async def _change(sns: Sns, topic: Topic, change: Callable[[list[Statement]], list[Statement]]) -> None:
    """Of the policy as it is when its turn has come. What changes nothing is not stored."""

    def write(tx: Tx) -> None:
        there = sns.topics.still(tx, topic)
        before = _statements(there)
        after = change(before)
        if after != before:
            policy = json.dumps({**there.policy, "Statement": after}, separators=(",", ":"))
            set_some(sns, tx, there, {"Policy": policy})

    await sns.database.write(write)


def _one_or_all(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else values
