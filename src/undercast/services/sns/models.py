"""Topics and subscriptions as frozen data.

Pure. AWS: SNS API Reference, CreateTopic, Subscribe, GetTopicAttributes, GetSubscriptionAttributes.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from undercast.core.arn import AccountId, Region, Scope, is_fifo
from undercast.core.record import record
from undercast.services.sns.errors import invalid
from undercast.services.sns.filters import Filter, kept_filter
from undercast.store.database import Row

DEFAULT_MAX_BYTES = 262_144
TOKEN_S = 2 * 86_400.0
"""SNS API Reference, Subscribe: confirmation tokens are valid for two days."""
DEDUPLICATION_S = 300.0
"""SNS Developer Guide, "Message deduplication for FIFO topics": five minutes."""
SEQUENCE_START = 10**19
"""Sequence numbers have 20 digits."""
QUEUES = "sqs"
"""The kind of deliveries to queues."""
_ARN = re.compile(r"arn:(?:aws|aws-cn|aws-us-gov):sns:([a-z0-9-]+):(\d{12}):([\w-]{1,256}(?:\.fifo)?)", re.ASCII)


class TopicName(NamedTuple):
    """Which topic."""

    scope: Scope
    name: str

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:sns:{self.scope.region}:{self.scope.account_id}:{self.name}"


def topic_named(arn: str, member: str = "TopicArn") -> TopicName:
    """The topic that an ARN names. Raises InvalidParameter."""
    found = _ARN.fullmatch(arn)
    if found is None:
        parts = len(arn.split(":", 5))
        raise invalid(member if parts == 6 else f"{member} Reason: An ARN must have at least 6 elements, not {parts}")
    return TopicName(Scope(AccountId(found[2]), Region(found[1])), found[3])


def subscription_named(arn: str) -> tuple[TopicName, str]:
    """The topic and the id in a subscription's ARN. Raises InvalidParameter."""
    topic_arn, _, identifier = arn.rpartition(":")
    return topic_named(topic_arn if topic_arn.count(":") == 5 else arn, "SubscriptionArn"), identifier


@record
class Subscription:
    """One subscription. `attributes` are those that were set."""

    id: str
    topic_arn: str
    scope: Scope
    """The account of who subscribed, the region of the topic."""
    protocol: str
    endpoint: str
    attributes: Mapping[str, str]
    principal: str
    token: str
    created_at: float
    confirmed_at: float
    confirmed_by: str
    """The account that confirmed; "" for a token that came back without a signature."""
    base_url: str
    """scheme://host:port under which Subscribe reached the platform: the URLs in messages begin so."""
    from_sandbox: bool
    """Whether a function subscribed: HTTP deliveries may then reach what the function itself may reach."""
    needs_authentication: bool
    filter: Filter | None

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"{self.topic_arn}:{self.id}"

    @property
    def shown(self) -> str:
        """What names it in traces: an endpoint that is no ARN may hold a password, or be a person's."""
        return self.endpoint if self.endpoint.startswith("arn:") else self.arn

    @property
    def is_pending(self) -> bool:
        """Whether nobody has confirmed it yet."""
        return not self.confirmed_at

    @property
    def is_raw(self) -> bool:
        """RawMessageDelivery."""
        return self.attributes.get("RawMessageDelivery") == "true"

    @property
    def dead_letter_arn(self) -> str:
        """The queue of RedrivePolicy; "" for none."""
        text = self.attributes.get("RedrivePolicy", "")
        return json.loads(text)["deadLetterTargetArn"] if text else ""


@record
class Topic:
    """One topic, with everything that is subscribed to it. `attributes` are those that were set."""

    id: int
    scope: Scope
    name: str
    attributes: Mapping[str, str]
    tags: Mapping[str, str]
    deleted_subscriptions: int
    policy: Mapping[str, Any]
    subscriptions: tuple[Subscription, ...] = ()

    @property
    def arn(self) -> str:
        """Its ARN."""
        return TopicName(self.scope, self.name).arn

    @property
    def is_fifo(self) -> bool:
        """Whether it keeps order per message group."""
        return is_fifo(self.name)

    @property
    def max_bytes(self) -> int:
        """MaximumMessageSize."""
        return int(self.attributes.get("MaximumMessageSize", DEFAULT_MAX_BYTES))

    @property
    def signature_version(self) -> str:
        """SignatureVersion."""
        return self.attributes.get("SignatureVersion", "1")


def default_policy(name: TopicName) -> dict[str, Any]:
    """Who may use a topic whose Policy was never set: everybody of its account."""
    actions = ("GetTopicAttributes", "SetTopicAttributes", "AddPermission", "RemovePermission", "DeleteTopic",
               "Subscribe", "ListSubscriptionsByTopic", "Publish")  # fmt: skip
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [f"SNS:{action}" for action in actions],
        "Resource": name.arn,
        "Condition": {"StringEquals": {"AWS:SourceOwner": name.scope.account_id}},
    }
    return {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}


def topic_of(row: Row, subscriptions: tuple[Subscription, ...] = ()) -> Topic:
    """What a row of sns_topic says."""
    scope = Scope(AccountId(row["account_id"]), Region(row["region"]))
    attributes = json.loads(row["attributes"])
    policy = attributes.get("Policy")
    return Topic(
        id=row["id"],
        scope=scope,
        name=row["name"],
        attributes=attributes,
        tags=json.loads(row["tags"]),
        deleted_subscriptions=row["deleted_subscriptions"],
        policy=json.loads(policy) if policy else default_policy(TopicName(scope, row["name"])),
        subscriptions=subscriptions,
    )


def subscription_of(row: Row) -> Subscription:
    """What a row of sns_subscription says."""
    attributes = json.loads(row["attributes"])
    return Subscription(
        id=row["id"],
        topic_arn=row["topic_arn"],
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        protocol=row["protocol"],
        endpoint=row["endpoint"],
        attributes=attributes,
        principal=row["principal"],
        token=row["token"],
        created_at=row["created_at"],
        confirmed_at=row["confirmed_at"],
        confirmed_by=row["confirmed_by"],
        base_url=row["base_url"],
        from_sandbox=bool(row["from_sandbox"]),
        needs_authentication=bool(row["needs_authentication"]),
        filter=kept_filter(attributes) if attributes.get("FilterPolicy") else None,
    )
