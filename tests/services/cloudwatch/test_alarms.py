"""Alarms through boto3 on the platform's clock: evaluation, actions, composites, history, restart.

AWS: CloudWatch API Reference, the operations named; User Guide, "Using Amazon CloudWatch alarms".
"""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.functions import create_function
from tests.platform import RunningPlatform, running

BASE = {
    "Namespace": "App", "MetricName": "m", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 5.0,
    "ComparisonOperator": "GreaterThanThreshold",
}  # fmt: skip


@pytest.fixture
def cloudwatch(platform: RunningPlatform, account: str) -> Any:
    """A client in an account of the test's own."""
    return platform.client("cloudwatch", account=account)


def refusal(call: Any, **params: Any) -> str:
    """The error that a call must give."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


def alarm(cloudwatch: Any, name: str) -> dict[str, Any]:
    """The alarm of this name, of whatever kind."""
    found = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    (one,) = found["MetricAlarms"] + found["CompositeAlarms"]
    return dict(one)


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for what the platform does by itself; the machine may be busy."""
    ends = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends, what
        time.sleep(0.02)


def becomes(cloudwatch: Any, name: str, state: str) -> dict[str, Any]:
    """The alarm once it is in the state."""
    until(lambda: alarm(cloudwatch, name)["StateValue"] == state, f"{name} does not become {state}")
    return alarm(cloudwatch, name)


def put(platform: RunningPlatform, cloudwatch: Any, value: float, name: str = "m") -> None:
    """A value of the minute before this one: it is over, so that an alarm looks at it."""
    now = platform.ask("/_undercast/clock", {"advance_s": 0})["now"]
    at = datetime.fromtimestamp(now - now % 60 - 30, UTC)
    cloudwatch.put_metric_data(Namespace="App", MetricData=[{"MetricName": name, "Value": value, "Timestamp": at}])


def test_an_alarm_follows_its_metric(platform: RunningPlatform, cloudwatch: Any, account: str) -> None:
    """INSUFFICIENT_DATA, ALARM, OK and back; a topic and a function are told, the history has all of it."""
    sns, sqs = platform.client("sns", account=account), platform.client("sqs", account=account)
    topic = sns.create_topic(Name="alarms")["TopicArn"]
    queue = sqs.create_queue(QueueName="alarms")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    gone = topic.replace("alarms", "gone")
    cloudwatch.put_metric_alarm(
        AlarmName="high", AlarmDescription="d", **BASE, AlarmActions=[topic, gone], OKActions=[topic], Unit="None"
    )
    first = alarm(cloudwatch, "high")
    assert (first["StateValue"], first["StateReason"]) == ("INSUFFICIENT_DATA", "Unchecked: Initial alarm creation")
    assert (first["Dimensions"], first["ActionsEnabled"], "DatapointsToAlarm" in first) == ([], True, False)
    put(platform, cloudwatch, 9.0)
    platform.advance(60)
    high = becomes(cloudwatch, "high", "ALARM")
    assert "1 out of the last 1 datapoints [9.0 (" in high["StateReason"]
    assert json.loads(high["StateReasonData"])["recentDatapoints"] == [9.0]
    platform.drain()
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    told = json.loads(message["Body"])
    assert (told["AlarmName"], told["OldStateValue"], told["NewStateValue"]) == ("high", "INSUFFICIENT_DATA", "ALARM")
    assert told["Trigger"]["MetricName"] == "m"
    assert (told["Trigger"]["Statistic"], told["Region"]) == ("SUM", "US East (N. Virginia)")
    platform.advance(300)
    becomes(cloudwatch, "high", "INSUFFICIENT_DATA")
    put(platform, cloudwatch, 1.0)
    cloudwatch.put_metric_alarm(AlarmName="high", **BASE, AlarmActions=[topic], OKActions=[topic])
    becomes(cloudwatch, "high", "OK")
    items = cloudwatch.describe_alarm_history(AlarmName="high", ScanBy="TimestampAscending")["AlarmHistoryItems"]
    summaries = [item["HistorySummary"] for item in items if item["HistoryItemType"] != "Action"]
    assert summaries == [
        'Alarm "high" created',
        "Alarm updated from INSUFFICIENT_DATA to ALARM",
        "Alarm updated from ALARM to INSUFFICIENT_DATA",
        'Alarm "high" updated',
        "Alarm updated from INSUFFICIENT_DATA to OK",
    ]
    platform.drain()
    actions = cloudwatch.describe_alarm_history(AlarmName="high", HistoryItemType="Action")["AlarmHistoryItems"]
    texts = sorted(item["HistorySummary"].partition(". ")[0] for item in actions)
    succeeded = f"Successfully executed action {topic}"
    assert texts == [f"Failed to execute action {gone}", succeeded, succeeded]


