"""Lifecycle rules: what they remove at which midnight, their events, and which rules are refused."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.s3.bench import Bench
from undercast.core.errors import ServiceError
from undercast.services.s3.expiry import due_at
from undercast.services.s3.housekeeping import expire_due
from undercast.services.s3.service import MANIFEST

DAY = 86_400.0
BIG = bytes(128 * 1024)


async def _rules(s3: Bench, *rules: dict[str, Any]) -> None:
    given = [{"Status": "Enabled", "Filter": {}, **rule} for rule in rules]
    await s3.call("PutBucketLifecycleConfiguration", Bucket="bkt", LifecycleConfiguration={"Rules": given})


async def _days_later(s3: Bench, days: float) -> None:
    s3.clock.advance(days * DAY)
    await expire_due(s3.s3)


async def _versioned(s3: Bench) -> None:
    await s3.call("PutBucketVersioning", Bucket="bkt", VersioningConfiguration={"Status": "Enabled"})


def test_an_age_is_rounded_up_to_midnight() -> None:
    """S3 User Guide: created 2014-01-15 10:30 UTC, three days: 2014-01-19 00:00 UTC."""
    created = datetime(2014, 1, 15, 10, 30, tzinfo=UTC).timestamp()
    assert due_at(created, 3) == datetime(2014, 1, 19, tzinfo=UTC).timestamp()


async def test_objects_expire_with_their_event(s3: Bench) -> None:
    """The clock starts at 22:13 UTC: an object of that day with Days 1 goes at the second midnight."""
    await s3.notify("s3:LifecycleExpiration:*")
    await _rules(s3, {"Expiration": {"Days": 1}, "Filter": {"Prefix": "tmp/"}})
    await s3.put("tmp/a")
    await s3.put("kept")
    await _days_later(s3, 1)
    assert await s3.keys() == ["kept", "tmp/a"]
    await _days_later(s3, 0.1)
    assert await s3.keys() == ["kept"]
    record = json.loads(s3.deliveries()[0]["payload"])["Records"][0]
    assert (record["eventName"], record["eventVersion"]) == ("LifecycleExpiration:Delete", "2.3")
    assert record["userIdentity"] == {"principalId": "s3.amazonaws.com"}


async def test_a_disabled_rule_does_nothing(s3: Bench) -> None:
    """Status Disabled."""
    await _rules(s3, {"Expiration": {"Days": 1}, "Status": "Disabled"})
    await s3.put("a")
    await _days_later(s3, 9)
    assert await s3.keys() == ["a"]


@pytest.mark.parametrize(
    ("chosen", "keys"),
    [
        ({"Tag": {"Key": "t", "Value": "1"}}, ["big", "other"]),
        ({"ObjectSizeGreaterThan": 5}, ["other", "tagged"]),
        ({"ObjectSizeGreaterThan": 6}, ["big", "other", "tagged"]),
        ({"ObjectSizeLessThan": 6}, ["big"]),
        ({"ObjectSizeLessThan": 7}, []),
        ({"And": {"Prefix": "ta", "Tags": [{"Key": "t", "Value": "1"}], "ObjectSizeLessThan": 9}}, ["big", "other"]),
    ],
)
async def test_filters_choose_objects(s3: Bench, chosen: dict[str, Any], keys: list[str]) -> None:
    """Prefix, tags and sizes, alone or with And."""
    await _rules(s3, {"Expiration": {"Days": 1}, "Filter": chosen})
    await s3.put("tagged", Tagging="t=1&u=2")
    await s3.put("other", Tagging="t=2")
    await s3.put("big", b"x" * 6)
    await _days_later(s3, 3)
    assert await s3.keys() == keys


async def test_a_date_expires_everything_older_and_newer(s3: Bench) -> None:
    """Expiration.Date acts from that midnight on."""
    await _rules(s3, {"Expiration": {"Date": datetime(2023, 11, 16, tzinfo=UTC)}})
    await s3.put("a")
    await _days_later(s3, 1)
    assert await s3.keys() == ["a"]
    await _days_later(s3, 1)
    assert await s3.keys() == []


async def test_versioned_buckets_get_markers_and_lose_old_versions(s3: Bench) -> None:
    """The current version gets a delete marker; noncurrent ones go; then the lone marker goes too."""
    await _versioned(s3)
    await s3.notify("s3:LifecycleExpiration:*")
    await _rules(
        s3,
        {"ID": "1", "Expiration": {"Days": 1}},
        {"ID": "2", "NoncurrentVersionExpiration": {"NoncurrentDays": 5}},
        {"ID": "3", "Expiration": {"ExpiredObjectDeleteMarker": True}},
    )
    await s3.put("a", b"1")
    await _days_later(s3, 2)
    listed = await s3.call("ListObjectVersions", Bucket="bkt")
    assert (len(listed["Versions"]), len(listed["DeleteMarkers"])) == (1, 1)
    await _days_later(s3, 6)
    listed = await s3.call("ListObjectVersions", Bucket="bkt")
    assert (len(listed["Versions"]), len(listed["DeleteMarkers"])) == (0, 1)
    await _days_later(s3, 1)
    listed = await s3.call("ListObjectVersions", Bucket="bkt")
    assert (listed["Versions"], listed["DeleteMarkers"]) == ([], [])
    names = [json.loads(row["payload"])["Records"][0]["eventName"] for row in s3.deliveries()]
    assert names[0] == "LifecycleExpiration:DeleteMarkerCreated"
    assert set(names[1:]) == {"LifecycleExpiration:Delete"}


@pytest.mark.parametrize(("prefix", "left"), [("a", 0), ("b", 1)])
async def test_a_lone_marker_goes_once_it_is_as_old_as_the_rules_objects(s3: Bench, prefix: str, left: int) -> None:
    """S3 User Guide, "Lifecycle configuration elements": Days alone does so too, without ExpiredObjectDeleteMarker."""
    await _versioned(s3)
    await _rules(s3, {"Expiration": {"Days": 3}, "Filter": {"Prefix": prefix}})
    await s3.call("DeleteObject", Bucket="bkt", Key="a")
    await _days_later(s3, 3)
    assert len((await s3.call("ListObjectVersions", Bucket="bkt"))["DeleteMarkers"]) == 1
    await _days_later(s3, 1)
    assert len((await s3.call("ListObjectVersions", Bucket="bkt"))["DeleteMarkers"]) == left


async def test_newer_noncurrent_versions_are_kept(s3: Bench) -> None:
    """NewerNoncurrentVersions: so many of the newest old versions stay."""
    await _versioned(s3)
    await _rules(s3, {"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 2}})
    for number in range(5):
        await s3.put("a", bytes([number]))
    await _days_later(s3, 3)
    assert len((await s3.call("ListObjectVersions", Bucket="bkt"))["Versions"]) == 3


async def test_abandoned_uploads_are_aborted(s3: Bench) -> None:
    """AbortIncompleteMultipartUpload frees the parts."""
    await _rules(s3, {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}})
    upload = await s3.call("CreateMultipartUpload", Bucket="bkt", Key="m")
    await s3.call("UploadPart", Bucket="bkt", Key="m", UploadId=upload["UploadId"], PartNumber=1, Body=b"x")
    await _days_later(s3, 1)
    assert len((await s3.call("ListMultipartUploads", Bucket="bkt"))["Uploads"]) == 1
    await _days_later(s3, 2)
    assert (await s3.call("ListMultipartUploads", Bucket="bkt"))["Uploads"] == []


async def test_a_running_service_expires_at_midnight(s3: Bench) -> None:
    """The manifest's start and stop own the task; advancing the platform clock wakes it."""
    assert MANIFEST.start is not None and MANIFEST.stop is not None
    await _rules(s3, {"Expiration": {"Days": 1}})
    await s3.put("a")
    await MANIFEST.start(s3.s3)
    try:
        async with asyncio.timeout(20):
            while await s3.keys():
                await asyncio.sleep(0.01)
                s3.clock.advance(DAY)
    finally:
        await MANIFEST.stop(s3.s3)
    assert await s3.keys() == []


