"""Event notifications: who gets what, in AWS's form, committed with the change."""

import json
from typing import Any

import pytest

from tests.unit.s3.bench import ACCOUNT, FUNCTION, Bench
from undercast.core.context import Cause
from undercast.core.errors import ServiceError


def _records(s3: Bench) -> list[dict[str, Any]]:
    return [json.loads(row["payload"])["Records"][0] for row in s3.deliveries()]


def _names(s3: Bench) -> list[str]:
    return [record["eventName"] for record in _records(s3)]


async def test_the_record_has_awss_members(s3: Bench) -> None:
    """S3 User Guide, "Event message structure": no "s3:" in eventName, encoded key, versionId if versioned."""
    await s3.notify("s3:ObjectCreated:*")
    put = await s3.put("a b/ü+c.json", b"hello")
    record = _records(s3)[0]
    sequencer = record["s3"]["object"].pop("sequencer")
    assert len(sequencer) == 18 and int(sequencer, 16) > 0
    assert record["responseElements"].pop("x-amz-id-2")
    owner = record["s3"]["bucket"].pop("ownerIdentity")
    assert owner["principalId"].startswith("A")
    assert record == {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2023-11-14T22:13:20.000Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": f"AWS:{ACCOUNT}"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-amz-request-id": s3.ctx.request_id},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "rule",
            "bucket": {"name": "bkt", "arn": "arn:aws:s3:::bkt"},
            "object": {"key": "a+b/%C3%BC%2Bc.json", "size": 5, "eTag": put["ETag"].strip('"')},
        },
    }


async def test_a_browsers_form_is_a_post(s3: Bench) -> None:
    """s3:ObjectCreated:Post covers uploads by form, and only them."""
    await s3.notify("s3:ObjectCreated:Post")
    await s3.put("a")
    await s3.by_form().put("b")
    assert [(record["eventName"], record["s3"]["object"]["key"]) for record in _records(s3)] == [
        ("ObjectCreated:Post", "b")
    ]


async def test_the_delivery_names_function_bucket_and_account(s3: Bench) -> None:
    """Lambda's permission is for aws:SourceArn and aws:SourceAccount; the scope is the function's."""
    cause = Cause(kind="invocation", id="inv-1", environment_id="env-1")
    await s3.notify("s3:ObjectCreated:*")
    await s3.caused_by(cause).put("a")
    row = s3.deliveries()[0]
    assert (row["kind"], row["target_arn"], row["source_arn"]) == ("lambda", FUNCTION, "arn:aws:s3:::bkt")
    assert (row["account_id"], row["region"]) == (ACCOUNT, "us-east-1")
    assert json.loads(row["attributes"]) == {"source_account": ACCOUNT}
    assert (row["cause_kind"], row["cause_id"], row["cause_environment_id"]) == ("invocation", "inv-1", "env-1")


async def test_the_trace_leads_from_the_call_over_the_object_to_the_delivery(s3: Bench) -> None:
    """I10: call -> object version -> delivery, durable with the put."""
    await s3.notify("s3:ObjectCreated:*")
    await s3.put("a")
    trace = await s3.state.causality.trace(s3.ctx.request_id)
    assert [(edge.from_kind, edge.to_kind) for edge in trace.edges] == [("call", "object"), ("object", "delivery")]
    assert trace.edges[-1].to_id == s3.deliveries()[0]["id"]
    assert trace.edges[0].label == "s3:ObjectCreated:Put bkt/a"


async def test_every_way_to_change_an_object_has_its_event(s3: Bench) -> None:
    """Put, Copy, CompleteMultipartUpload, tagging and deletes, each by its name."""
    await s3.notify("s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:ObjectTagging:*")
    await s3.put("a")
    await s3.call("CopyObject", Bucket="bkt", Key="c", CopySource="bkt/a")
    upload = await s3.call("CreateMultipartUpload", Bucket="bkt", Key="m")
    where = {"Bucket": "bkt", "Key": "m", "UploadId": upload["UploadId"]}
    part = await s3.call("UploadPart", **where, PartNumber=1, Body=b"1")
    await s3.call("CompleteMultipartUpload", **where, MultipartUpload={"Parts": [{**part, "PartNumber": 1}]})
    await s3.call("PutObjectTagging", Bucket="bkt", Key="a", Tagging={"TagSet": []})
    await s3.call("DeleteObjectTagging", Bucket="bkt", Key="a")
    await s3.call("DeleteObject", Bucket="bkt", Key="a")
    await s3.call("DeleteObjects", Bucket="bkt", Delete={"Objects": [{"Key": "c"}, {"Key": "never was"}]})
    assert _names(s3) == [
        "ObjectCreated:Put",
        "ObjectCreated:Copy",
        "ObjectCreated:CompleteMultipartUpload",
        "ObjectTagging:Put",
        "ObjectTagging:Delete",
        "ObjectRemoved:Delete",
        "ObjectRemoved:Delete",
    ]
    removed = _records(s3)[-1]["s3"]["object"]
    assert set(removed) == {"key", "sequencer"}
    assert _records(s3)[3]["eventVersion"] == "2.3"