WRITES = """
import json, boto3

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=boto3.client("sqs").get_queue_url(QueueName="told")["QueueUrl"],
                                     MessageBody=json.dumps(event))
"""


def test_a_function_is_invoked_by_its_policy(platform: RunningPlatform, cloudwatch: Any, account: str) -> None:
    """The principal is lambda.alarms.cloudwatch.amazonaws.com; SetAlarmState takes actions, too."""
    sqs = platform.client("sqs", account=account)
    queue = sqs.create_queue(QueueName="told")["QueueUrl"]
    function = create_function(platform, account, "told", WRITES, Timeout=30)
    cloudwatch.put_metric_alarm(AlarmName="by-hand", **BASE, AlarmActions=[function], TreatMissingData="ignore")
    state = {"AlarmName": "by-hand", "StateReason": "a test"}
    cloudwatch.set_alarm_state(**state, StateValue="ALARM")
    platform.drain()
    (failed,) = cloudwatch.describe_alarm_history(HistoryItemType="Action")["AlarmHistoryItems"]
    assert failed["HistorySummary"].startswith("Failed to execute action")
    platform.client("lambda", account=account).add_permission(
        FunctionName="told",
        StatementId="alarms",
        Action="lambda:InvokeFunction",
        Principal="lambda.alarms.cloudwatch.amazonaws.com",
        SourceArn=alarm(cloudwatch, "by-hand")["AlarmArn"],
        SourceAccount=account,
    )
    cloudwatch.set_alarm_state(**state, StateValue="OK")
    cloudwatch.set_alarm_state(**state, StateValue="ALARM", StateReasonData='{"a": 1}')
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    event = json.loads(message["Body"])
    assert (event["source"], event["accountId"]) == ("aws.cloudwatch", account)
    assert event["alarmData"]["state"]["value"] == "ALARM"
    assert event["alarmData"]["state"]["reasonData"] == '{"a": 1}'
    assert event["alarmData"]["previousState"]["value"] == "OK"
    metric = event["alarmData"]["configuration"]["metrics"][0]["metricStat"]["metric"]
    assert (metric["name"], metric["namespace"]) == ("m", "App")
    cloudwatch.disable_alarm_actions(AlarmNames=["by-hand"])
    cloudwatch.set_alarm_state(**state, StateValue="OK")
    cloudwatch.set_alarm_state(**state, StateValue="ALARM")
    platform.drain()
    assert len(cloudwatch.describe_alarm_history(HistoryItemType="Action")["AlarmHistoryItems"]) == 2
    assert alarm(cloudwatch, "by-hand")["ActionsEnabled"] is False
    assert "ResourceNotFound" in refusal(cloudwatch.set_alarm_state, **{**state, "AlarmName": "x"}, StateValue="OK")
    bad = refusal(cloudwatch.set_alarm_state, **state, StateValue="OK", StateReasonData="{")
    assert bad.startswith("InvalidFormat")