TAG = {"Key": "k", "Value": "v"}
EXPIRES = {"Expiration": {"Days": 1}}


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({}, "InvalidRequest: At least one action"),
        ({"Expiration": {"Days": 0}}, "InvalidArgument: 'Days' for Expiration action must be a positive integer"),
        ({"Expiration": {"Date": datetime(2024, 1, 1, 5, tzinfo=UTC)}}, "InvalidArgument: 'Date' must be at midnight"),
        ({"Expiration": {"Days": 1}, "Prefix": "x"}, "MalformedXML"),
        ({"Expiration": {"Days": 1}, "Status": "On"}, "MalformedXML"),
        ({"Expiration": {"Days": 1, "ExpiredObjectDeleteMarker": True}}, "MalformedXML"),
        ({"Expiration": {"Days": 1}, "ID": "x" * 256}, "InvalidArgument: ID length"),
        ({"Transitions": [{"Days": 1, "StorageClass": "NOPE"}]}, "MalformedXML"),
        ({"Transitions": [{"StorageClass": "GLACIER"}]}, "MalformedXML"),
        (
            {"Transitions": [{"Days": -5, "StorageClass": "GLACIER"}]},
            "InvalidArgument: 'Days' in Transition action must be nonnegative",
        ),
        (
            {"NoncurrentVersionTransitions": [{"NoncurrentDays": 29, "StorageClass": "STANDARD_IA"}]},
            "InvalidArgument: 'NoncurrentDays' in NoncurrentVersionTransition action must be greater than or equal to",
        ),
        (
            {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}, "Filter": {"Tag": TAG}},
            "InvalidRequest: AbortIncompleteMultipartUpload cannot be specified with Tags.",
        ),
        (
            {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}, "Filter": {"ObjectSizeGreaterThan": 5}},
            "InvalidRequest: AbortIncompleteMultipartUpload cannot be specified with Object Size.",
        ),
        (
            {"Expiration": {"ExpiredObjectDeleteMarker": True}, "Filter": {"And": {"Prefix": "", "Tags": [TAG]}}},
            "InvalidRequest: ExpiredObjectDeleteMarker cannot be specified with Tags.",
        ),
        ({**EXPIRES, "Filter": {"Prefix": "a", "Tag": TAG}}, "MalformedXML"),
        ({**EXPIRES, "Filter": {"And": {"Prefix": "a"}}}, "MalformedXML"),
        ({**EXPIRES, "Filter": {"And": {"Tags": [TAG, TAG]}}}, "InvalidRequest: Duplicate Tag Keys are not allowed."),
        (
            {**EXPIRES, "Filter": {"And": {"ObjectSizeGreaterThan": 5, "ObjectSizeLessThan": 5}}},
            "InvalidRequest: 'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.",
        ),
        (
            {**EXPIRES, "Filter": {"ObjectSizeLessThan": 0}},
            "InvalidRequest: 'ObjectSizeLessThan' should be between 1 and",
        ),
        (
            {"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": -1}},
            "InvalidArgument: NewerNoncurrentVersions must be a positive integer",
        ),
        (
            {"Transitions": [{"Days": 1, "StorageClass": "GLACIER"}, {"Days": 2, "StorageClass": "GLACIER"}]},
            r"InvalidRequest: 'StorageClass' must be different for 'Transition' .* with filter '\(prefix=\)'",
        ),
        (
            {"Transitions": [{"Days": 30, "StorageClass": "GLACIER"}, {"Days": 90, "StorageClass": "STANDARD_IA"}]},
            "InvalidArgument: 'Days' in the Transition action for StorageClass 'GLACIER' .* must be greater than",
        ),
        (
            {"Transitions": [{"Days": 90, "StorageClass": "GLACIER"}], "Expiration": {"Days": 90}},
            r"InvalidArgument: 'Days' in the Expiration action for filter '\(prefix=\)' must be greater than 'Days'",
        ),
        (
            {
                "Transitions": [{"Days": 9, "StorageClass": "GLACIER"}],
                "Expiration": {"Date": datetime(2030, 1, 1, tzinfo=UTC)},
            },
            "InvalidRequest: Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle",
        ),
        (
            {
                "NoncurrentVersionTransitions": [{"NoncurrentDays": 9, "StorageClass": "GLACIER"}],
                "NoncurrentVersionExpiration": {"NoncurrentDays": 9},
                "Filter": {"And": {"Prefix": "a", "Tags": [TAG], "ObjectSizeLessThan": 7}},
            },
            r"filter '\(prefix=a and tag=\{key=k, value=v\} and objectsizelessthan=7\)' must be greater than",
        ),
    ],
)
async def test_wrong_rules(s3: Bench, rule: dict[str, Any], code: str) -> None:
    """API_PutBucketLifecycleConfiguration."""
    with pytest.raises(ServiceError, match=code):
        await _rules(s3, rule)


