"""Who may read a log group, however the request names it.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for Amazon CloudWatch Logs": the resource
is the log group or a stream in it.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.platform import RunningPlatform
from tests.services.sns.actions import refusal

READS: Mapping[str, Mapping[str, Any]] = {
    "describe_log_streams": {},
    "filter_log_events": {},
    "get_log_events": {"logStreamName": "s"},
    "get_log_group_fields": {},
}
"""What names its group by logGroupName or logGroupIdentifier -> what it needs besides."""
SPAN: Mapping[str, Any] = {"startTime": 0, "endTime": 1, "queryString": "fields @message"}


@pytest.fixture
def reader(platform: RunningPlatform, account: str) -> Any:
    """A user who may do everything with logs but with the group "secret"; there are "secret" and "open"."""
    logs, iam = (platform.client(name, account=account) for name in ("logs", "iam"))
    for group in ("secret", "open"):
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName="s")
    deny = {"Effect": "Deny", "Action": "logs:*", "Resource": f"{arn_of(account, 'secret')}:*"}
    return user(platform, iam, [{"Effect": "Allow", "Action": "logs:*", "Resource": "*"}, deny])


def user(platform: RunningPlatform, iam: Any, statements: list[Mapping[str, Any]]) -> Any:
    """A client of Logs for a new user with these permissions."""
    iam.create_user(UserName="u")
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=policy)
    key = iam.create_access_key(UserName="u")["AccessKey"]
    return platform.client("logs", account=key["AccessKeyId"], secret=key["SecretAccessKey"], inject_host_prefix=False)


def arn_of(account: str, group: str, partition: str = "aws") -> str:
    """A group's ARN without ":*"."""
    return f"arn:{partition}:logs:us-east-1:{account}:log-group:{group}"


@pytest.mark.parametrize("operation", READS)
def test_a_denied_group_is_denied_by_every_name(reader: Any, account: str, operation: str) -> None:
    """Its name, its ARN, and what the operation would take for its ARN."""
    call, more = getattr(reader, operation), READS[operation]
    arn = arn_of(account, "secret")
    for named in ("secret", arn, arn_of(account, "secret", "other"), f"{arn}:x"):
        code, text = refusal(call, logGroupIdentifier=named, **more)
        assert (code, "explicit deny" in text) == ("AccessDeniedException", True), named
    assert refusal(call, logGroupName="secret", **more)[0] == "AccessDeniedException"
    call(logGroupIdentifier=arn_of(account, "open"), **more)


def test_a_query_is_denied_for_one_denied_group(reader: Any, account: str) -> None:
    """StartQuery, StartLiveTail and DescribeLogGroups name several."""
    arns = [arn_of(account, name) for name in ("open", "secret")]
    for given in ({"logGroupNames": ["open", "secret"]}, {"logGroupIdentifiers": arns}, {"logGroupName": "secret"}):
        assert refusal(reader.start_query, **SPAN, **given)[0] == "AccessDeniedException"
    assert refusal(reader.describe_log_groups, logGroupIdentifiers=arns)[0] == "AccessDeniedException"
    assert refusal(reader.start_live_tail, logGroupIdentifiers=arns)[0] == "AccessDeniedException"
    reader.start_query(**SPAN, logGroupIdentifiers=arns[:1])


@pytest.mark.parametrize("operation", READS)
def test_one_group_is_allowed_by_its_identifier(platform: RunningPlatform, account: str, operation: str) -> None:
    """A user who may read that group alone."""
    logs, iam = (platform.client(name, account=account) for name in ("logs", "iam"))
    logs.create_log_group(logGroupName="mine")
    logs.create_log_stream(logGroupName="mine", logStreamName="s")
    mine = user(platform, iam, [{"Effect": "Allow", "Action": "logs:*", "Resource": f"{arn_of(account, 'mine')}:*"}])
    getattr(mine, operation)(logGroupIdentifier=arn_of(account, "mine"), **READS[operation])
    assert (
        refusal(getattr(mine, operation), logGroupIdentifier="other", **READS[operation])[0] == "AccessDeniedException"
    )
