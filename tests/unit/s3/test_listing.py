"""Listings: pages, prefixes, delimiters, markers, and what a page costs."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.s3.bench import Bench
from undercast.core.errors import ServiceError
from undercast.services.s3.keys import successor, url_encoded
from undercast.services.s3.listing import Page, Query, Source, page, start_after

TEXT = st.text(alphabet="ab/é\U0001f98a", max_size=5)


class Keys:
    """Sorted keys that count how many rows were read."""

    def __init__(self, keys: set[str]) -> None:
        self.keys = sorted(keys, key=str.encode)
        self.read = 0

    def seek(self, start: str) -> Iterator[str]:
        for key in self.keys:
            if key.encode() >= start.encode():
                self.read += 1
                yield key

    def page(self, query: Query, marker: str) -> Page[str]:
        source: Source[str] = Source(seek=self.seek, key_of=str)
        start = start_after(marker, query) if marker else query.prefix
        return page(iter(()) if start is None else self.seek(start), source, query)


def _expected(keys: set[str], query: Query) -> list[str]:
    """What a listing shows, by definition: keys and common prefixes in order."""
    shown: list[str] = []
    for key in sorted(keys, key=str.encode):
        if not key.startswith(query.prefix):
            continue
        end = key.find(query.delimiter, len(query.prefix)) if query.delimiter else -1
        item = key if end < 0 else key[: end + len(query.delimiter)]
        if item not in shown:
            shown.append(item)
    return shown


@settings(max_examples=300)
@given(st.sets(TEXT.filter(bool), max_size=12), TEXT, st.sampled_from(["", "/", "a", "b/"]), st.integers(1, 4))
def test_pages_together_show_everything_once(keys: set[str], prefix: str, delimiter: str, limit: int) -> None:
    """Whatever the page size, markers neither lose nor repeat a key or a common prefix."""
    query = Query(prefix=prefix, delimiter=delimiter, limit=limit)
    shown: list[str] = []
    marker = ""
    for _ in range(len(keys) + 1):
        source = Keys(keys)
        found = source.page(query, marker)
        items = sorted([*found.entries, *found.prefixes], key=str.encode)
        assert len(items) <= limit
        assert source.read <= 2 * (limit + 1)
        shown += items
        if not found.truncated:
            break
        assert isinstance(found.last, str)
        marker = found.last
    assert shown == _expected(keys, query)


@given(st.text(max_size=4), st.text(max_size=4))
def test_the_successor_bounds_exactly_the_prefixed(prefix: str, rest: str) -> None:
    """Every text with the prefix is less than its successor, in the order of UTF-8."""
    bound = successor(prefix)
    if bound is None:
        assert prefix.strip("\U0010ffff") == ""
        return
    assert (prefix + rest).encode() < bound.encode()
    assert not bound.startswith(prefix)


@pytest.mark.parametrize(
    ("key", "encoded"),
    [("a b/c+d", "a+b/c%2Bd"), ("é", "%C3%A9"), ("a=b&c", "a%3Db%26c"), ("(1)'!*", "%281%29%27%21*")],
)
def test_keys_are_encoded_as_s3_does(key: str, encoded: str) -> None:
    """EncodingType=url and event records: form encoding that keeps the slash."""
    assert url_encoded(key) == encoded


async def _fill(s3: Bench, *keys: str) -> None:
    for key in keys:
        await s3.put(key, b"x")


async def test_list_v2_pages_with_a_token(s3: Bench) -> None:
    """NextContinuationToken only when truncated; KeyCount counts keys and prefixes."""
    await _fill(s3, "a", "b/1", "b/2", "c", "d")
    first = await s3.call("ListObjectsV2", Bucket="bkt", Delimiter="/", MaxKeys=2)
    assert ([entry["Key"] for entry in first["Contents"]], first["CommonPrefixes"]) == (["a"], [{"Prefix": "b/"}])
    assert (first["KeyCount"], first["IsTruncated"]) == (2, True)
    second = await s3.call(
        "ListObjectsV2", Bucket="bkt", Delimiter="/", MaxKeys=2, ContinuationToken=first["NextContinuationToken"]
    )
    assert [entry["Key"] for entry in second["Contents"]] == ["c", "d"]
    assert second["IsTruncated"] is False and "NextContinuationToken" not in second
    assert "Owner" not in second["Contents"][0]
    assert await s3.keys(StartAfter="b/1") == ["b/2", "c", "d"]
    with pytest.raises(ServiceError, match="continuation token"):
        await s3.call("ListObjectsV2", Bucket="bkt", ContinuationToken="\u00e9")


async def test_list_v1_gives_next_marker_only_with_a_delimiter(s3: Bench) -> None:
    """API_ListObjects: "This element is returned only if you have the delimiter request parameter specified"."""
    await _fill(s3, "a/1", "b/1", "c")
    got = await s3.call("ListObjects", Bucket="bkt", MaxKeys=1)
    assert got["IsTruncated"] is True and "NextMarker" not in got
    assert "Owner" in got["Contents"][0]
    got = await s3.call("ListObjects", Bucket="bkt", MaxKeys=1, Delimiter="/")
    assert (got["NextMarker"], got["CommonPrefixes"]) == ("a/", [{"Prefix": "a/"}])
    got = await s3.call("ListObjects", Bucket="bkt", MaxKeys=1, Delimiter="/", Marker="a/")
    assert got["CommonPrefixes"] == [{"Prefix": "b/"}]


async def test_keys_are_ordered_by_their_utf8(s3: Bench) -> None:
    """UTF-8 binary order, in which U+FFFD comes before U+1F98A (UTF-16 would turn them round)."""
    await _fill(s3, "\U0001f98a", "\ufffd", "Z", "a")
    assert await s3.keys() == ["Z", "a", "\ufffd", "\U0001f98a"]


async def test_encoding_type_url_encodes_every_name(s3: Bench) -> None:
    """Keys, prefixes, delimiter and markers."""
    await _fill(s3, "a b/1", "a\x01")
    got = await s3.call("ListObjectsV2", Bucket="bkt", EncodingType="url", Delimiter="/", StartAfter="a a")
    assert got["CommonPrefixes"] == [{"Prefix": "a+b/"}] and got["EncodingType"] == "url"
    assert got["StartAfter"] == "a+a"
    got = await s3.call("ListObjects", Bucket="bkt", EncodingType="url")
    assert [entry["Key"] for entry in got["Contents"]] == ["a%01", "a+b/1"]


async def test_an_empty_encoding_or_token_is_refused(s3: Bench) -> None:
    """Measured at S3, 2026-09: "url" may be written in any way and is told as it was sent."""
    for params, told in (
        ({"EncodingType": ""}, "Invalid Encoding Method specified in Request"),
        ({"ContinuationToken": ""}, "The continuation token provided is incorrect"),
    ):
        with pytest.raises(ServiceError, match=f"InvalidArgument: {told}"):
            await s3.call("ListObjectsV2", Bucket="bkt", **params)
    assert (await s3.call("ListObjectsV2", Bucket="bkt", EncodingType="URL"))["EncodingType"] == "URL"


@pytest.mark.parametrize("operation", ["ListObjects", "ListObjectsV2", "ListObjectVersions"])
async def test_max_keys(s3: Bench, operation: str) -> None:
    """0 is an empty page that is not truncated; more than 1,000 is 1,000; less than 0 is InvalidArgument."""
    await _fill(s3, "a")
    got = await s3.call(operation, Bucket="bkt", MaxKeys=0)
    assert (got["IsTruncated"], got["MaxKeys"]) == (False, 0)
    assert (await s3.call(operation, Bucket="bkt", MaxKeys=5000))["MaxKeys"] == 1000
    versions = operation == "ListObjectVersions"
    text = "max-keys cannot be negative" if versions else "Argument maxKeys must be an integer between 0 and 2147483647"
    with pytest.raises(ServiceError, match=f"InvalidArgument: {text}"):
        await s3.call(operation, Bucket="bkt", MaxKeys=-1)


async def test_buckets_are_listed_by_page(s3: Bench) -> None:
    """ListBuckets pages by MaxBuckets, filters by prefix and region; other accounts' buckets are not there."""
    for name, region in (("bkt-2", "us-east-1"), ("other", "us-east-1"), ("bkt-eu", "eu-west-1")):
        here = s3.as_account("123456789012", region)
        place: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        await here.call("CreateBucket", Bucket=name, **(place if region != "us-east-1" else {}))
    await s3.as_account("999999999999").call("CreateBucket", Bucket="foreign")
    got = await s3.call("ListBuckets")
    assert [entry["Name"] for entry in got["Buckets"]] == ["bkt", "bkt-2", "bkt-eu", "other"]
    got = await s3.call("ListBuckets", Prefix="bkt", MaxBuckets=2)
    assert [entry["Name"] for entry in got["Buckets"]] == ["bkt", "bkt-2"]
    got = await s3.call("ListBuckets", Prefix="bkt", ContinuationToken=got["ContinuationToken"])
    assert [entry["Name"] for entry in got["Buckets"]] == ["bkt-eu"] and "ContinuationToken" not in got
    got = await s3.call("ListBuckets", BucketRegion="eu-west-1")
    assert [entry["BucketRegion"] for entry in got["Buckets"]] == ["eu-west-1"]
