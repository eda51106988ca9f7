"""Events of platform applications: what happens to their endpoints is published to a topic.

In the transaction of the change, to the topic of EventEndpointCreated, EventEndpointUpdated, EventEndpointDeleted or
EventDeliveryFailure. AWS documents no layout of the body: it has the endpoint, the kind, the application, the service
and the time; of a failure also which message it was, how often it was tried and why it failed.
AWS: SNS Developer Guide, "Mobile app events"; API Reference, SetPlatformApplicationAttributes.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Literal

from undercast.core.arn import is_fifo
from undercast.core.clock import iso_millis
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.services.sns import sending
from undercast.services.sns.contents import check
from undercast.services.sns.errors import invalid_of
from undercast.services.sns.instance import Sns
from undercast.services.sns.models import topic_named
from undercast.store.database import Tx

Kind = Literal["EndpointCreated", "EndpointUpdated", "EndpointDeleted", "DeliveryFailure"]
ATTRIBUTES = frozenset({"EventEndpointCreated", "EventEndpointDeleted", "EventEndpointUpdated", "EventDeliveryFailure"})
_MAX_SUBJECT = 99
_NO_MORE: Mapping[str, str | int] = MappingProxyType({})


def check_topics(ctx: RequestContext, given: Mapping[str, str]) -> None:
    """Raises InvalidParameter where an event is to go to what is no standard topic of the application's own scope."""
    for name in ATTRIBUTES & given.keys():
        if given[name]:
            topic = topic_named(given[name], "Attributes")
            if topic.scope != ctx.scope or is_fifo(topic.name):
                raise invalid_of(
                    "Attributes", f"{name} must be a standard topic of the application's account and region"
                )


async def prepared(
    sns: Sns, ctx: RequestContext, kind: Kind, endpoint_arn: str, more: Mapping[str, str | int] = _NO_MORE
) -> Callable[[Tx], object]:
    """What commits the event with the change; nothing where nobody asked for it or the topic is gone by then."""
    application_arn = endpoint_arn.replace(":endpoint/", ":app/").rpartition("/")[0]
    query = "SELECT * FROM sns_application WHERE arn = ?"
    row = sns.database.read_row(lambda tx: tx.one(query, (application_arn,)))
    wanted = json.loads(row["attributes"]).get(f"Event{kind}") if row is not None else None
    topic = sns.topics.find(topic_named(wanted)) if wanted else None
    if row is None or topic is None:
        return lambda tx: None
    body = {
        "EndpointArn": endpoint_arn,
        "EventType": kind,
        "Resource": application_arn,
        "Service": "SNS",
        "Time": iso_millis(sns.clock.now()),
        **more,
    }
    subject = f"{kind} event for app {row['name']} ({row['platform']})"[:_MAX_SUBJECT]
    message = check({"Message": json.dumps(body), "Subject": subject}, max_bytes=topic.max_bytes)
    ready = await sending.prepare(sns, ctx, topic, message)

    def tell(tx: Tx) -> None:
        with suppress(ServiceError):  # before anything is written
            sending.store(sns, tx, ctx, topic, ready)

    return tell
