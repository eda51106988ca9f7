"""SNS as its operations see it."""

from dataclasses import field
from pathlib import Path

from undercast.core.accesses import Accesses
from undercast.core.clock import PlatformClock
from undercast.core.context import RequestContext
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.events.causality import CausalLog
from undercast.events.outbox import Outbox
from undercast.sandbox.upstream import ConnectFor
from undercast.services.parts import Internal
from undercast.services.sns.errors import invalid, no_subscription
from undercast.services.sns.local import LocalOutbox
from undercast.services.sns.measures import Measures
from undercast.services.sns.models import Subscription, Topic, TopicName, subscription_named, topic_named
from undercast.services.sns.signing import Signer
from undercast.services.sns.topics import Topics
from undercast.store.database import Database


@record
class Sns:
    """One per platform."""

    database: Database
    topics: Topics
    signer: Signer
    local: LocalOutbox
    measures: Measures
    outbox: Outbox
    causality: CausalLog
    internal: Internal
    clock: PlatformClock
    ids: Ids
    ca_bundle: Path
    """Whom HTTPS endpoints may be certified by: the machine's authorities and the platform's own."""
    connect_as_sandbox: ConnectFor
    """To the endpoints that a function named: what a sandbox reaches."""
    accesses: Accesses = field(default_factory=Accesses)

    def topic(self, ctx: RequestContext, arn: str, member: str = "TopicArn") -> Topic:
        """The topic of an ARN. Raises InvalidParameter for one of another region, NotFound."""
        return self.topics.get(self.name(ctx, arn, member))

    def name(self, ctx: RequestContext, arn: str, member: str = "TopicArn") -> TopicName:
        """The name in an ARN. Raises InvalidParameter; a request to one region knows the topics of that one only."""
        name = topic_named(arn, member)
        if ctx.names_region and ctx.service == "sns" and name.scope.region != ctx.region:
            raise invalid(member)
        return name

    def subscription(self, arn: str) -> tuple[Topic, Subscription]:
        """A subscription and its topic. Raises InvalidParameter, NotFound."""
        name, identifier = subscription_named(arn)
        topic = self.topics.find(name)
        found = next((one for one in topic.subscriptions if one.id == identifier), None) if topic else None
        if topic is None or found is None:
            raise no_subscription()
        return topic, found
