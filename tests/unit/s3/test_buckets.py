"""Buckets: creation, the global namespace, regions, deletion, and their configurations with AWS's defaults."""

from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeClock
from tests.state import open_state
from tests.unit.s3.bench import ACCOUNT, Bench, bench_on
from undercast.core.errors import ServiceError
from undercast.core.identity import anonymous_principal
from undercast.services.s3.operations.buckets import MAX_BUCKETS
from undercast.services.s3.schema import SCHEMA
from undercast.services.s3.service import MANIFEST


@pytest.mark.parametrize(
    "name", ["ab", "a" * 64, "Upper", "under_score", "-a-", "a..b", "192.168.5.4", "xn--a", "bkt-s3alias", "a.-"]
)
async def test_bad_bucket_names(s3: Bench, name: str) -> None:
    """S3 User Guide, "General purpose bucket naming rules"."""
    with pytest.raises(ServiceError) as raised:
        await s3.call("CreateBucket", Bucket=name)
    assert (raised.value.code, raised.value.members) == ("InvalidBucketName", {"BucketName": name})


async def test_the_location_constraint_names_the_region(s3: Bench) -> None:
    """us-east-1 has none; elsewhere it must be the region of the request."""
    west = s3.as_account("123456789012", "us-west-2")
    with pytest.raises(ServiceError, match="the region 'US' is wrong; expecting 'us-east-1'") as raised:
        await s3.as_account("123456789012", "US").call("CreateBucket", Bucket="west")
    assert (raised.value.code, raised.value.members) == ("AuthorizationHeaderMalformed", {"Region": "us-east-1"})
    with pytest.raises(ServiceError, match="IllegalLocationConstraintException: The unspecified location constraint"):
        await west.call("CreateBucket", Bucket="west")
    with pytest.raises(ServiceError, match="IllegalLocationConstraintException: The eu-west-1 location constraint"):
        await west.call("CreateBucket", Bucket="west", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for constraint in ("us-east-1", "nowhere"):
        with pytest.raises(ServiceError, match="InvalidLocationConstraint"):
            await s3.call("CreateBucket", Bucket="x-y", CreateBucketConfiguration={"LocationConstraint": constraint})
    created = await west.call(
        "CreateBucket", Bucket="west", CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
    )
    assert created["Location"] == "http://west.s3.amazonaws.com/"
    assert await s3.call("GetBucketLocation", Bucket="west") == {"LocationConstraint": "us-west-2"}
    assert await s3.call("GetBucketLocation", Bucket="bkt") == {}


async def test_creating_twice(s3: Bench) -> None:
    """In us-east-1 one's own bucket is created again with 200; elsewhere BucketAlreadyOwnedByYou."""
    assert (await s3.call("CreateBucket", Bucket="bkt"))["Location"] == "/bkt"
    west = s3.as_account("123456789012", "us-west-2")
    place = {"CreateBucketConfiguration": {"LocationConstraint": "us-west-2"}}
    await west.call("CreateBucket", Bucket="west", **place)
    with pytest.raises(ServiceError) as raised:
        await west.call("CreateBucket", Bucket="west", **place)
    assert (raised.value.code, raised.value.status) == ("BucketAlreadyOwnedByYou", 409)
    with pytest.raises(ServiceError) as raised:
        await s3.as_account("999999999999").call("CreateBucket", Bucket="bkt")
    assert (raised.value.code, raised.value.status) == ("BucketAlreadyExists", 409)


async def test_another_region_is_told_where_the_bucket_is(s3: Bench) -> None:
    """301 PermanentRedirect with x-amz-bucket-region, by which SDKs find the region."""
    west = s3.as_account("123456789012", "us-west-2")
    with pytest.raises(ServiceError) as raised:
        await west.call("HeadBucket", Bucket="bkt")
    assert (raised.value.code, raised.value.status) == ("PermanentRedirect", 301)
    assert raised.value.headers == {"x-amz-bucket-region": "us-east-1"}
    assert (await s3.call("HeadBucket", Bucket="bkt"))["BucketRegion"] == "us-east-1"


async def test_only_an_empty_bucket_can_be_deleted(s3: Bench) -> None:
    """409 BucketNotEmpty with BucketName (S1-31); old versions and delete markers count, unfinished uploads do not."""
    await s3.put("a")
    with pytest.raises(ServiceError) as raised:
        await s3.call("DeleteBucket", Bucket="bkt")
    assert (raised.value.code, raised.value.status) == ("BucketNotEmpty", 409)
    assert raised.value.message == "The bucket you tried to delete is not empty"
    assert raised.value.members == {"BucketName": "bkt"}
    await s3.call("DeleteObject", Bucket="bkt", Key="a")
    upload = await s3.call("CreateMultipartUpload", Bucket="bkt", Key="u")
    await s3.call("UploadPart", Bucket="bkt", Key="u", UploadId=upload["UploadId"], PartNumber=1, Body=b"x" * 40000)
    await s3.call("DeleteBucket", Bucket="bkt")
    with pytest.raises(ServiceError, match="NoSuchBucket"):
        await s3.call("HeadBucket", Bucket="bkt")
    assert s3.state.database.read_now(lambda tx: tx.all("SELECT * FROM s3_bucket_configuration")) == []


ABSENT = [
    ("GetBucketPolicy", "NoSuchBucketPolicy", "The bucket policy does not exist"),
    ("GetBucketCors", "NoSuchCORSConfiguration", "The CORS configuration does not exist"),
    (
        "GetBucketWebsite",
        "NoSuchWebsiteConfiguration",
        "The specified bucket does not have a website configuration",
    ),
    ("GetBucketLifecycleConfiguration", "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist"),
    (
        "GetBucketReplication",
        "ReplicationConfigurationNotFoundError",
        "The replication configuration was not found",
    ),
    (
        "GetObjectLockConfiguration",
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
    ),
    ("GetBucketTagging", "NoSuchTagSet", "The TagSet does not exist"),
]


@pytest.mark.parametrize(("operation", "code", "message"), ABSENT)
async def test_absent_configurations_answer_as_aws(s3: Bench, operation: str, code: str, message: str) -> None:
    """Terraform's aws_s3_bucket reads them all and expects these 404 codes (systems.md 2.1)."""
    with pytest.raises(ServiceError) as raised:
        await s3.call(operation, Bucket="bkt")
    assert (raised.value.code, raised.value.message, raised.value.status) == (code, message, 404)


async def test_defaults_of_a_new_bucket(s3: Bench) -> None:
    """Defaults of today: SSE-S3, BucketOwnerEnforced, public access blocked; the rest is empty."""
    rules = (await s3.call("GetBucketEncryption", Bucket="bkt"))["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    ownership = (await s3.call("GetBucketOwnershipControls", Bucket="bkt"))["OwnershipControls"]
    assert ownership == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    blocked = (await s3.call("GetPublicAccessBlock", Bucket="bkt"))["PublicAccessBlockConfiguration"]
    assert set(blocked.values()) == {True}
    for operation in ("GetBucketVersioning", "GetBucketLogging", "GetBucketAccelerateConfiguration"):
        assert await s3.call(operation, Bucket="bkt") == {}
    assert await s3.call("GetBucketNotificationConfiguration", Bucket="bkt") == {}
    assert await s3.call("GetBucketRequestPayment", Bucket="bkt") == {"Payer": "BucketOwner"}
    acl = await s3.call("GetBucketAcl", Bucket="bkt")
    assert [grant["Permission"] for grant in acl["Grants"]] == ["FULL_CONTROL"]
    assert acl["Grants"][0]["Grantee"]["ID"] == acl["Owner"]["ID"]


async def test_the_profile_of_2019_has_the_old_defaults(tmp_path: Path, clock: FakeClock) -> None:
    """No default encryption, ACLs on, nothing blocked, no checksum unless one was sent."""
    folder = tmp_path / "old"
    folder.mkdir()
    async with open_state(folder, clock, schemas={"s3": SCHEMA}) as state:
        old = bench_on(state, clock, "2019")
        await old.call("CreateBucket", Bucket="bkt", ACL="public-read")
        with pytest.raises(ServiceError) as raised:
            await old.call("GetBucketEncryption", Bucket="bkt")
        assert raised.value.code == "ServerSideEncryptionConfigurationNotFoundError"
        assert raised.value.message == "The server side encryption configuration was not found"
        put = await old.put("a", ACL="public-read")
        assert set(put) == {"ETag"}
        grants = (await old.call("GetObjectAcl", Bucket="bkt", Key="a"))["Grants"]
        assert [grant["Permission"] for grant in grants] == ["FULL_CONTROL", "READ"]


TAGS = {"TagSet": [{"Key": "a", "Value": "b"}]}
CORS = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
WEBSITE = {"IndexDocument": {"Suffix": "index.html"}}
RULES = {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}]}
SIZES = {"TransitionDefaultMinimumObjectSize": "all_storage_classes_128K"}
LIFECYCLE = "LifecycleConfiguration"
CONFIGURATIONS: list[tuple[str, str, str, dict[str, Any], dict[str, Any]]] = [
    ("Tagging", "Tagging", "Tagging", {"Tagging": TAGS}, TAGS),
    ("Cors", "Cors", "Cors", {"CORSConfiguration": CORS}, CORS),
    ("Website", "Website", "Website", {"WebsiteConfiguration": WEBSITE}, WEBSITE),
    (LIFECYCLE, LIFECYCLE, "Lifecycle", {LIFECYCLE: RULES}, {**RULES, **SIZES}),
]


