"""A role is passed to a service in its own account only, whoever may pass it.

AWS: IAM User Guide, "Grant a user permissions to pass a role to an AWS service".
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.platform import RunningPlatform
from tests.services.iam.conftest import Refusal, allow
from tests.services.sns.actions import make_queue

TEXT = "Cross-account pass role is not allowed."
Clients = Callable[..., Any]


def requests(account: str, role: str) -> Mapping[str, tuple[str, str, dict[str, Any]]]:
    """Name -> service, operation and parameters of each request that passes a role."""
    queue, topic = f"arn:aws:sqs:us-east-1:{account}:q", f"arn:aws:sns:us-east-1:{account}:t"
    schedule = {"Name": "s", "ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": {"Mode": "OFF"}}
    feedback = {"SQSFailureFeedbackRoleArn": role}
    changed = {"AttributeName": "SQSFailureFeedbackRoleArn", "AttributeValue": role}
    application = {"PlatformCredential": "x", "SuccessFeedbackRoleArn": role}
    filtered = {"logGroupName": "g", "filterName": "f", "filterPattern": "", "destinationArn": queue}
    code = {"Runtime": "python3.12", "Handler": "app.f", "Code": {"ZipFile": b"x"}}
    stream = f"arn:aws:kinesis:us-east-1:{account}:stream/s"
    return {
        "schedule": ("scheduler", "create_schedule", {**schedule, "Target": {"Arn": queue, "RoleArn": role}}),
        "changed schedule": ("scheduler", "update_schedule", {**schedule, "Target": {"Arn": queue, "RoleArn": role}}),
        "target": ("events", "put_targets", {"Rule": "r", "Targets": [{"Id": "t", "Arn": queue, "RoleArn": role}]}),
        "rule": ("events", "put_rule", {"Name": "r", "EventPattern": '{"source": ["a"]}', "RoleArn": role}),
        "pipe": ("pipes", "create_pipe", {"Name": "p", "Source": queue, "Target": queue, "RoleArn": role}),
        "changed pipe": ("pipes", "update_pipe", {"Name": "p", "RoleArn": role}),
        "subscription filter": ("logs", "put_subscription_filter", {**filtered, "roleArn": role}),
        "destination": ("logs", "put_destination", {"destinationName": "d", "targetArn": stream, "roleArn": role}),
        "function": ("lambda", "create_function", {"FunctionName": "f", **code, "Role": role}),
        "changed function": ("lambda", "update_function_configuration", {"FunctionName": "f", "Role": role}),
        "topic": ("sns", "create_topic", {"Name": "t", "Attributes": feedback}),
        "changed topic": ("sns", "set_topic_attributes", {"TopicArn": topic, **changed}),
        "application": ("sns", "create_platform_application", {"Name": "a", "Platform": "GCM",
                                                               "Attributes": application}),
    }  # fmt: skip


@pytest.mark.parametrize("request_", requests("", ""))
def test_no_role_of_another_account_is_passed(
    platform: RunningPlatform, account: str, refusal: Refusal, request_: str
) -> None:
    """Not by the account's root either."""
    service, operation, params = requests(account, "arn:aws:iam::999988887777:role/r")[request_]
    code, text, _ = refusal(getattr(platform.client(service, account=account), operation), **params)
    assert code == ("AuthorizationError" if service == "sns" else "AccessDeniedException")
    assert text == ("Cross-account role passing is not allowed." if service == "logs" else TEXT)


@pytest.mark.parametrize("request_", requests("", ""))
def test_an_own_role_is_passed_by_who_may(
    platform: RunningPlatform, account: str, iam: Any, signed_in: Clients, refusal: Refusal, request_: str
) -> None:
    """iam:PassRole on the role, for the service."""
    service, operation, params = requests(account, f"arn:aws:iam::{account}:role/r")[request_]
    make_queue(platform, account)
    iam.create_user(UserName="u")
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=allow(f"{service}:*", "*"))
    key = iam.create_access_key(UserName="u")["AccessKey"]
    client = signed_in(service, key["AccessKeyId"], key["SecretAccessKey"])
    code, text, _ = refusal(getattr(client, operation), **params)
    assert (code in ("AccessDeniedException", "AuthorizationError"), "iam:PassRole" in text) == (True, True)