def test_alarms_on_expressions_and_on_what_is_missing(platform: RunningPlatform, cloudwatch: Any) -> None:
    """A rate of two metrics; the four ways of missing data; a percentile with too few samples."""
    now = platform.ask("/_undercast/clock", {"advance_s": 0})["now"]
    platform.advance(60 - now % 60 + 1)  # a whole minute for the test
    put(platform, cloudwatch, 1.0, "errors")
    put(platform, cloudwatch, 4.0, "calls")

    def metric(name: str) -> dict[str, Any]:
        stat = {"Metric": {"Namespace": "App", "MetricName": name}, "Period": 60, "Stat": "Sum"}
        return {"Id": name, "MetricStat": stat, "ReturnData": False}

    rate = {"Id": "rate", "Expression": "100 * errors / calls", "Label": "rate"}
    condition = {"EvaluationPeriods": 1, "Threshold": 20.0, "ComparisonOperator": "GreaterThanOrEqualToThreshold"}
    cloudwatch.put_metric_alarm(
        AlarmName="rate", Metrics=[rate, metric("errors"), metric("calls")], **condition, TreatMissingData="ignore"
    )
    assert "[25.0 (" in becomes(cloudwatch, "rate", "ALARM")["StateReason"]
    insight = {"Id": "q", "Expression": "SELECT MAX(calls) FROM App", "Period": 60}
    cloudwatch.put_metric_alarm(AlarmName="insight", Metrics=[insight], **{**condition, "Threshold": 4.0})
    assert "[4.0 (" in becomes(cloudwatch, "insight", "ALARM")["StateReason"]
    for treatment in ("breaching", "notBreaching", "missing"):
        cloudwatch.put_metric_alarm(**{**BASE, "MetricName": "none"}, AlarmName=treatment, TreatMissingData=treatment)
    assert "treated as [Breaching]" in becomes(cloudwatch, "breaching", "ALARM")["StateReason"]
    becomes(cloudwatch, "notBreaching", "OK")
    assert alarm(cloudwatch, "missing")["StateReason"] == "Unchecked: Initial alarm creation"
    few = {key: value for key, value in BASE.items() if key != "Statistic"} | {"MetricName": "calls"}
    few |= {"ExtendedStatistic": "p99", "Threshold": 1.0}
    cloudwatch.put_metric_alarm(AlarmName="few", **few, EvaluateLowSampleCountPercentile="ignore")
    cloudwatch.put_metric_alarm(AlarmName="any", **few)
    becomes(cloudwatch, "any", "ALARM")
    assert alarm(cloudwatch, "few")["StateValue"] == "INSUFFICIENT_DATA"
    found = cloudwatch.describe_alarms_for_metric(Namespace="App", MetricName="calls")["MetricAlarms"]
    assert [one["AlarmName"] for one in found] == ["any", "few"]


@pytest.mark.parametrize("value", ["'text'", "[m, m]"])
def test_an_alarm_that_cannot_be_evaluated_costs_only_itself(
    platform: RunningPlatform, cloudwatch: Any, value: str
) -> None:
    """It goes into INSUFFICIENT_DATA with the reason; the others are evaluated in the same round."""
    broken = {"Id": "e", "Expression": f"IF(SUM(m) > 10, {value}, m)"}
    condition = {name: BASE[name] for name in ("EvaluationPeriods", "Threshold", "ComparisonOperator")}
    cloudwatch.put_metric_alarm(
        AlarmName="a-bad", Metrics=[_METRIC, broken], **condition, TreatMissingData="notBreaching"
    )
    cloudwatch.put_metric_alarm(AlarmName="b-good", **BASE, TreatMissingData="notBreaching")
    becomes(cloudwatch, "a-bad", "OK")
    becomes(cloudwatch, "b-good", "OK")
    put(platform, cloudwatch, 50.0)
    platform.advance(60)
    becomes(cloudwatch, "b-good", "ALARM")
    assert "Error in expression 'e'" in becomes(cloudwatch, "a-bad", "INSUFFICIENT_DATA")["StateReason"]


