"""Who may do what with X-Ray's groups and sampling rules.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for AWS X-Ray".
"""

import json
from typing import Any

import pytest

from tests.platform import RunningPlatform
from tests.services.sns.actions import refusal


@pytest.mark.parametrize("kind", ["group", "sampling-rule"])
def test_one_that_is_denied(platform: RunningPlatform, account: str, kind: str) -> None:
    """By its name and by its ARN; others are not."""
    owner, iam = (platform.client(name, account=account) for name in ("xray", "iam"))
    statements = [
        {"Effect": "Allow", "Action": "xray:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "xray:*", "Resource": f"arn:aws:xray:*:{account}:{kind}/secret*"},
    ]
    iam.create_user(UserName="u")
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName="u")["AccessKey"]
    user = platform.client("xray", account=key["AccessKeyId"], secret=key["SecretAccessKey"])
    if kind == "group":
        arns = [owner.create_group(GroupName=name)["Group"]["GroupARN"] for name in ("secret", "open")]
        denied = [(user.get_group, {"GroupName": "secret"}), (user.get_group, {"GroupARN": arns[0]}),
                  (user.delete_group, {"GroupName": "secret"}), (user.create_group, {"GroupName": "secret2"}),
                  (user.update_group, {"GroupARN": arns[0], "FilterExpression": "ok"})]  # fmt: skip
        user.get_group(GroupName="open")
    else:
        rule: dict[str, Any] = {"ResourceARN": "*", "Priority": 1, "FixedRate": 0.1, "ReservoirSize": 1, "Version": 1}
        rule |= {"ServiceName": "*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*"}
        made = [owner.create_sampling_rule(SamplingRule={**rule, "RuleName": name}) for name in ("secret", "open")]
        arns = [one["SamplingRuleRecord"]["SamplingRule"]["RuleARN"] for one in made]
        denied = [(user.delete_sampling_rule, {"RuleName": "secret"}),
                  (user.delete_sampling_rule, {"RuleARN": arns[0]}),
                  (user.update_sampling_rule, {"SamplingRuleUpdate": {"RuleName": "secret", "Priority": 2}}),
                  (user.create_sampling_rule, {"SamplingRule": {**rule, "RuleName": "secret2"}})]  # fmt: skip
        user.delete_sampling_rule(RuleName="open")
    tags = [{"Key": "k", "Value": "v"}]
    denied += [(user.tag_resource, {"ResourceARN": arns[0], "Tags": tags}),
               (user.list_tags_for_resource, {"ResourceARN": arns[0]})]  # fmt: skip
    for call, params in denied:
        assert refusal(call, **params)[0] == "AccessDeniedException"
