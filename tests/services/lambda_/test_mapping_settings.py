"""Provisioned mode and metrics of event source mappings of queues, on the real platform."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.lambda_.conftest import Account
from tests.services.lambda_.queues import Work, metric, until

REPORT_BAD = """
def ANSWER(event):
    bad = [r["messageId"] for r in event["Records"] if r["body"].startswith("bad")]
    return {"batchItemFailures": [{"itemIdentifier": one} for one in bad]}
"""
WANTED = {"Filters": [{"Pattern": '{"body": [{"anything-but": ["other"]}]}'}]}
COUNTS = {
    "PolledEventCount": 4.0,
    "FilteredOutEventCount": 1.0,
    "InvokedEventCount": 3.0,
    "FailedInvokeEventCount": 1.0,
    "DeletedEventCount": 2.0,
}


def test_events_are_counted_where_it_is_asked_for(aws: Account) -> None:
    """MetricsConfig EventCount: polled, filtered out, invoked with, failed and deleted, by the mapping's UUID."""
    work = Work(aws, answer=REPORT_BAD)
    made = work.map(
        Enabled=False,
        FilterCriteria=WANTED,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        MetricsConfig={"Metrics": ["EventCount"]},
    )
    assert made["MetricsConfig"] == {"Metrics": ["EventCount"]}
    work.send("good", "other", "bad", "fine")
    work.functions.update_event_source_mapping(UUID=work.id, Enabled=True)
    until(lambda: work.count() == (0, 1))
    until(lambda: {name: metric(aws, work.id, name, "Sum") for name in COUNTS} == COUNTS)
    assert metric(aws, work.id, "ProvisionedPollers", "Maximum") is None
    removed = work.functions.update_event_source_mapping(UUID=work.id, MetricsConfig={"Metrics": []})
    assert "MetricsConfig" not in removed


def test_provisioned_mode_has_its_defaults_and_tells_its_pollers(aws: Account) -> None:
    """ProvisionedPollerConfig: 2 and 200 where nothing is said; ProvisionedPollers is told without being asked for."""
    work = Work(aws)
    made = work.map(ProvisionedPollerConfig={"MinimumPollers": 3})
    assert made["ProvisionedPollerConfig"] == {"MinimumPollers": 3, "MaximumPollers": 200}
    work.send("a")
    until(lambda: work.bodies() == ["a"])
    until(lambda: metric(aws, work.id, "ProvisionedPollers", "Maximum") == 3)
    assert metric(aws, work.id, "PolledEventCount", "Sum") is None
    work.wait_until_empty()
    changed = work.functions.update_event_source_mapping(UUID=work.id, ProvisionedPollerConfig={"MaximumPollers": 5})
    assert changed["ProvisionedPollerConfig"] == {"MinimumPollers": 2, "MaximumPollers": 5}
    work.wait_for("Enabled")
    removed = work.functions.update_event_source_mapping(UUID=work.id, ProvisionedPollerConfig={})
    assert "ProvisionedPollerConfig" not in removed


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"ProvisionedPollerConfig": {"MinimumPollers": 1}}, "at least 2"),
        ({"ProvisionedPollerConfig": {"MinimumPollers": 9, "MaximumPollers": 8}}, "must not be less"),
        ({"ProvisionedPollerConfig": {"PollerGroupName": "g"}}, "PollerGroupName is not valid"),
        (
            {"ProvisionedPollerConfig": {"MinimumPollers": 2}, "ScalingConfig": {"MaximumConcurrency": 2}},
            "exclude each other",
        ),
        ({"MetricsConfig": {"Metrics": ["KafkaMetrics"]}}, "KafkaMetrics is not valid for SQS"),
        ({"LoggingConfig": {"SystemLogLevel": "INFO"}}, "LoggingConfig"),
    ],
)
def test_what_a_queue_has_not_is_refused(aws: Account, params: dict[str, Any], text: str) -> None:
    """By name."""
    sqs = aws.client("sqs")
    sqs.create_queue(QueueName="q")
    aws.create()
    with pytest.raises(ClientError, match=text):
        aws.client("lambda").create_event_source_mapping(
            EventSourceArn=f"arn:aws:sqs:us-east-1:{aws.id}:q", FunctionName="f", **params
        )