@pytest.mark.parametrize(("put", "get", "delete", "given", "expected"), CONFIGURATIONS)
async def test_configurations_are_read_back_and_removed(
    s3: Bench, put: str, get: str, delete: str, given: dict[str, Any], expected: dict[str, Any]
) -> None:
    """Put, get, delete, and gone again."""
    await s3.call(f"PutBucket{put}", Bucket="bkt", **given)
    assert await s3.call(f"GetBucket{get}", Bucket="bkt") == expected
    await s3.call(f"DeleteBucket{delete}", Bucket="bkt")
    with pytest.raises(ServiceError, match="NoSuch"):
        await s3.call(f"GetBucket{get}", Bucket="bkt")


async def test_configurations_that_are_kept_whole(s3: Bench) -> None:
    """Request payment, acceleration, encryption, ownership, public access block."""
    await s3.call("PutBucketRequestPayment", Bucket="bkt", RequestPaymentConfiguration={"Payer": "Requester"})
    assert await s3.call("GetBucketRequestPayment", Bucket="bkt") == {"Payer": "Requester"}
    await s3.call("PutBucketAccelerateConfiguration", Bucket="bkt", AccelerateConfiguration={"Status": "Suspended"})
    assert await s3.call("GetBucketAccelerateConfiguration", Bucket="bkt") == {"Status": "Suspended"}
    await s3.call("DeletePublicAccessBlock", Bucket="bkt")
    with pytest.raises(ServiceError, match="NoSuchPublicAccessBlockConfiguration"):
        await s3.call("GetPublicAccessBlock", Bucket="bkt")
    await s3.call("DeleteBucketOwnershipControls", Bucket="bkt")
    with pytest.raises(ServiceError, match="OwnershipControlsNotFoundError"):
        await s3.call("GetBucketOwnershipControls", Bucket="bkt")
    await s3.call("DeleteBucketEncryption", Bucket="bkt")
    assert "Rules" in (await s3.call("GetBucketEncryption", Bucket="bkt"))["ServerSideEncryptionConfiguration"]


