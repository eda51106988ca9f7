"""Sampling rules, their targets, groups and tags."""

import json
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform, running
from tests.services.xray.conftest import Account

RULE = {
    "RuleName": "checkout",
    "ResourceARN": "*",
    "Priority": 10,
    "FixedRate": 0.5,
    "ReservoirSize": 10,
    "ServiceName": "shop",
    "ServiceType": "*",
    "Host": "*",
    "HTTPMethod": "POST",
    "URLPath": "/checkout/*",
    "Version": 1,
}


def code(call: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as raised:
        call(**params)
    found: str = raised.value.response["Error"]["Code"]
    return found


def test_a_rule_is_made_changed_and_deleted(aws: Account) -> None:
    """Rules come by priority, the default one last; it can be changed and not deleted."""
    xray = aws.xray
    made = xray.create_sampling_rule(SamplingRule=RULE)["SamplingRuleRecord"]
    arn = f"arn:aws:xray:us-east-1:{aws.id}:sampling-rule/checkout"
    assert made["SamplingRule"] == {**RULE, "Attributes": {}, "RuleARN": arn}
    assert code(xray.create_sampling_rule, SamplingRule=RULE) == "InvalidRequestException"
    update = {"RuleARN": arn, "FixedRate": 0.25, "Host": "shop.example.com"}
    changed = xray.update_sampling_rule(SamplingRuleUpdate=update)["SamplingRuleRecord"]["SamplingRule"]
    assert (changed["FixedRate"], changed["Host"], changed["URLPath"]) == (0.25, "shop.example.com", "/checkout/*")
    xray.update_sampling_rule(SamplingRuleUpdate={"RuleName": "Default", "FixedRate": 1.0})
    assert code(xray.update_sampling_rule, SamplingRuleUpdate={"RuleName": "Default", "Host": "x"}) == (
        "InvalidRequestException"
    )
    records = xray.get_sampling_rules()["SamplingRuleRecords"]
    found = [(one["SamplingRule"]["RuleName"], one["SamplingRule"]["FixedRate"]) for one in records]
    assert found == [("checkout", 0.25), ("Default", 1.0)]
    assert code(xray.delete_sampling_rule, RuleName="Default") == "InvalidRequestException"
    boosted = {"RuleName": "checkout", "SamplingRateBoost": {"MaxRate": 1.0, "CooldownWindowMinutes": 5}}
    assert code(xray.update_sampling_rule, SamplingRuleUpdate=boosted) == "NotImplemented"
    assert code(xray.update_sampling_rule, SamplingRuleUpdate={"RuleName": "checkout", "Priority": 0}) == (
        "InvalidRequestException"
    )
    xray.delete_sampling_rule(RuleName="checkout")
    assert code(xray.delete_sampling_rule, RuleName="checkout") == "InvalidRequestException"


def test_programs_share_a_rules_reservoir(aws: Account) -> None:
    """GetSamplingTargets: each program's part, until when, and what is unknown; the statistics are summed."""
    xray = aws.xray
    xray.create_sampling_rule(SamplingRule=RULE)
    now = datetime.fromtimestamp(int(aws.began), UTC)

    def ask(client: str, rule: str = "checkout") -> Any:
        document = {"RuleName": rule, "ClientID": client, "Timestamp": now, "RequestCount": 8, "SampledCount": 3}
        return xray.get_sampling_targets(SamplingStatisticsDocuments=[{**document, "BorrowCount": 1}])

    (first,) = ask("a" * 24)["SamplingTargetDocuments"]
    assert (first["RuleName"], first["FixedRate"], first["ReservoirQuota"], first["Interval"]) == (
        "checkout",
        0.5,
        10,
        10,
    )
    assert first["ReservoirQuotaTTL"] > now
    (second,) = ask("b" * 24)["SamplingTargetDocuments"]
    assert second["ReservoirQuota"] == 5
    missing = ask("a" * 24, "nobody")
    assert (missing["SamplingTargetDocuments"], missing["UnprocessedStatistics"][0]["RuleName"]) == ([], "nobody")
    (told,) = xray.get_sampling_statistic_summaries()["SamplingStatisticSummaries"]
    assert told == {"RuleName": "checkout", "Timestamp": now, "RequestCount": 16, "BorrowCount": 2, "SampledCount": 6}


def test_a_group_is_made_changed_and_deleted(aws: Account) -> None:
    """The Default group is always there; a filter that is none is refused."""
    xray = aws.xray
    made = xray.create_group(GroupName="slow", FilterExpression="responsetime > 5")["Group"]
    assert made["GroupARN"].startswith(f"arn:aws:xray:us-east-1:{aws.id}:group/slow/")
    insights = {"InsightsEnabled": False, "NotificationsEnabled": False}
    assert (made["FilterExpression"], made["InsightsConfiguration"]) == ("responsetime > 5", insights)
    assert code(xray.create_group, GroupName="slow") == "InvalidRequestException"
    assert code(xray.create_group, GroupName="x", FilterExpression="(") == "InvalidRequestException"
    wish = {"InsightsEnabled": True}
    assert code(xray.update_group, GroupName="slow", InsightsConfiguration=wish) == "NotImplemented"
    xray.update_group(GroupARN=made["GroupARN"], FilterExpression="fault")
    assert xray.get_group(GroupName="slow")["Group"]["FilterExpression"] == "fault"
    assert [one["GroupName"] for one in xray.get_groups()["Groups"]] == ["Default", "slow"]
    xray.delete_group(GroupName="slow")
    assert code(xray.get_group, GroupName="slow") == "InvalidRequestException"


def test_a_token_that_nobody_gave_is_refused(aws: Account) -> None:
    """These answers are one page."""
    arn = aws.xray.create_group(GroupName="g")["Group"]["GroupARN"]
    span = {"StartTime": datetime.fromtimestamp(aws.began - 60, UTC), "EndTime": datetime.fromtimestamp(aws.began, UTC)}
    calls: dict[str, dict[str, Any]] = {
        "get_groups": {},
        "get_sampling_rules": {},
        "get_sampling_statistic_summaries": {},
        "list_tags_for_resource": {"ResourceARN": arn},
        "batch_get_traces": {"TraceIds": []},
        "get_trace_graph": {"TraceIds": []},
        "get_service_graph": span,
    }
    for name, params in calls.items():
        getattr(aws.xray, name)(**params)
        assert code(getattr(aws.xray, name), **params, NextToken="x") == "InvalidRequestException", name


def test_groups_and_rules_have_tags(aws: Account) -> None:
    """TagResource, UntagResource, ListTagsForResource."""
    xray = aws.xray
    group = xray.create_group(GroupName="g", Tags=[{"Key": "a", "Value": "1"}])["Group"]["GroupARN"]
    rule = xray.create_sampling_rule(SamplingRule=RULE)["SamplingRuleRecord"]["SamplingRule"]["RuleARN"]
    for arn, expected in ((group, {"a": "1", "b": "2"}), (rule, {"b": "2"})):
        xray.tag_resource(ResourceARN=arn, Tags=[{"Key": "b", "Value": "2"}])
        found = xray.list_tags_for_resource(ResourceARN=arn)["Tags"]
        assert {one["Key"]: one["Value"] for one in found} == expected
    xray.untag_resource(ResourceARN=group, TagKeys=["a"])
    assert xray.list_tags_for_resource(ResourceARN=group)["Tags"] == [{"Key": "b", "Value": "2"}]
    assert code(xray.list_tags_for_resource, ResourceARN=f"{group}x") == "ResourceNotFoundException"


def test_telemetry_records_are_kept_for_thirty_days(tmp_path: Path) -> None:
    """Daemons tell how they fare; X-Ray has no operation that reads it, so that the file is looked into."""
    with running(tmp_path) as platform:
        aws = Account(platform, "444444444444")
        now = datetime.fromtimestamp(aws.began, UTC)
        aws.xray.put_telemetry_records(TelemetryRecords=[{"Timestamp": now, "SegmentsSentCount": 3}], Hostname="h")
        (record,) = telemetry(platform)
        assert (record["SegmentsSentCount"], record["Hostname"]) == (3, "h")
        platform.advance(31 * 86400)
        deadline = time.monotonic() + 60
        while telemetry(platform) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert telemetry(platform) == []


def telemetry(platform: RunningPlatform) -> list[dict[str, Any]]:
    """The records in the journal's file."""
    with closing(sqlite3.connect(f"file:{platform.data}/journal.db?mode=ro", uri=True)) as journal:
        return [json.loads(record) for (record,) in journal.execute("SELECT record FROM xray_telemetry")]