def test_composite_alarms_follow_others(cloudwatch: Any) -> None:
    """Through two levels; children and parents; a child cannot be deleted under a composite, a cycle ends."""
    for name in ("a", "b"):
        cloudwatch.put_metric_alarm(AlarmName=name, **{**BASE, "TreatMissingData": "ignore"})
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule='ALARM("a") AND ALARM(b)')
    cloudwatch.put_composite_alarm(AlarmName="top", AlarmRule="ALARM(both) AND NOT OK(a)", AlarmDescription="d")
    assert alarm(cloudwatch, "both")["StateValue"] == "OK"

    def set_state(name: str, value: str) -> None:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=value, StateReason="test")

    set_state("a", "ALARM")
    assert alarm(cloudwatch, "both")["StateValue"] == "OK"
    set_state("b", "ALARM")
    top = alarm(cloudwatch, "top")
    assert (alarm(cloudwatch, "both")["StateValue"], top["StateValue"]) == ("ALARM", "ALARM")
    assert ":alarm:both transitioned to ALARM" in top["StateReason"]
    children = cloudwatch.describe_alarms(ChildrenOfAlarmName="both")["MetricAlarms"]
    assert [(one["AlarmName"], one["StateValue"]) for one in children] == [("a", "ALARM"), ("b", "ALARM")]
    parents = cloudwatch.describe_alarms(ParentsOfAlarmName="both")["CompositeAlarms"]
    assert [one["AlarmName"] for one in parents] == ["top"]
    for names, text in (
        (["both"], "Cannot delete both as there are composite alarm(s) depending on it."),
        (["a"], "Cannot delete a as there are composite alarm(s) depending on it."),
        (["b", "a"], "Cannot delete b,a as there are composite alarm(s) depending on them."),
    ):
        assert refusal(cloudwatch.delete_alarms, AlarmNames=names) == f"ValidationError: {text}"
    assert "do not exist" in refusal(cloudwatch.put_composite_alarm, AlarmName="x", AlarmRule="ALARM(none)")
    assert "AlarmRule" in refusal(cloudwatch.put_composite_alarm, AlarmName="x", AlarmRule="ALARM(a) XOR OK(b)")
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(a) OR ALARM(top)")
    set_state("a", "OK")
    assert alarm(cloudwatch, "top")["StateValue"] == "OK"
    set_state("b", "OK")
    assert cloudwatch.describe_alarms()["CompositeAlarms"] == []
    cloudwatch.put_composite_alarm(AlarmName="both", AlarmRule="ALARM(a)")
    cloudwatch.delete_alarms(AlarmNames=["top"])
    cloudwatch.delete_alarms(AlarmNames=["a", "both"])  # what depends on it goes with it
    cloudwatch.delete_alarms(AlarmNames=["b"])


def test_a_composite_alarm_holds_its_actions_back(platform: RunningPlatform, cloudwatch: Any, account: str) -> None:
    """While the suppressor is in ALARM, ExtensionPeriod behind that, and WaitPeriod behind every change."""
    topic = platform.client("sns", account=account).create_topic(Name="held")["TopicArn"]
    for name in ("child", "window"):
        cloudwatch.put_metric_alarm(AlarmName=name, **BASE, TreatMissingData="ignore")
    periods = {"ActionsSuppressorWaitPeriod": 600, "ActionsSuppressorExtensionPeriod": 1200}
    held = {"AlarmName": "held", "AlarmRule": "ALARM(child)", "AlarmActions": [topic], "OKActions": [topic]}
    cloudwatch.put_composite_alarm(**held)
    cloudwatch.put_composite_alarm(**held, ActionsSuppressor="window", **periods)

    def set_state(name: str, value: str) -> Any:
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=value, StateReason="test")
        return alarm(cloudwatch, "held").get("ActionsSuppressedBy")

    def actions() -> int:
        platform.drain()
        kinds = {"AlarmTypes": ["CompositeAlarm"], "HistoryItemType": "Action"}
        return len(cloudwatch.describe_alarm_history(**kinds)["AlarmHistoryItems"])

    assert actions() == 1  # it became OK when it was made
    set_state("window", "ALARM")
    assert (set_state("child", "ALARM"), alarm(cloudwatch, "held")["StateValue"]) == ("Alarm", "ALARM")
    assert set_state("window", "OK") == "ExtensionPeriod"
    assert actions() == 1
    platform.advance(1200)
    until(lambda: actions() == 2, "the extension period does not end")
    assert set_state("child", "OK") == "WaitPeriod"
    assert (set_state("child", "ALARM"), set_state("child", "OK")) == (None, "WaitPeriod")
    assert actions() == 2
    platform.advance(600)
    until(lambda: actions() == 3, "the wait period does not end")
    assert "ActionsSuppressedBy" not in alarm(cloudwatch, "held")
    wrong = refusal(cloudwatch.put_composite_alarm, **held, ActionsSuppressor="window")
    assert "ActionsSuppressorWaitPeriod is required" in wrong


