"""Anomaly detection through boto3: bands, detectors, alarms.

AWS: CloudWatch API Reference, PutAnomalyDetector, PutMetricAlarm (example "Anomaly Detection Model Alarm"); User Guide,
"Using CloudWatch anomaly detection".
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform
from tests.services.cloudwatch.test_alarms import alarm, becomes

METRIC = {"Namespace": "App", "MetricName": "m", "Dimensions": [{"Name": "a", "Value": "b"}]}
STAT = {"Metric": METRIC, "Period": 60, "Stat": "Average"}
BAND = {"Id": "ad1", "Expression": "ANOMALY_DETECTION_BAND(m1, 2)"}


@pytest.fixture
def cloudwatch(platform: RunningPlatform, account: str) -> Any:
    """A client in an account of the test's own."""
    return platform.client("cloudwatch", account=account)


def put(cloudwatch: Any, at: datetime, *values: float) -> None:
    """A value a minute from a time on."""
    data = [
        {"MetricName": "m", "Dimensions": METRIC["Dimensions"], "Value": value, "Timestamp": at + timedelta(minutes=n)}
        for n, value in enumerate(values)
    ]
    cloudwatch.put_metric_data(Namespace="App", MetricData=data)


def minute(platform: RunningPlatform) -> datetime:
    """The one that is now."""
    return datetime.fromtimestamp(platform.now() // 60 * 60, UTC)


def test_a_band_is_read_with_its_metric(platform: RunningPlatform, cloudwatch: Any) -> None:
    """Two series; where nothing was before there is none."""
    begin = minute(platform) - timedelta(minutes=30)
    put(cloudwatch, begin, *[1.0, 3.0] * 5)
    queries = [{"Id": "m1", "MetricStat": STAT, "ReturnData": False}, BAND]
    span = {"StartTime": begin, "EndTime": begin + timedelta(minutes=10), "ScanBy": "TimestampAscending"}
    upper, lower = cloudwatch.get_metric_data(MetricDataQueries=queries, **span)["MetricDataResults"]
    assert (upper["Id"], lower["Id"]) == ("ad1", "ad1")
    assert upper["Timestamps"][0] == begin + timedelta(minutes=3)
    assert (upper["Values"][-2], lower["Values"][-2]) == pytest.approx((4.0, 0.0))  # of four pairs


def test_an_alarm_watches_a_band(platform: RunningPlatform, cloudwatch: Any, account: str) -> None:
    """AWS's example: as expected, then outside; the reason names the thresholds, and the topic's message the band."""
    sqs, sns = platform.client("sqs", account=account), platform.client("sns", account=account)
    topic, url = sns.create_topic(Name="alarms")["TopicArn"], sqs.create_queue(QueueName="alarms")["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    let_in = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": queue}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [let_in]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
    put(cloudwatch, minute(platform) - timedelta(minutes=21), *[1.0, 3.0] * 10)
    put(cloudwatch, minute(platform) - timedelta(minutes=1), 2.0)
    metrics = [{"Id": "m1", "MetricStat": STAT, "ReturnData": True}, BAND]
    cloudwatch.put_metric_alarm(
        AlarmName="odd", EvaluationPeriods=1, ComparisonOperator="LessThanLowerOrGreaterThanUpperThreshold",
        ThresholdMetricId="ad1", Metrics=metrics, AlarmActions=[topic], TreatMissingData="ignore",
    )  # fmt: skip
    fine = becomes(cloudwatch, "odd", "OK")
    assert "was not less than the lower thresholds [" in fine["StateReason"]
    assert ("Threshold" in fine, fine["ThresholdMetricId"]) == (False, "ad1")
    platform.advance(60)
    put(cloudwatch, minute(platform) - timedelta(minutes=1), 50.0)
    platform.advance(60)
    becomes(cloudwatch, "odd", "ALARM")
    told = alarm(cloudwatch, "odd")
    data = json.loads(told["StateReasonData"])
    assert data["recentDatapoints"] == [50.0]
    assert data["recentLowerThresholds"][0] < 1.0 < 3.0 < data["recentUpperThresholds"][0] < 50.0
    assert "threshold" not in data
    platform.drain()
    (sent,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    trigger = json.loads(json.loads(sent["Body"])["Message"])["Trigger"]
    assert (trigger["ThresholdMetricId"], "Threshold" in trigger) == ("ad1", False)


def test_without_a_past_there_is_no_verdict(platform: RunningPlatform, cloudwatch: Any) -> None:
    """INSUFFICIENT_DATA as long as the metric has no band."""
    put(cloudwatch, minute(platform) - timedelta(minutes=1), 2.0)
    metrics = [{"Id": "m1", "MetricStat": STAT, "ReturnData": True}, BAND]
    cloudwatch.put_metric_alarm(
        AlarmName="young", EvaluationPeriods=1, ComparisonOperator="GreaterThanUpperThreshold",
        ThresholdMetricId="ad1", Metrics=metrics,
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName="young", StateValue="OK", StateReason="test")
    platform.advance(60)
    assert becomes(cloudwatch, "young", "INSUFFICIENT_DATA")["StateReason"].startswith("Insufficient Data")


def test_detectors(platform: RunningPlatform, cloudwatch: Any) -> None:
    """Put twice, described by metric, by kind and by id, page by page, deleted."""
    put(cloudwatch, minute(platform) - timedelta(hours=1), *[1.0] * 30)
    single = {**METRIC, "Stat": "Average"}
    one = cloudwatch.put_anomaly_detector(SingleMetricAnomalyDetector=single)["AnomalyDetectorId"]
    assert cloudwatch.put_anomaly_detector(**single)["AnomalyDetectorId"] == one
    other = cloudwatch.put_anomaly_detector(Namespace="App", MetricName="none", Stat="p99")["AnomalyDetectorId"]
    doubled = cloudwatch.put_anomaly_detector(**math("m1 * 2"))
    pages = cloudwatch.get_paginator("describe_anomaly_detectors").paginate(PaginationConfig={"PageSize": 1})
    found = {each["AnomalyDetectorId"]: each for page in pages for each in page["AnomalyDetectors"]}
    assert {key: each["StateValue"] for key, each in found.items()} == {
        one: "TRAINED", other: "TRAINED_INSUFFICIENT_DATA"
    }  # fmt: skip
    assert found[one]["SingleMetricAnomalyDetector"] == single
    (by_name,) = cloudwatch.describe_anomaly_detectors(Namespace="App", MetricName="none")["AnomalyDetectors"]
    assert by_name["AnomalyDetectorId"] == other
    (told,) = cloudwatch.describe_anomaly_detectors(AnomalyDetectorTypes=["METRIC_MATH"])["AnomalyDetectors"]
    assert (told["AnomalyDetectorId"], told["StateValue"]) == (doubled["AnomalyDetectorId"], "TRAINED")
    cloudwatch.delete_anomaly_detector(**single)
    cloudwatch.delete_anomaly_detector(AnomalyDetectorId=other)
    assert cloudwatch.describe_anomaly_detectors()["AnomalyDetectors"] == []
    assert_no_detector(cloudwatch, other)


def test_detectors_of_one_name_are_told_apart_by_their_dimensions(cloudwatch: Any) -> None:
    """DescribeAnomalyDetectors, Dimensions: "associated with the specified metric dimensions"."""
    made = cloudwatch.put_anomaly_detector(**METRIC, Stat="Average")["AnomalyDetectorId"]
    bare = cloudwatch.put_anomaly_detector(Namespace="App", MetricName="m", Stat="Average")["AnomalyDetectorId"]

    def described(**wanted: Any) -> set[str]:
        found = cloudwatch.describe_anomaly_detectors(**wanted)["AnomalyDetectors"]
        return {each["AnomalyDetectorId"] for each in found}

    assert described(MetricName="m") == {made, bare}
    assert described(Dimensions=METRIC["Dimensions"]) == {made}
    assert described(Dimensions=[{"Name": "a", "Value": "other"}]) == set()


def test_a_detector_is_its_accounts_and_regions_own(platform: RunningPlatform, cloudwatch: Any, account: str) -> None:
    """Who knows its id elsewhere can neither see nor delete it."""
    made = cloudwatch.put_anomaly_detector(**METRIC, Stat="Average")["AnomalyDetectorId"]
    elsewhere = platform.client("cloudwatch", account=account, region="eu-central-1")
    for stranger in (platform.client("cloudwatch", account="999988887777"), elsewhere):
        assert stranger.describe_anomaly_detectors(AnomalyDetectorIds=[made])["AnomalyDetectors"] == []
        assert_no_detector(stranger, made)
    (kept,) = cloudwatch.describe_anomaly_detectors()["AnomalyDetectors"]
    assert kept["AnomalyDetectorId"] == made


def assert_no_detector(cloudwatch: Any, detector: str) -> None:
    """DeleteAnomalyDetector finds none."""
    with pytest.raises(ClientError) as caught:
        cloudwatch.delete_anomaly_detector(AnomalyDetectorId=detector)
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def math(expression: str) -> dict[str, Any]:
    """A detector for an expression over m1."""
    queries = [{"Id": "m1", "MetricStat": STAT, "ReturnData": False}, {"Id": "e", "Expression": expression}]
    return {"MetricMathAnomalyDetector": {"MetricDataQueries": queries}}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({}, "MissingParameter"),
        ({"Namespace": "App", "MetricName": "m"}, "MissingParameter"),
        ({"Namespace": "App", "SingleMetricAnomalyDetector": {**METRIC, "Stat": "Sum"}}, "InvalidParameterCombination"),
        (math("FOO(m1)"), "ValidationError"),
        (math("m1 +"), "ValidationError"),
        (math("[m1, m1]"), "ValidationError"),
        (math("FIRST(ANOMALY_DETECTION_BAND(m1))"), "ValidationError"),
        ({**METRIC, "Stat": "Sum", "Configuration": {"MetricTimezone": "UTC"}}, "NotImplemented"),
    ],
)
def test_what_is_no_detector(cloudwatch: Any, params: dict[str, Any], code: str) -> None:
    """AWS's codes; what we lack is named."""
    with pytest.raises(ClientError) as caught:
        cloudwatch.put_anomaly_detector(**params)
    assert caught.value.response["Error"]["Code"] == code