@pytest.mark.parametrize(
    ("second", "text"),
    [("Prefix", "Base level prefix cannot be used"), ("Filter", "Filter element can only be used")],
)
async def test_rules_are_of_one_form(s3: Bench, second: str, text: str) -> None:
    """With a prefix each, as older tools write them, or with a filter."""
    filters, prefixes = {**EXPIRES, "ID": "f", "Filter": {}}, {**EXPIRES, "ID": "p", "Prefix": "a"}
    rules = [filters, prefixes] if second == "Prefix" else [prefixes, filters]
    with pytest.raises(ServiceError, match=text):
        await s3.call(
            "PutBucketLifecycleConfiguration",
            Bucket="bkt",
            LifecycleConfiguration={"Rules": [{**rule, "Status": "Enabled"} for rule in rules]},
        )


async def test_objects_move_to_their_storage_class_with_an_event(s3: Bench) -> None:
    """Of two transitions that are due the colder wins; what is under 128 KB stays, unless the filter says a size."""
    await s3.notify("s3:LifecycleTransition")
    glacier = {"Days": 5, "StorageClass": "GLACIER"}
    await _rules(s3, {"Transitions": [{"Days": 1, "StorageClass": "GLACIER_IR"}, glacier]})
    await s3.put("big", BIG)
    await s3.put("small")
    await _days_later(s3, 2)
    head = await s3.call("HeadObject", Bucket="bkt", Key="big")
    assert head["StorageClass"] == "GLACIER_IR"
    assert (await s3.get("big"))["Body"] == BIG
    await _days_later(s3, 9)
    with pytest.raises(ServiceError, match="InvalidObjectState"):
        await s3.get("big")
    assert "StorageClass" not in await s3.get("small")
    names = [json.loads(row["payload"])["Records"][0]["eventName"] for row in s3.deliveries()]
    assert names == ["LifecycleTransition", "LifecycleTransition"]
    await _rules(s3, {"Transitions": [glacier], "Filter": {"ObjectSizeGreaterThan": 0}})
    await _days_later(s3, 1)
    assert (await s3.call("HeadObject", Bucket="bkt", Key="small"))["StorageClass"] == "GLACIER"


