"""CloudWatch's metrics through boto3 (CBOR), in JSON and in the query protocol, against the real platform.

AWS: CloudWatch API Reference, PutMetricData, GetMetricStatistics, GetMetricData, ListMetrics.
"""

import json
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform, running


@pytest.fixture
def cloudwatch(platform: RunningPlatform, account: str) -> Any:
    """A client in an account of the test's own."""
    return platform.client("cloudwatch", account=account)


@pytest.fixture
def noon(platform: RunningPlatform) -> datetime:
    """A whole ten minutes in the past, by the platform's clock."""
    now = platform.ask("/_undercast/clock", {"advance_s": 0})["now"]
    return datetime.fromtimestamp(now - now % 600 - 1200, UTC)


def refusal(call: Any, **params: Any) -> str:
    """The error that a call must give."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


def put(cloudwatch: Any, noon: datetime, *data: dict[str, Any], namespace: str = "App") -> None:
    """Data of metric m at noon, unless a datum says more."""
    full = [{"MetricName": "m", "Timestamp": noon, **datum} for datum in data]
    cloudwatch.put_metric_data(Namespace=namespace, MetricData=full)


def statistics(cloudwatch: Any, noon: datetime, **params: Any) -> list[dict[str, Any]]:
    """Data points of metric m in the ten minutes from noon on."""
    given = {"Namespace": "App", "MetricName": "m", "StartTime": noon, "EndTime": noon + timedelta(minutes=10)}
    points: list[dict[str, Any]] = cloudwatch.get_metric_statistics(**{**given, "Period": 60, **params})["Datapoints"]
    return points


def test_values_counts_and_sets_become_statistics(cloudwatch: Any, noon: datetime) -> None:
    """What is put for one minute is one data point, for each unit; percentiles need the values."""
    put(cloudwatch, noon, {"Value": 1.0}, {"Values": [2.0, 3.0], "Counts": [2.0, 1.0]})
    put(cloudwatch, noon, {"Value": 10.0, "Unit": "Seconds"})
    every = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"]
    none, seconds = sorted(statistics(cloudwatch, noon, Statistics=every), key=lambda one: one["Unit"])
    assert none == {
        "Timestamp": noon, "Unit": "None", "SampleCount": 4, "Average": 2, "Sum": 8, "Minimum": 1, "Maximum": 3,
    }  # fmt: skip
    assert (seconds["Unit"], seconds["Sum"]) == ("Seconds", 10)
    (ranks,) = statistics(cloudwatch, noon, ExtendedStatistics=["p50", "tm75", "PR(:2)"], Unit="None")
    assert ranks["ExtendedStatistics"] == {"p50": 2, "tm75": pytest.approx(5 / 3), "PR(:2)": 75}
    put(cloudwatch, noon, {"StatisticValues": {"SampleCount": 2, "Sum": 9, "Minimum": 4, "Maximum": 5}})
    (whole,) = statistics(cloudwatch, noon, Statistics=["Sum", "Maximum"], Unit="None")
    assert (whole["Sum"], whole["Maximum"]) == (17, 5)
    (ranks,) = statistics(cloudwatch, noon, ExtendedStatistics=["p50"], Unit="None")
    assert "ExtendedStatistics" not in ranks


def test_dimensions_make_metrics_of_their_own(cloudwatch: Any, noon: datetime) -> None:
    """Their order does not count; a metric with fewer of them is another one."""
    one = {"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}
    put(cloudwatch, noon, {"Value": 1, "Dimensions": [one[0], one[1]]}, {"Value": 2, "Dimensions": [one[1], one[0]]})
    put(cloudwatch, noon, {"Value": 4, "Dimensions": [one[0]]})
    assert [x["Sum"] for x in statistics(cloudwatch, noon, Statistics=["Sum"], Dimensions=one)] == [3]
    assert statistics(cloudwatch, noon, Statistics=["Sum"]) == []
    listed = cloudwatch.list_metrics(Namespace="App", Dimensions=[{"Name": "b"}])["Metrics"]
    assert listed == [{"Namespace": "App", "MetricName": "m", "Dimensions": list(one)}]
    assert len(cloudwatch.list_metrics(Dimensions=[{"Name": "a", "Value": "1"}], RecentlyActive="PT3H")["Metrics"]) == 2
    assert cloudwatch.list_metrics(Namespace="Other")["Metrics"] == []


def test_periods_begin_with_the_start(cloudwatch: Any, noon: datetime) -> None:
    """GetMetricStatistics counts from the start's minute; data below a minute only with resolution 1."""
    for minute in range(6):
        put(cloudwatch, noon + timedelta(minutes=minute), {"Value": minute + 1})
    start = noon + timedelta(minutes=1, seconds=30)
    points = statistics(cloudwatch, noon, Statistics=["Sum"], Period=120, StartTime=start)
    assert [(x["Timestamp"] - noon, x["Sum"]) for x in points] == [
        (timedelta(minutes=1), 5), (timedelta(minutes=3), 9), (timedelta(minutes=5), 6),
    ]  # fmt: skip
    fine = {"MetricName": "fine", "StorageResolution": 1}
    put(cloudwatch, noon + timedelta(seconds=12), {"Value": 1, **fine}, {"Value": 2, **fine})
    put(cloudwatch, noon + timedelta(seconds=25), {"Value": 4, **fine})
    points = statistics(cloudwatch, noon, MetricName="fine", Statistics=["Sum"], Period=10)
    assert [(x["Timestamp"] - noon, x["Sum"]) for x in points] == [
        (timedelta(seconds=10), 3), (timedelta(seconds=20), 4),
    ]  # fmt: skip
    assert statistics(cloudwatch, noon, Statistics=["Sum"], Period=10) == []
    assert statistics(cloudwatch, noon, MetricName="fine", Statistics=["Sum"], Period=300)[0]["Sum"] == 7