def test_eventbridge_hears_of_changes(platform: RunningPlatform, cloudwatch: Any, account: str) -> None:
    """On the default bus, without any action of the alarm."""
    sqs, events = platform.client("sqs", account=account), platform.client("events", account=account)
    queue = sqs.create_queue(QueueName="changes")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": arn}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    pattern = {"source": ["aws.cloudwatch"], "detail": {"state": {"value": ["ALARM"]}}}
    events.put_rule(Name="alarms", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="alarms", Targets=[{"Id": "q", "Arn": arn}])
    cloudwatch.put_metric_alarm(AlarmName="heard", **BASE, TreatMissingData="ignore")
    cloudwatch.set_alarm_state(AlarmName="heard", StateValue="ALARM", StateReason="test")
    (message,) = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=20)["Messages"]
    event = json.loads(message["Body"])
    assert event["detail-type"] == "CloudWatch Alarm State Change"
    assert event["resources"] == [alarm(cloudwatch, "heard")["AlarmArn"]]
    assert (event["detail"]["alarmName"], event["detail"]["previousState"]["value"]) == ("heard", "INSUFFICIENT_DATA")


def test_lists_pages_tags_and_deletion(cloudwatch: Any) -> None:
    """Prefix, state, action; pages; tags of the first put only."""
    for number in range(5):
        tags = [{"Key": "k", "Value": str(number)}]
        cloudwatch.put_metric_alarm(AlarmName=f"a{number}", **BASE, Tags=tags)
        cloudwatch.put_metric_alarm(AlarmName=f"a{number}", **BASE, Tags=[{"Key": "other", "Value": "x"}])
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix="a", PaginationConfig={"PageSize": 2})
    names = [one["AlarmName"] for page in pages for one in page["MetricAlarms"]]
    assert names == [f"a{number}" for number in range(5)]
    assert len(cloudwatch.describe_alarms(StateValue="OK")["MetricAlarms"]) == 0
    arn = alarm(cloudwatch, "a3")["AlarmArn"]
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "k", "Value": "3"}]
    cloudwatch.tag_resource(ResourceARN=arn, Tags=[{"Key": "new", "Value": "y"}])
    cloudwatch.untag_resource(ResourceARN=arn, TagKeys=["k"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "new", "Value": "y"}]
    missing = refusal(cloudwatch.list_tags_for_resource, ResourceARN=arn + "x")
    assert missing.startswith("ResourceNotFoundException")
    cloudwatch.delete_alarms(AlarmNames=["a0", "none"])
    assert refusal(cloudwatch.delete_alarms, AlarmNames=["none"]).startswith("ResourceNotFound")
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(PaginationConfig={"PageSize": 3})
    assert len([item for page in pages for item in page["AlarmHistoryItems"]]) == 11


NO_METRIC = dict.fromkeys(("Namespace", "MetricName", "Statistic", "Period"))
_METRIC = {
    "Id": "m", "ReturnData": False,
    "MetricStat": {"Metric": {"Namespace": "App", "MetricName": "m"}, "Period": 60, "Stat": "Sum"},
}  # fmt: skip

_BAND: dict[str, Any] = {
    "ThresholdMetricId": "e",
    "Metrics": [{**_METRIC, "ReturnData": True}, {"Id": "e", "Expression": "ANOMALY_DETECTION_BAND(m)"}],
}


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm must be less than or equal to EvaluationPeriods"),
        ({"Period": 45}, "Period must be"),
        ({"Period": None}, "Period must not be null"),
        ({"Statistic": None}, "Exactly one of Statistic"),
        ({"EvaluationPeriods": 2000}, "more than a day"),
        ({"TreatMissingData": "maybe"}, "TreatMissingData"),
        ({"AlarmActions": ["nothing"]}, "Invalid arn syntax"),
        ({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}, "NotImplemented"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "GreaterThanUpperThreshold for parameter Comparison"),
        ({"ThresholdMetricId": "e"}, "ThresholdMetricId should not be set"),
        ({**NO_METRIC, "ThresholdMetricId": "m", "Metrics": [_METRIC]}, "is not the id of an ANOMALY_DETECTION_BAND"),
        *[
            (
                {**NO_METRIC, **_BAND, "Metrics": [_BAND["Metrics"][0], {"Id": "e", "Expression": text}]},
                "is not the id of",
            )
            for text in (
                "MAX(ANOMALY_DETECTION_BAND(m))",
                "FIRST(ANOMALY_DETECTION_BAND(m))",
                "[m, ANOMALY_DETECTION_BAND(m)]",
                "m + 'ANOMALY_DETECTION_BAND'",
            )
        ],
        ({**NO_METRIC, **_BAND}, "Threshold should not be set if ThresholdMetricId is set."),
        ({**NO_METRIC, **_BAND, "Threshold": None}, "GreaterThanThreshold for parameter ComparisonOperator"),
        ({**NO_METRIC, "Metrics": [_METRIC, {"Id": "e", "Expression": "FOO(m)"}]}, "Unsupported function 'FOO'"),
        ({**NO_METRIC, "Metrics": [_METRIC, {"Id": "e", "Expression": "SUM(m)"}]}, "must be a time series"),
        ({**NO_METRIC, "Metrics": [_METRIC, {"Id": "e", "Expression": "[m, m]"}]}, "a single time series"),
        ({**NO_METRIC, "Metrics": [_METRIC, {"Id": "e", "Expression": "SEARCH('m', 'Sum', 60)"}]}, "SEARCH is not"),
        ({"Metrics": [{"Id": "e", "Expression": "1"}]}, "MetricName should not be set if list of Metrics is set."),
    ],
)
def test_what_is_no_alarm(cloudwatch: Any, changes: dict[str, Any], text: str) -> None:
    """AWS's texts where they are known; what we lack is named."""
    given = {name: value for name, value in {**BASE, **changes}.items() if value is not None}
    assert text in refusal(cloudwatch.put_metric_alarm, AlarmName="x", **given)


