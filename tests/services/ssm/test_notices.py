"""What EventBridge hears of parameters: changes, and policies when they are due.

AWS: Systems Manager User Guide, "Setting up notifications or trigger actions based on Parameter Store events",
"Assigning parameter policies in Parameter Store".
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests import platform as platforms
from tests.platform import RunningPlatform

DAY_S = 86_400
Hear = Callable[[], list[dict[str, Any]]]


def heard(platform: RunningPlatform, account: str) -> Hear:
    """What comes to a queue behind a rule for aws.ssm on the default bus, each event once."""
    sqs, events = platform.client("sqs", account=account), platform.client("events", account=account)
    url = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    let_in = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [let_in]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    events.put_rule(Name="ssm", EventPattern=json.dumps({"source": ["aws.ssm"]}))
    events.put_targets(Rule="ssm", Targets=[{"Id": "1", "Arn": arn}])

    def hear() -> list[dict[str, Any]]:
        platform.drain()
        found = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for one in messages:
                found.append(json.loads(one["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return found

    return hear


def test_every_change_is_told(platform: RunningPlatform, account: str) -> None:
    """Create, Update, LabelParameterVersion and Delete; what is refused, and labels that change nothing, are not."""
    hear, ssm = heard(platform, account), platform.client("ssm", account=account)
    ssm.put_parameter(Name="/a/b", Value="1", Type="String", Description="Sample Parameter")
    with pytest.raises(ClientError):
        ssm.put_parameter(Name="/a/b", Value="1", Type="String")
    ssm.put_parameter(Name="/a/b", Value="2", Overwrite=True)
    for label in ("l", "l", "1 is no label"):
        ssm.label_parameter_version(Name="/a/b", Labels=[label])
    ssm.put_parameter(Name="ami", Value="ami-12345678", Type="String", DataType="aws:ec2:image")
    ssm.delete_parameters(Names=["/a/b", "none"])
    found = hear()
    sample = {"name": "/a/b", "type": "String", "description": "Sample Parameter"}
    told = [one["detail"] for one in found if one["detail"]["name"] == "/a/b"]
    operations = ("Create", "Delete", "LabelParameterVersion", "Update")
    assert sorted(told, key=lambda one: str(one["operation"])) == [
        {"operation": operation, **sample} for operation in operations
    ]
    (image,) = [one for one in found if one["detail"]["name"] == "ami"]
    assert image["detail"] == {"operation": "Create", "name": "ami", "type": "String", "dataType": "aws:ec2:image"}
    assert (image["detail-type"], image["account"]) == ("Parameter Store Change", account)
    assert image["resources"] == [f"arn:aws:ssm:us-east-1:{account}:parameter/ami"]


def test_policies_are_told_when_they_are_due() -> None:
    """Each once: unchanged for a day, a day before it expires, expired; a change begins the first one anew."""
    with platforms.running() as platform:
        hear, ssm = heard(platform, "000000000000"), platform.client("ssm")
        ends = datetime.fromtimestamp(time.time() + 10 * DAY_S, UTC)
        policies: list[dict[str, Any]] = [
            {"Type": "Expiration", "Version": "1.0", "Attributes": {"Timestamp": f"{ends:%Y-%m-%dT%H:%M:%S.000Z}"}},
            {"Type": "ExpirationNotification", "Version": "1.0", "Attributes": {"Before": "1", "Unit": "Days"}},
            {"Type": "NoChangeNotification", "Version": "1.0", "Attributes": {"After": "26", "Unit": "Hours"}},
        ]
        put = {"Name": "foo", "Type": "String", "Tier": "Advanced"}
        ssm.put_parameter(**put, Value="1", Policies=json.dumps(policies))
        assert [one["detail"]["operation"] for one in hear()] == ["Create"]

        def statuses() -> list[str]:
            (found,) = ssm.describe_parameters()["Parameters"]
            return [one["PolicyStatus"] for one in found["Policies"]]

        def told(seconds: float) -> list[str]:
            platform.advance(seconds)
            found: list[dict[str, Any]] = []
            for _ in range(200):
                found += hear()
                if found:
                    break
            assert {one["detail-type"] for one in found} == {"Parameter Store Policy Action"}
            return [one["detail"]["policy-type"] for one in found]

        assert told(2 * DAY_S) == ["NoChangeNotification"]
        assert statuses() == ["Pending", "Pending", "Finished"]
        ssm.put_parameter(Name="foo", Value="2", Overwrite=True)
        assert [one["detail"]["operation"] for one in hear()] == ["Update"]
        assert statuses() == ["Pending"] * 3
        assert told(2 * DAY_S) == ["NoChangeNotification"]
        assert told(5.5 * DAY_S) == ["ExpirationNotification"]
        ssm.put_parameter(Name="foo", Value="3", Overwrite=True)
        assert statuses() == ["Pending", "Finished", "Pending"]
        hear()
        assert told(DAY_S) == ["Expiration"]
        assert ssm.describe_parameters()["Parameters"] == []
        platform.advance(10 * DAY_S)
        assert hear() == []


def test_the_event_of_a_policy_is_the_one_of_the_documentation() -> None:
    """All members of AWS's example."""
    with platforms.running() as platform:
        hear, ssm = heard(platform, "000000000000"), platform.client("ssm")
        policy = {"Type": "NoChangeNotification", "Version": "1.0", "Attributes": {"After": "2", "Unit": "Hours"}}
        ssm.put_parameter(Name="foo", Type="String", Value="1", Tier="Advanced", Policies=json.dumps([policy]))
        hear()
        platform.advance(3 * 3600)
        found: list[dict[str, Any]] = []
        for _ in range(200):
            found += hear()
            if found:
                break
        (event,) = found
        reason = event["detail"].pop("action-reason")
        assert reason.startswith("The parameter has not been changed for 2 hours. This notification was generated")
        assert event["detail"] == {
            "policy-type": "NoChangeNotification",
            "parameter-name": "foo",
            "parameter-type": "String",
            "policy-content": json.dumps(policy, separators=(",", ":")),
            "action-status": "Success",
        }


@pytest.mark.parametrize(
    "attributes", [{}, {"After": "0", "Unit": "Days"}, {"After": "x", "Unit": "Days"}, {"After": "1", "Unit": "Weeks"}]
)
def test_attributes_that_cannot_be(platform: RunningPlatform, account: str, attributes: dict[str, str]) -> None:
    """InvalidPolicyAttributeException; nothing is stored."""
    ssm = platform.client("ssm", account=account)
    policies = json.dumps([{"Type": "NoChangeNotification", "Version": "1.0", "Attributes": attributes}])
    with pytest.raises(ClientError) as caught:
        ssm.put_parameter(Name="p", Type="String", Value="1", Tier="Advanced", Policies=policies)
    assert caught.value.response["Error"]["Code"] == "InvalidPolicyAttributeException"
    assert ssm.describe_parameters()["Parameters"] == []
