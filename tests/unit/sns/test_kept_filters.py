"""Filter policies of a data folder that an older version wrote."""

import json
from typing import Any

import pytest

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.errors import ServiceError
from undercast.services.sns.attributes import checked_subscription
from undercast.services.sns.models import Topic, default_policy, subscription_of, topic_named

TOPIC_ARN = "arn:aws:sns:us-east-1:111122223333:t"
REFUSED = '{"ip": [{"cidr": "10.0.0.1/32"}]}'
TOPIC = Topic(
    id=1, scope=Scope(AccountId("111122223333"), Region("us-east-1")), name="t", attributes={}, tags={},
    deleted_subscriptions=0, policy=default_policy(topic_named(TOPIC_ARN)),
)  # fmt: skip


@pytest.mark.parametrize(("mask", "accepts"), [("31", True), ("32", False)])
def test_a_policy_that_is_refused_now_accepts_nothing(mask: str, accepts: bool) -> None:
    """Its topic is there with all its subscriptions: it can be published to, and the policy seen and changed."""
    attributes = {"FilterPolicy": f'{{"ip": [{{"cidr": "10.0.0.1/{mask}"}}]}}', "FilterPolicyScope": "MessageBody"}
    row: dict[str, Any] = {
        "id": "s", "topic_arn": TOPIC_ARN, "account_id": "111122223333", "region": "us-east-1", "protocol": "sqs",
        "endpoint": "arn:aws:sqs:us-east-1:111122223333:q", "attributes": json.dumps(attributes), "principal": "",
        "token": "", "created_at": 0.0, "confirmed_at": 1.0, "confirmed_by": "111122223333", "base_url": "",
        "from_sandbox": 0, "needs_authentication": 0,
    }  # fmt: skip
    found = subscription_of(row)  # type: ignore[arg-type]
    assert found.attributes == attributes
    assert found.filter is not None
    assert found.filter.accepts({}, {"ip": "10.0.0.1"}) is accepts


def test_other_attributes_can_be_set_beside_a_policy_that_is_refused_now() -> None:
    """Only a policy, or its scope, that is given is checked."""
    known = {"FilterPolicy": REFUSED, "FilterPolicyScope": "MessageBody"}

    def merged(**given: str) -> dict[str, str]:
        return checked_subscription(given, known, TOPIC, "sqs", "SetSubscriptionAttributes")

    assert merged(RawMessageDelivery="true") == {**known, "RawMessageDelivery": "true"}
    assert merged(FilterPolicy="") == {"FilterPolicyScope": "MessageBody"}
    for given in ({"FilterPolicy": REFUSED}, {"FilterPolicyScope": "MessageAttributes"}):
        with pytest.raises(ServiceError, match="mask bits"):
            merged(**given)