def query(query_id: str, **more: Any) -> dict[str, Any]:
    """A MetricDataQuery: of metric `name` if it has no expression."""
    if "Expression" in more:
        return {"Id": query_id, **more}
    name = more.pop("name", "m")
    stat = {"Metric": {"Namespace": "App", "MetricName": name}, "Period": 60, "Stat": more.pop("stat", "Sum")}
    return {"Id": query_id, "MetricStat": stat, **more}


def data(cloudwatch: Any, noon: datetime, *queries: dict[str, Any], **params: Any) -> Any:
    """GetMetricData over the ten minutes from noon on, oldest first."""
    given = {"StartTime": noon, "EndTime": noon + timedelta(minutes=10), "ScanBy": "TimestampAscending", **params}
    return cloudwatch.get_metric_data(MetricDataQueries=list(queries), **given)


def test_metric_math_over_metrics(cloudwatch: Any, noon: datetime) -> None:
    """An error rate; a search; labels; queries that return nothing are computed all the same."""
    for minute, (errors, calls) in enumerate([(1, 4), (0, 2), (3, 3)]):
        at = noon + timedelta(minutes=minute)
        put(cloudwatch, at, {"MetricName": "errors", "Value": errors}, {"MetricName": "calls", "Value": calls})
    hidden = query("errors", name="errors", ReturnData=False), query("calls", name="calls", ReturnData=False)
    rate = query("rate", Expression="100 * errors / calls", Label="${MAX} at most")
    found = query("found", Expression="SEARCH('{App} errors OR calls', 'Sum', 60)")
    results = data(cloudwatch, noon, *hidden, rate, found)["MetricDataResults"]
    assert [(one["Id"], one["Label"], one["Values"]) for one in results] == [
        ("rate", "100 at most", [25, 0, 100]),
        ("found", "found calls", [4, 2, 3]),
        ("found", "found errors", [1, 0, 3]),
    ]
    assert results[0]["Timestamps"] == [noon + timedelta(minutes=minute) for minute in range(3)]
    newest = data(cloudwatch, noon, *hidden, rate, ScanBy="TimestampDescending")["MetricDataResults"]
    assert newest[0]["Values"] == [100, 0, 25]


def test_metrics_insights(cloudwatch: Any, noon: datetime) -> None:
    """SELECT over all series of a name: in one line, by group, the highest ones, as part of an expression."""
    for name, value in (("a", 1), ("b", 5), ("c", 3)):
        dimensions = [{"Name": "service", "Value": name}, {"Name": "stage", "Value": "x" if name == "a" else "y"}]
        put(cloudwatch, noon, {"Value": value, "Dimensions": dimensions})
    put(cloudwatch, noon, {"Value": 100})

    def selected(text: str, **more: Any) -> list[tuple[str, list[float]]]:
        found = data(cloudwatch, noon, query("q", Expression=text, Period=60, **more))["MetricDataResults"]
        return [(one["Label"], one["Values"]) for one in found]

    assert selected("SELECT SUM(m) FROM App") == [("q", [109])]
    assert selected("SELECT AVG(m) FROM SCHEMA(App, service, stage)", Label="l") == [("l", [3])]
    grouped = "SELECT MAX(m) FROM App WHERE service != 'c' GROUP BY stage"
    assert selected(grouped) == [("Other", [100]), ("x", [1]), ("y", [5])]
    top = "SELECT SUM(m) FROM SCHEMA(App, service, stage) GROUP BY service ORDER BY MAX() DESC LIMIT 2"
    assert selected(top) == [("b", [5]), ("c", [3])]
    result = data(
        cloudwatch, noon, query("q", Expression=top, Period=60, ReturnData=False), query("e", Expression="SUM(q)")
    )
    assert [one["Values"] for one in result["MetricDataResults"]] == [[8]]