async def test_versioned_events_carry_the_version(s3: Bench) -> None:
    """A delete without a version id is DeleteMarkerCreated with the marker's id; one with it is Delete."""
    await s3.call("PutBucketVersioning", Bucket="bkt", VersioningConfiguration={"Status": "Enabled"})
    await s3.notify("s3:ObjectCreated:*", "s3:ObjectRemoved:*")
    put = await s3.put("a")
    marker = await s3.call("DeleteObject", Bucket="bkt", Key="a")
    await s3.call("DeleteObject", Bucket="bkt", Key="a", VersionId=put["VersionId"])
    assert _names(s3) == ["ObjectCreated:Put", "ObjectRemoved:DeleteMarkerCreated", "ObjectRemoved:Delete"]
    versions = [record["s3"]["object"]["versionId"] for record in _records(s3)]
    assert versions == [put["VersionId"], marker["VersionId"], put["VersionId"]]
    sequencers = [record["s3"]["object"]["sequencer"] for record in _records(s3)]
    assert sequencers == sorted(set(sequencers))


@pytest.mark.parametrize(
    ("prefix", "suffix", "key", "sent"),
    [("in/", ".json", "in/a.json", True), ("in/", ".json", "in/a.txt", False), ("in/", ".json", "a.json", False)],
)
async def test_filters_select_by_prefix_and_suffix(s3: Bench, prefix: str, suffix: str, key: str, sent: bool) -> None:
    """Both must fit the key as it is, not its encoded form."""
    await s3.notify("s3:ObjectCreated:Put", prefix=prefix, suffix=suffix)
    await s3.put(key)
    assert len(s3.deliveries()) == sent


async def test_a_failed_put_sends_nothing(s3: Bench) -> None:
    """I6: object and delivery commit together or not at all."""
    await s3.notify("s3:ObjectCreated:*")
    await s3.put("a")
    with pytest.raises(ServiceError, match="PreconditionFailed"):
        await s3.put("a", IfNoneMatch="*")
    assert len(s3.deliveries()) == 1


async def test_the_destination_must_let_s3_in(s3: Bench) -> None:
    """S1-24: without the permission InvalidArgument in AWS's words; SkipDestinationValidation goes past it."""
    s3.permissions.allowed = False
    with pytest.raises(ServiceError) as raised:
        await s3.notify("s3:ObjectCreated:*")
    assert raised.value.code == "InvalidArgument"
    assert raised.value.message == "Unable to validate the following destination configurations"
    assert raised.value.members["ArgumentName1"] == FUNCTION
    conditions = {"aws:SourceArn": "arn:aws:s3:::bkt", "aws:SourceAccount": ACCOUNT}
    assert s3.permissions.asked == [("s3.amazonaws.com", "lambda:InvokeFunction", FUNCTION, conditions)]
    entry = {"LambdaFunctionArn": FUNCTION, "Events": ["s3:ObjectCreated:*"]}
    await s3.call(
        "PutBucketNotificationConfiguration",
        Bucket="bkt",
        NotificationConfiguration={"LambdaFunctionConfigurations": [entry]},
        SkipDestinationValidation=True,
    )
    got = await s3.call("GetBucketNotificationConfiguration", Bucket="bkt")
    assert got["LambdaFunctionConfigurations"][0]["Id"]