async def test_what_is_missing_is_refused_by_name(s3: Bench) -> None:
    """I9: never an empty success."""
    logging = {"LoggingEnabled": {"TargetBucket": "bkt", "TargetPrefix": ""}}
    for operation, params, name in (
        ("PutBucketLogging", {"BucketLoggingStatus": logging}, "LoggingEnabled"),
        ("CreateBucket", {"ObjectLockEnabledForBucket": True}, "ObjectLockEnabledForBucket"),
    ):
        with pytest.raises(ServiceError) as raised:
            await s3.call(operation, Bucket="bkt", **params)
        assert raised.value.code == "NotImplemented" and name in raised.value.message


@pytest.mark.parametrize(
    "extra", [{"BucketKeyEnabled": True}, {"BlockedEncryptionTypes": {"EncryptionType": ["SSE-C"]}}]
)
async def test_nested_members_that_change_nothing_with_sse_s3_are_kept(s3: Bench, extra: dict[str, Any]) -> None:
    """A bucket key matters to SSE-KMS alone; SSE-C is refused to every object whether it is blocked or not."""
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, **extra}
    await s3.call("PutBucketEncryption", Bucket="bkt", ServerSideEncryptionConfiguration={"Rules": [rule]})
    got = (await s3.call("GetBucketEncryption", Bucket="bkt"))["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert got.items() >= extra.items()


@pytest.mark.parametrize(
    ("operation", "params", "code"),
    [
        ("PutBucketOwnershipControls", {"OwnershipControls": {"Rules": [{"ObjectOwnership": "Foo"}]}}, "MalformedXML"),
        ("CreateBucket", {"ObjectOwnership": "Foo"}, "InvalidArgument: Invalid x-amz-object-ownership header: Foo"),
        ("ListObjectsV2", {"EncodingType": "foo"}, "InvalidArgument: Invalid Encoding Method"),
        ("PutBucketRequestPayment", {"RequestPaymentConfiguration": {"Payer": "Foo"}}, "MalformedXML"),
    ],
)
async def test_unknown_values_are_refused(s3: Bench, operation: str, params: dict[str, Any], code: str) -> None:
    """Of an enum, in a document or in a header."""
    with pytest.raises(ServiceError, match=code):
        await s3.call(operation, Bucket="bkt", **params)


async def test_an_account_has_ten_thousand_buckets(s3: Bench) -> None:
    """The default quota since November 2024; another account still has room."""
    rows = [(ACCOUNT, "us-east-1", f"b-{number}", 0.0) for number in range(MAX_BUCKETS - 1)]
    insert = "INSERT INTO s3_bucket (account_id, region, name, created_at) VALUES (?, ?, ?, ?)"
    await s3.state.database.write(lambda tx: tx.insert_many(insert, rows))
    with pytest.raises(ServiceError, match="TooManyBuckets"):
        await s3.call("CreateBucket", Bucket="one-more")
    await s3.as_account("999999999999").call("CreateBucket", Bucket="one-more")


async def test_who_is_not_the_owner_must_say_that_he_pays(s3: Bench) -> None:
    """403 without x-amz-request-payer, x-amz-request-charged with it; the owner needs neither, nobody anonymous may."""
    await s3.put("a")
    await s3.call("PutBucketRequestPayment", Bucket="bkt", RequestPaymentConfiguration={"Payer": "Requester"})
    stranger = s3.as_account("999999999999")
    with pytest.raises(ServiceError, match="AccessDenied") as raised:
        await stranger.get("a")
    assert raised.value.status == 403
    assert (await stranger.get("a", RequestPayer="requester"))["RequestCharged"] == "requester"
    assert (await stranger.put("b", RequestPayer="requester"))["RequestCharged"] == "requester"
    assert "RequestCharged" not in await s3.get("a", RequestPayer="requester")
    await stranger.call("CreateBucket", Bucket="theirs")
    with pytest.raises(ServiceError, match="AccessDenied"):
        await stranger.call("CopyObject", Bucket="theirs", Key="c", CopySource="bkt/a")
    await stranger.call("CopyObject", Bucket="theirs", Key="c", CopySource="bkt/a", RequestPayer="requester")
    with pytest.raises(ServiceError, match="AccessDenied"):
        await s3.called_by(anonymous_principal(ACCOUNT)).get("a", RequestPayer="requester")


async def test_tags_are_checked(s3: Bench) -> None:
    """InvalidTag for doubles, lengths and aws:; ten tags on an object, fifty on a bucket."""
    await s3.put("a", Tagging="k=v&e=")
    assert await s3.call("GetObjectTagging", Bucket="bkt", Key="a") == {
        "TagSet": [{"Key": "k", "Value": "v"}, {"Key": "e", "Value": ""}]
    }
    many = [{"Key": str(n), "Value": ""} for n in range(11)]
    for tag_set, code in (
        ([{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}], "InvalidTag"),
        ([{"Key": "aws:x", "Value": ""}], "InvalidTag"),
        ([{"Key": "k" * 129, "Value": ""}], "InvalidTag"),
        ([{"Key": "k\tx", "Value": ""}], "InvalidTag"),
        ([{"Key": "k", "Value": "two\nlines"}], "InvalidTag"),
        ([{"Key": "k", "Value": "v" * 257}], "InvalidTag"),
        (many, "BadRequest: Object tags cannot be greater than 10"),
    ):
        with pytest.raises(ServiceError, match=code):
            await s3.call("PutObjectTagging", Bucket="bkt", Key="a", Tagging={"TagSet": tag_set})
    await s3.call("PutBucketTagging", Bucket="bkt", Tagging={"TagSet": many})
    await s3.call("DeleteObjectTagging", Bucket="bkt", Key="a")
    assert await s3.call("GetObjectTagging", Bucket="bkt", Key="a") == {"TagSet": []}


async def test_a_changed_bucket_is_seen_at_once(s3: Bench) -> None:
    """The cache forgets a bucket with every commit that changes it."""
    await s3.put("a")
    await s3.call("PutBucketVersioning", Bucket="bkt", VersioningConfiguration={"Status": "Enabled"})
    assert (await s3.put("a"))["VersionId"] != "null"
    assert MANIFEST.reset is not None
    MANIFEST.reset(s3.s3)
    assert (await s3.get("a"))["VersionId"] != "null"