def test_dashboards(platform: RunningPlatform, cloudwatch: Any, account: str) -> None:
    """Of the account, in every region; a body that is none is refused with what is wrong in it."""
    body = json.dumps({"widgets": [{"type": "text", "properties": {"markdown": "hello"}}]})
    assert cloudwatch.put_dashboard(DashboardName="one", DashboardBody=body)["DashboardValidationMessages"] == []
    cloudwatch.put_dashboard(DashboardName="two", DashboardBody='{"widgets": []}', Tags=[{"Key": "a", "Value": "b"}])
    elsewhere = platform.client("cloudwatch", account=account, region="eu-west-1")
    got = elsewhere.get_dashboard(DashboardName="one")
    assert (got["DashboardBody"], got["DashboardArn"]) == (body, f"arn:aws:cloudwatch::{account}:dashboard/one")
    entries = cloudwatch.list_dashboards(DashboardNamePrefix="t")["DashboardEntries"]
    assert [(one["DashboardName"], one["Size"]) for one in entries] == [("two", 15)]
    tags = cloudwatch.list_tags_for_resource(ResourceARN=entries[0]["DashboardArn"])["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]
    wrong = '{"widgets": [{"type": "nothing"}]}'
    with pytest.raises(ClientError) as caught:
        cloudwatch.put_dashboard(DashboardName="x", DashboardBody=wrong)
    assert caught.value.response["Error"]["Code"] == "InvalidParameterInput"
    assert refusal(cloudwatch.delete_dashboards, DashboardNames=["one", "none"]).startswith("ResourceNotFound")
    cloudwatch.delete_dashboards(DashboardNames=["one"])
    assert refusal(cloudwatch.get_dashboard, DashboardName="one").startswith("ResourceNotFound")


def test_alarms_survive_a_kill(tmp_path: Any) -> None:
    """State and configuration are there again, and the evaluation goes on; a reset takes all of it away."""
    with running(tmp_path / "data") as first:
        client = first.client("cloudwatch")
        client.put_metric_alarm(AlarmName="kept", **BASE, TreatMissingData="notBreaching")
        becomes(client, "kept", "OK")
        client.put_dashboard(DashboardName="kept", DashboardBody='{"widgets": []}')
        first.kill()
    with running(tmp_path / "data") as second:
        client = second.client("cloudwatch")
        assert client.get_dashboard(DashboardName="kept")["DashboardBody"] == '{"widgets": []}'
        assert alarm(client, "kept")["StateValue"] == "OK"
        put(second, client, 7.0)
        second.advance(60)
        becomes(client, "kept", "ALARM")
        second.ask("/_undercast/reset", {})
        assert client.describe_alarms()["MetricAlarms"] == []
        assert client.list_dashboards()["DashboardEntries"] == []
        assert client.list_metrics(Namespace="App")["Metrics"] == []
        assert client.describe_alarm_history()["AlarmHistoryItems"] == []