async def test_eventbridge_hears_of_everything_in_its_own_form(s3: Bench) -> None:
    """S3 User Guide, "EventBridge event message structure": plain key, reason, requester; the owner's default bus."""
    await s3.call(
        "PutBucketNotificationConfiguration",
        Bucket="bkt",
        NotificationConfiguration={"EventBridgeConfiguration": {}},
    )
    assert await s3.call("GetBucketNotificationConfiguration", Bucket="bkt") == {"EventBridgeConfiguration": {}}
    put = await s3.put("a b/ü.json", b"hello")
    await s3.call("DeleteObject", Bucket="bkt", Key="a b/ü.json")
    created, deleted = s3.deliveries()
    assert (created["kind"], created["target_arn"]) == (
        "events",
        f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default",
    )
    event = json.loads(created["payload"])
    assert len(event["detail"]["object"].pop("sequencer")) == 18
    assert event.pop("id")
    assert event == {
        "version": "0",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": ACCOUNT,
        "time": "2023-11-14T22:13:20Z",
        "region": "us-east-1",
        "resources": ["arn:aws:s3:::bkt"],
        "detail": {
            "version": "0",
            "bucket": {"name": "bkt"},
            "object": {"key": "a b/ü.json", "size": 5, "etag": put["ETag"].strip('"')},
            "request-id": s3.ctx.request_id,
            "requester": ACCOUNT,
            "source-ip-address": "127.0.0.1",
            "reason": "PutObject",
        },
    }
    event = json.loads(deleted["payload"])
    assert event["detail-type"] == "Object Deleted"
    assert (event["detail"]["reason"], event["detail"]["deletion-type"]) == ("DeleteObject", "Permanently Deleted")


def _entry(name: str, *events: str, **filters: str) -> dict[str, Any]:
    rules = [{"Name": key, "Value": value} for key, value in filters.items()]
    return {
        "Id": name,
        "LambdaFunctionArn": FUNCTION,
        "Events": list(events),
        "Filter": {"Key": {"FilterRules": rules}},
    }


PUT, ALL = "s3:ObjectCreated:Put", "s3:ObjectCreated:*"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([_entry("1", PUT), _entry("2", ALL)], "Configurations overlap"),
        ([_entry("1", PUT, prefix="a"), _entry("2", PUT, prefix="ab")], "Configuration is ambiguously defined"),
        ([_entry("1", PUT, suffix="png"), _entry("2", PUT, suffix=".png")], "Configuration is ambiguously defined"),
        ([_entry("1", PUT, prefix="a"), _entry("1", PUT, prefix="b")], "Same ID"),
        ([_entry("1", "s3:Nothing")], "The event is not supported"),
        ([_entry("1", "s3:ObjectCreated:Nothing")], "The event is not supported"),
        ([_entry("1", PUT, middle="x")], "must be either prefix or suffix"),
        ([_entry("1", PUT, prefix="x" * 1025)], "cannot exceed 1024 bytes"),
        ([{**_entry("1", PUT), "LambdaFunctionArn": "arn:aws:sqs:us-east-1:1:q"}], "The ARN is not well formed"),
        (
            [{**_entry("1", PUT), "LambdaFunctionArn": FUNCTION.replace("us-east-1", "eu-west-1")}],
            "region is not valid for the bucket location constraint",
        ),
    ],
)
async def test_wrong_configurations(s3: Bench, entries: list[dict[str, Any]], message: str) -> None:
    """InvalidArgument for each rule of the User Guide."""
    with pytest.raises(ServiceError, match=message) as raised:
        configuration = {"LambdaFunctionConfigurations": entries}
        await s3.call("PutBucketNotificationConfiguration", Bucket="bkt", NotificationConfiguration=configuration)
    assert raised.value.code == "InvalidArgument"
    assert await s3.call("GetBucketNotificationConfiguration", Bucket="bkt") == {}


async def test_disjoint_configurations_live_side_by_side(s3: Bench) -> None:
    """Different events, prefixes or suffixes may name one function or several; empty turns all off."""
    entries = [
        _entry("1", PUT, prefix="a/"),
        _entry("2", PUT, prefix="b/"),
        _entry("3", "s3:ObjectRemoved:*"),
        _entry("4", PUT, prefix="a/", suffix=".x") | {"Events": ["s3:ObjectCreated:Copy"]},
    ]
    configuration = {"LambdaFunctionConfigurations": entries}
    await s3.call("PutBucketNotificationConfiguration", Bucket="bkt", NotificationConfiguration=configuration)
    assert await s3.call("GetBucketNotificationConfiguration", Bucket="bkt") == configuration
    await s3.put("a/1")
    await s3.put("c/1")
    assert [record["s3"]["configurationId"] for record in _records(s3)] == ["1"]
    await s3.call("PutBucketNotificationConfiguration", Bucket="bkt", NotificationConfiguration={})
    await s3.put("a/1")
    assert len(s3.deliveries()) == 1
