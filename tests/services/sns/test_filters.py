"""Filter policies decide who gets a message (S4-20).

AWS: SNS Developer Guide, "Amazon SNS message filtering".
"""

import json
from typing import Any

import pytest

from tests.services.sns.actions import Queue, refusal, subscribe, text


def number(value: str) -> dict[str, str]:
    return {"DataType": "Number", "StringValue": value}


@pytest.mark.parametrize(
    ("policy", "passes", "stays"),
    [
        ({"store": ["a", "b"]}, {"store": text("b")}, {"store": text("c")}),
        ({"event": [{"prefix": "order-"}]}, {"event": text("order-1")}, {"event": text("bill-1")}),
        ({"price": [{"numeric": [">=", 100]}]}, {"price": number("1e2")}, {"price": number("99.9")}),
        ({"store": [{"anything-but": "a"}]}, {"store": text("b")}, {"store": text("a")}),
        ({"store": [{"exists": True}]}, {"store": text("b")}, {"other": text("a")}),
        ({"store": [{"exists": False}]}, {"other": text("b")}, {"store": text("a")}),
        (
            {"tags": ["red"]},
            {"tags": {"DataType": "String.Array", "StringValue": '["blue", "red", true, null]'}},
            {"tags": {"DataType": "String.Array", "StringValue": '["blue"]'}},
        ),
        ({"$or": [{"a": ["1"]}, {"b": ["2"]}]}, {"b": text("2")}, {"b": text("1")}),
    ],
)
def test_message_attributes_are_filtered(
    sns: Any, topic: str, queue: Queue, policy: Any, passes: Any, stays: Any
) -> None:
    """Exact, prefix, numeric, anything-but, exists, String.Array, $or."""
    subscribe(sns, topic, queue, FilterPolicy=json.dumps(policy))
    sns.publish(TopicArn=topic, Message="stays", MessageAttributes=stays)
    sns.publish(TopicArn=topic, Message="passes", MessageAttributes=passes)
    assert [letter["Message"] for letter in queue.letters()] == ["passes"]


def test_the_body_is_filtered(sns: Any, topic: str, queue: Queue) -> None:
    """FilterPolicyScope MessageBody: nested keys; a body that is no JSON object goes nowhere."""
    arn = subscribe(sns, topic, queue, FilterPolicy='{"a": {"b": ["x"]}}', FilterPolicyScope="MessageBody")
    for body in ('{"a": {"b": "y"}}', "no JSON", '{"a": {"b": ["z", "x"]}}'):
        sns.publish(TopicArn=topic, Message=body)
    assert [letter["Message"] for letter in queue.letters()] == ['{"a": {"b": ["z", "x"]}}']
    sns.set_subscription_attributes(SubscriptionArn=arn, AttributeName="FilterPolicy", AttributeValue="{}")
    sns.publish(TopicArn=topic, Message="no JSON")
    assert [letter["Message"] for letter in queue.letters()] == ["no JSON"]
    assert "FilterPolicy" not in sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]


@pytest.mark.parametrize(
    ("policy", "code", "told"),
    [
        ('{"a": []}', "InvalidParameter", "Invalid parameter: FilterPolicy: Empty arrays are not allowed"),
        ("{", "InvalidParameter", "Invalid parameter: FilterPolicy: failed to parse JSON."),
        ('{"a": "x"}', "InvalidParameter", 'Invalid parameter: FilterPolicy: "a" must be an object or an array'),
        ('{"a": [{"b": 1}]}', "InvalidParameter", "Invalid parameter: FilterPolicy: Unrecognized match type b"),
        ('{"a": {"b": ["x"]}}', "InvalidParameter",
         "Invalid parameter: FilterPolicy: Filter policy scope MessageAttributes does not support nested filter "
         "policy"),
        (json.dumps({key: ["x"] for key in "abcdef"}), "FilterPolicyLimitExceeded",
         "Filter policy can not have more than 5 keys"),
        (json.dumps({"a": [str(n) for n in range(151)]}), "InvalidParameter",
         "Invalid parameter: FilterPolicy: Filter policy is too complex"),
        (json.dumps({"a": ["x" * 262_144]}), "InvalidParameter",
         "Invalid parameter: FilterPolicy: Filter policy is too large"),
        ('{"a": [1000000001]}', "InvalidParameter",
         "Invalid parameter: FilterPolicy: Value must be between -1000000000 and 1000000000, inclusive"),
        ('{"a": [{"numeric": ["<", -1000000001]}]}', "InvalidParameter",
         "Invalid parameter: FilterPolicy: Value must be between -1000000000 and 1000000000, inclusive"),
    ],
)  # fmt: skip
def test_a_filter_policy_that_cannot_be_is_refused(
    sns: Any, topic: str, queue: Queue, policy: str, code: str, told: str
) -> None:
    """AWS's limits: five keys, 150 combinations, 256 KB, numbers up to 10^9, nested only for the body."""
    params = {"TopicArn": topic, "Protocol": "sqs", "Endpoint": queue.arn, "Attributes": {"FilterPolicy": policy}}
    assert refusal(sns.subscribe, **params) == (code, told)
