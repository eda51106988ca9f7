"""Our S3 event beside AWS's documented example, key by key, by way of aws-lambda-go's own type.

The example is events/testdata/s3-event.json of the module.
AWS: S3 User Guide, "Event message structure".
"""

import re
from typing import Any

import pytest

from tests.e2e.rows.go_types import GoTypes, paths
from tests.e2e.rows.pipeline import Pipeline
from tests.e2e.rows.test_s1 import RECORDER, add_stage, recorded
from tests.platform import RunningPlatform

ONLY_IN_GO = "Records[].s3.object.urlDecodedKey"
"""The type adds it when it decodes; no event has it."""


@pytest.fixture
def example(go: GoTypes) -> Any:
    """AWS's example."""
    return go.example("s3-event")


@pytest.fixture
def ours(platform: RunningPlatform, account: str) -> dict[str, Any]:
    """The event of a put into a versioned bucket, as a function got it."""
    pipeline = Pipeline(platform=platform, account=account)
    pipeline.create_buckets()
    s3 = pipeline.client("s3")
    s3.put_bucket_versioning(Bucket=pipeline.producer, VersioningConfiguration={"Status": "Enabled"})
    stage = add_stage(pipeline, pipeline.producer, "recorder", RECORDER)
    s3.put_object(Bucket=pipeline.producer, Key="Happy Face+ü.jpg", Body=b"1234")
    platform.drain()
    return {"Records": recorded(stage)}


def test_the_event_has_the_examples_keys(ours: dict[str, Any], example: Any, go: GoTypes) -> None:
    """Neither more nor fewer, before and after the Go type."""
    assert paths(ours) == paths(example)
    assert paths(go.through("S3Event", ours)) == paths(go.through("S3Event", example)) == paths(ours) | {ONLY_IN_GO}


def test_gos_type_loses_nothing(ours: dict[str, Any], go: GoTypes) -> None:
    """What it writes again is what we sent; it decodes the key to what was put."""
    again = go.through("S3Event", ours)
    assert again["Records"][0]["s3"]["object"].pop("urlDecodedKey") == "Happy Face+ü.jpg"
    # Go writes times without trailing zeros.
    sent, got = ours["Records"][0].pop("eventTime"), again["Records"][0].pop("eventTime")
    assert re.sub(r"\.?0*Z$", "Z", sent) == got
    assert again == ours


def test_values_have_the_examples_types_and_forms(ours: dict[str, Any], example: Any) -> None:
    """Strings are strings, the size is a number, eventName has no "s3:", the key is encoded, the ETag has no quotes."""
    found, expected = leaves(ours), leaves(example)
    assert {path: type(value) for path, value in found.items()} == {
        path: type(value) for path, value in expected.items()
    }
    record = ours["Records"][0]
    assert record["eventName"] == example["Records"][0]["eventName"] == "ObjectCreated:Put"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["eventTime"])
    described = record["s3"]["object"]
    assert (described["key"], described["size"]) == ("Happy+Face%2B%C3%BC.jpg", 4)
    assert described["eTag"] == "81dc9bdb52d04dc20036dbd8313ed055"
    assert re.fullmatch(r"[0-9A-F]+", described["sequencer"])
    assert record["s3"]["bucket"]["arn"] == f"arn:aws:s3:::{record['s3']['bucket']['name']}"


def leaves(value: Any, prefix: str = "") -> dict[str, Any]:
    """Every value by its path."""
    if isinstance(value, list):
        return {path: leaf for item in value for path, leaf in leaves(item, f"{prefix}[]").items()}
    if isinstance(value, dict):
        return {path: leaf for name, item in value.items() for path, leaf in leaves(item, f"{prefix}.{name}").items()}
    return {prefix: value}