def test_pages_of_metric_data(cloudwatch: Any, noon: datetime) -> None:
    """Each page holds so many data points; a series that goes on is PartialData."""
    for minute in range(5):
        put(cloudwatch, noon + timedelta(minutes=minute), {"Value": minute})
    first = data(cloudwatch, noon, query("a"), query("b"), MaxDatapoints=7)
    assert [(x["Id"], x["Values"], x["StatusCode"]) for x in first["MetricDataResults"]] == [
        ("a", [0, 1, 2, 3, 4], "Complete"), ("b", [0, 1], "PartialData"),
    ]  # fmt: skip
    second = data(cloudwatch, noon, query("a"), query("b"), MaxDatapoints=7, NextToken=first["NextToken"])
    assert [x["Values"] for x in second["MetricDataResults"]] == [[], [2, 3, 4]]
    assert "NextToken" not in second


def test_what_is_refused(cloudwatch: Any, noon: datetime) -> None:
    """AWS's codes; nothing of a request with a wrong datum is taken."""
    late, early = noon + timedelta(hours=4), noon - timedelta(days=15)

    def putting(**datum: Any) -> str:
        good = {"MetricName": "m", "Value": 1.0, "Timestamp": noon}
        wrong = {"MetricName": "m", **datum}
        return refusal(cloudwatch.put_metric_data, Namespace="App", MetricData=[good, wrong])

    assert "no more than two hours in the future" in putting(Value=1, Timestamp=late)
    assert "within the past two weeks" in putting(Value=1, Timestamp=early)
    assert putting().startswith("MissingParameter")
    assert putting(Value=1, Values=[1]).startswith("InvalidParameterCombination")
    assert putting(Values=[1, 2], Counts=[1]).startswith("InvalidParameterValue")
    assert putting(Value=float("nan")).startswith("InvalidParameterValue")
    assert putting(Value=1, StorageResolution=5).startswith("InvalidParameterValue")
    assert statistics(cloudwatch, noon, Statistics=["Sum"]) == []
    call = cloudwatch.get_metric_statistics
    base = {"Namespace": "App", "MetricName": "m", "StartTime": noon, "EndTime": noon + timedelta(minutes=10)}
    assert refusal(call, **base, Period=60).startswith("MissingParameter")
    assert "1,440" in refusal(call, **{**base, "StartTime": noon - timedelta(days=2)}, Period=60, Statistics=["Sum"])
    assert "must be less than" in refusal(call, **{**base, "EndTime": noon}, Period=60, Statistics=["Sum"])
    assert "p101" in refusal(call, **base, Period=60, ExtendedStatistics=["p101"])
    assert "Period" in refusal(call, **base, Period=61, Statistics=["Sum"])
    assert "not unique" in refusal(lambda: data(cloudwatch, noon, query("a"), query("a")))
    assert "expected pattern" in refusal(lambda: data(cloudwatch, noon, query("A")))
    assert "'a': Unsupported function 'FOO'" in refusal(lambda: data(cloudwatch, noon, query("a", Expression="FOO()")))
    assert "needs a Period" in refusal(lambda: data(cloudwatch, noon, query("a", Expression="SELECT AVG(x) FROM y")))