async def test_old_versions_move_and_nothing_moves_back(s3: Bench) -> None:
    """NoncurrentVersionTransitions count from the day that a version was superseded; the waterfall has one way."""
    await _versioned(s3)
    await _rules(
        s3,
        {"ID": "1", "NoncurrentVersionTransitions": [{"NoncurrentDays": 3, "StorageClass": "GLACIER_IR"}]},
        {"ID": "2", "Transitions": [{"Days": 40, "StorageClass": "STANDARD_IA"}], "Filter": {"Prefix": "cold"}},
    )
    await s3.put("a", BIG)
    await s3.put("a", BIG)
    await s3.put("cold", BIG, StorageClass="GLACIER_IR")
    await _days_later(s3, 60)
    listed = await s3.call("ListObjectVersions", Bucket="bkt")
    found = [(entry["Key"], entry["IsLatest"], entry["StorageClass"]) for entry in listed["Versions"]]
    assert found == [("a", True, "STANDARD"), ("a", False, "GLACIER_IR"), ("cold", True, "GLACIER_IR")]


async def test_small_objects_may_be_archived_where_the_minimum_varies(s3: Bench) -> None:
    """x-amz-transition-default-minimum-object-size: varies_by_storage_class; another word is refused."""
    rule = {"Status": "Enabled", "Filter": {}, "Transitions": [{"Days": 0, "StorageClass": "DEEP_ARCHIVE"}]}
    params: dict[str, Any] = {"Bucket": "bkt", "LifecycleConfiguration": {"Rules": [rule]}}
    minimum = "TransitionDefaultMinimumObjectSize"
    with pytest.raises(ServiceError, match="InvalidRequest"):
        await s3.call("PutBucketLifecycleConfiguration", **params, **{minimum: "none"})
    await s3.call("PutBucketLifecycleConfiguration", **params, **{minimum: "varies_by_storage_class"})
    await s3.put("small")
    await _days_later(s3, 2)
    assert (await s3.call("HeadObject", Bucket="bkt", Key="small"))["StorageClass"] == "DEEP_ARCHIVE"


async def test_bucket_deleted_during_the_night_does_not_end_it_for_the_others(
    s3: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rules are looked at bucket by bucket, while requests go on."""
    await _rules(s3, {"Expiration": {"Days": 1}})
    await s3.put("a")
    await s3.call("CreateBucket", Bucket="aaa-first")
    rules = {"Rules": [{"ID": "x", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}]}
    await s3.call("PutBucketLifecycleConfiguration", Bucket="aaa-first", LifecycleConfiguration=rules)
    await s3.call("PutObject", Bucket="aaa-first", Key="b", Body=b"b")
    find = s3.s3.buckets.find
    # The bucket that has the name at the commit is another than the one whose rules were read.
    monkeypatch.setattr(
        s3.s3.buckets,
        "find",
        lambda name: replace(found, created_at=0.0) if (found := find(name)) and name == "aaa-first" else found,
    )
    await _days_later(s3, 3)
    assert await s3.keys() == []