def test_policies_may_name_a_namespace(platform: RunningPlatform, account: str, cloudwatch: Any) -> None:
    """The condition key cloudwatch:namespace; alarms and dashboards have ARNs."""
    iam = platform.client("iam", account=account)
    iam.create_user(UserName="u")
    statements = [
        {"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*",
         "Condition": {"StringEquals": {"cloudwatch:namespace": "App"}}},
        {"Effect": "Allow", "Action": "cloudwatch:DeleteAlarms",
         "Resource": f"arn:aws:cloudwatch:us-east-1:{account}:alarm:mine"},
    ]  # fmt: skip
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName="u")["AccessKey"]
    user = platform.client("cloudwatch", account=key["AccessKeyId"], secret=key["SecretAccessKey"])
    user.put_metric_data(Namespace="App", MetricData=[{"MetricName": "m", "Value": 1}])
    denied = refusal(user.put_metric_data, Namespace="Other", MetricData=[{"MetricName": "m", "Value": 1}])
    assert denied.startswith("AccessDenied")
    assert refusal(user.delete_alarms, AlarmNames=["mine"]).startswith("ResourceNotFound")
    assert refusal(user.delete_alarms, AlarmNames=["mine", "yours"]).startswith("AccessDenied")


def signed(platform: RunningPlatform, account: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A signed POST, as an SDK of another protocol sends it."""
    request = AWSRequest("POST", platform.url, data=body, headers=headers)
    SigV4Auth(Credentials(account, "secret"), "monitoring", "us-east-1").add_auth(request)
    raw = urllib.request.Request(platform.url, data=body, headers=dict(request.headers.items()))
    with urllib.request.urlopen(raw, timeout=30) as answer:
        return bytes(answer.read())


def test_the_older_protocols(platform: RunningPlatform, account: str, cloudwatch: Any, noon: datetime) -> None:
    """Query, which every SDK until 2025 speaks, and JSON."""
    at = noon.strftime("%Y-%m-%dT%H:%M:%SZ")
    form = f"Action=PutMetricData&Version=2010-08-01&Namespace=App&MetricData.member.1.MetricName=m&MetricData.member.1.Value=2.5&MetricData.member.1.Timestamp={at}"  # noqa: E501
    signed(platform, account, form.encode(), {"content-type": "application/x-www-form-urlencoded"})
    target = "GraniteServiceVersion20100801.GetMetricStatistics"
    asked = {"Namespace": "App", "MetricName": "m", "StartTime": noon.timestamp(), "EndTime": noon.timestamp() + 60}
    headers = {"content-type": "application/x-amz-json-1.0", "x-amz-target": target}
    body = json.dumps({**asked, "Period": 60, "Statistics": ["Sum"]}).encode()
    answer = json.loads(signed(platform, account, body, headers))
    assert answer["Datapoints"] == [{"Timestamp": noon.timestamp(), "Unit": "None", "Sum": 2.5}]
    listing = b"Action=ListMetrics&Version=2010-08-01&Namespace=App"
    xml = signed(platform, account, listing, {"content-type": "application/x-www-form-urlencoded"})
    assert b"<MetricName>m</MetricName>" in xml


def test_metrics_age_and_survive(tmp_path: Any) -> None:
    """Points are merged to five minutes and an hour as they grow old; a kill behind the answer loses none."""
    with running(tmp_path / "data") as first:
        client = first.client("cloudwatch")
        now = time.time()
        noon = datetime.fromtimestamp(now - now % 3600 - 3600, UTC)
        fine = {"StorageResolution": 1, "MetricName": "fine"}
        put(client, noon, *({"Value": value, **fine} for value in (1, 2)))
        for minute in (0, 1, 7):
            put(client, noon + timedelta(minutes=minute), {"Value": minute + 1})
        assert len(statistics(client, noon, MetricName="fine", Statistics=["Sum"], Period=1)) == 1
        first.kill()
    with running(tmp_path / "data") as second:
        client = second.client("cloudwatch")
        assert [x["Sum"] for x in statistics(client, noon, Statistics=["Sum"])] == [1, 2, 8]
        second.advance(4 * 3600)
        assert statistics(client, noon, MetricName="fine", Statistics=["Sum"], Period=1) == []
        assert [x["Sum"] for x in statistics(client, noon, MetricName="fine", Statistics=["Sum"])] == [3]
        second.advance(16 * 86_400)
        assert statistics(client, noon, Statistics=["Sum"]) == []
        assert [x["Sum"] for x in statistics(client, noon, Statistics=["Sum"], Period=300)] == [3, 8]
        assert client.list_metrics(Namespace="App")["Metrics"] == []
        second.advance(50 * 86_400)
        (hour,) = statistics(client, noon, Statistics=["Sum"], Period=3600)
        assert (hour["Sum"], hour["Timestamp"]) == (11, noon)
        second.advance(500 * 86_400)
        assert statistics(client, noon, Statistics=["Sum"], Period=3600) == []
