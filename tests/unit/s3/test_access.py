"""Authorisation: actions and resources of each request, bucket policies, ACLs, public access block, CORS."""

import json
from typing import Any

import pytest

from tests.unit.s3.bench import ACCOUNT, Bench
from undercast.core.arn import AccountId
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal, anonymous_principal, canonical_id
from undercast.core.service import Access
from undercast.services.s3.acl import ALL_USERS
from undercast.services.s3.cors import cors_headers
from undercast.services.s3.public_access import is_public

BUCKET, OBJECT = "arn:aws:s3:::bkt", "arn:aws:s3:::bkt/k"
ROLE = Principal(kind="assumed-role", account_id=ACCOUNT, arn="arn:aws:sts::123456789012:assumed-role/r/s")

NEEDS: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("ListBuckets", {}, [("s3:ListAllMyBuckets", "*")]),
    ("HeadBucket", {"Bucket": "bkt"}, [("s3:ListBucket", BUCKET)]),
    ("ListObjectsV2", {"Bucket": "bkt"}, [("s3:ListBucket", BUCKET)]),
    ("ListObjectVersions", {"Bucket": "bkt"}, [("s3:ListBucketVersions", BUCKET)]),
    ("GetBucketLifecycleConfiguration", {"Bucket": "bkt"}, [("s3:GetLifecycleConfiguration", BUCKET)]),
    ("PutPublicAccessBlock", {"Bucket": "bkt"}, [("s3:PutBucketPublicAccessBlock", BUCKET)]),
    ("PutBucketNotificationConfiguration", {"Bucket": "bkt"}, [("s3:PutBucketNotification", BUCKET)]),
    ("GetObject", {"Bucket": "bkt", "Key": "k"}, [("s3:GetObject", OBJECT)]),
    ("HeadObject", {"Bucket": "bkt", "Key": "k"}, [("s3:GetObject", OBJECT)]),
    ("GetObject", {"Bucket": "bkt", "Key": "k", "VersionId": "v"}, [("s3:GetObjectVersion", OBJECT)]),
    ("GetObjectTagging", {"Bucket": "bkt", "Key": "k", "VersionId": "v"}, [("s3:GetObjectVersionTagging", OBJECT)]),
    ("DeleteObject", {"Bucket": "bkt", "Key": "k", "VersionId": "v"}, [("s3:DeleteObjectVersion", OBJECT)]),
    ("PutObject", {"Bucket": "bkt", "Key": "k"}, [("s3:PutObject", OBJECT)]),
    (
        "PutObject",
        {"Bucket": "bkt", "Key": "k", "Tagging": "a=b", "ACL": "private"},
        [("s3:PutObject", OBJECT), ("s3:PutObjectTagging", OBJECT), ("s3:PutObjectAcl", OBJECT)],
    ),
    (
        "PutObject",
        {"Bucket": "bkt", "Key": "k", "IfMatch": '"e"'},
        [("s3:PutObject", OBJECT), ("s3:GetObject", OBJECT)],
    ),
    ("PutObject", {"Bucket": "bkt", "Key": "k", "IfNoneMatch": "*"}, [("s3:PutObject", OBJECT)]),
    (
        "DeleteObject",
        {"Bucket": "bkt", "Key": "k", "IfMatch": '"e"'},
        [("s3:DeleteObject", OBJECT), ("s3:GetObject", OBJECT)],
    ),
    ("DeleteObject", {"Bucket": "bkt", "Key": "k", "IfMatch": "*"}, [("s3:DeleteObject", OBJECT)]),
    (
        "CopyObject",
        {"Bucket": "bkt", "Key": "k", "CopySource": "other/x%20y"},
        [("s3:PutObject", OBJECT), ("s3:GetObject", "arn:aws:s3:::other/x y")],
    ),
    ("UploadPart", {"Bucket": "bkt", "Key": "k", "UploadId": "u"}, [("s3:PutObject", OBJECT)]),
    ("AbortMultipartUpload", {"Bucket": "bkt", "Key": "k", "UploadId": "u"}, [("s3:AbortMultipartUpload", OBJECT)]),
    ("ListParts", {"Bucket": "bkt", "Key": "k", "UploadId": "u"}, [("s3:ListMultipartUploadParts", OBJECT)]),
    (
        "GetObjectAttributes",
        {"Bucket": "bkt", "Key": "k"},
        [("s3:GetObjectAttributes", OBJECT), ("s3:GetObject", OBJECT)],
    ),
    (
        "DeleteObjects",
        {"Bucket": "bkt", "Delete": {"Objects": [{"Key": "k"}, {"Key": "l", "VersionId": "v"}]}},
        [("s3:DeleteObject", OBJECT), ("s3:DeleteObjectVersion", "arn:aws:s3:::bkt/l")],
    ),
]


@pytest.mark.parametrize(("operation", "params", "needs"), NEEDS)
async def test_what_a_request_needs(
    s3: Bench, operation: str, params: dict[str, Any], needs: list[tuple[str, str]]
) -> None:
    """Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3"."""
    assert [(need.action, need.resource) for need in await s3.access(operation, **params)] == needs


def of_the_request(need: Access) -> dict[str, Any]:
    """The condition keys without those that every request has."""
    always = {"s3:authType", "s3:signatureversion", "s3:ResourceAccount"}
    assert always <= set(need.conditions)
    return {key: value for key, value in need.conditions.items() if key not in always}


async def test_condition_keys(s3: Bench) -> None:
    """s3:prefix, s3:max-keys, s3:RequestObjectTag and the rest come from the parameters."""
    (need,) = await s3.access("ListObjectsV2", Bucket="bkt", Prefix="a/", MaxKeys=7, Delimiter="/")
    assert of_the_request(need) == {"s3:prefix": "a/", "s3:max-keys": "7", "s3:delimiter": "/"}
    need = (await s3.access("PutObject", Bucket="bkt", Key="k", Tagging="a=b&c=d", StorageClass="GLACIER"))[0]
    assert of_the_request(need) == {
        "s3:RequestObjectTag/a": "b",
        "s3:RequestObjectTag/c": "d",
        "s3:RequestObjectTagKeys": ("a", "c"),
        "s3:x-amz-storage-class": "GLACIER",
    }


async def test_tags_of_the_existing_object_are_condition_keys(s3: Bench) -> None:
    """s3:ExistingObjectTag/<key> for reads and tagging, not for PutObject and DeleteObject."""
    await s3.put("k", Tagging="class=secret")
    role = s3.called_by(ROLE)
    for operation, tagged in (("GetObject", True), ("PutObjectTagging", True), ("PutObject", False)):
        need = (await role.access(operation, Bucket="bkt", Key="k"))[0]
        assert of_the_request(need) == ({"s3:ExistingObjectTag/class": "secret"} if tagged else {})


async def test_who_may_not_list_does_not_learn_what_is_missing(s3: Bench) -> None:
    """API_GetObject: without s3:ListBucket a missing key is 403, so a read of one needs it."""
    await s3.put("there")
    role = s3.called_by(ROLE)
    assert [need.action for need in await role.access("GetObject", Bucket="bkt", Key="there")] == ["s3:GetObject"]
    needs = await role.access("HeadObject", Bucket="bkt", Key="missing")
    assert [(need.action, need.resource) for need in needs][1] == ("s3:ListBucket", BUCKET)


def _policy(principal: Any = None, **statement: Any) -> str:
    base = {
        "Effect": "Allow",
        "Principal": principal or {"AWS": ACCOUNT},
        "Action": "s3:GetObject",
        "Resource": f"{BUCKET}/*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [{**base, **statement}]})


async def test_a_bucket_policy_goes_with_every_request(s3: Bench) -> None:
    """Access carries the policy and the account that owns the bucket; policy_of finds it by ARN."""
    text = _policy({"AWS": "arn:aws:iam::999999999999:root"})
    await s3.call("PutBucketPolicy", Bucket="bkt", Policy=text)
    assert (await s3.call("GetBucketPolicy", Bucket="bkt"))["Policy"] == text
    need = (await s3.as_account("999999999999").access("GetObject", Bucket="bkt", Key="k"))[0]
    assert need.resource_policy is not None and dict(need.resource_policy) == json.loads(text)
    assert need.resource_account_id == ACCOUNT
    status = await s3.call("GetBucketPolicyStatus", Bucket="bkt")
    assert status == {"PolicyStatus": {"IsPublic": False}}
    await s3.call("DeleteBucketPolicy", Bucket="bkt")
    assert (await s3.access("GetObject", Bucket="bkt", Key="k"))[0].resource_policy is None


@pytest.mark.parametrize(
    "policy",
    ["no json", "[]", "{", "{}", _policy(Action="iam:GetUser"), _policy(Resource="arn:aws:s3:::other/*")],
)
async def test_malformed_policies(s3: Bench, policy: str) -> None:
    """MalformedPolicy, 400."""
    with pytest.raises(ServiceError) as raised:
        await s3.call("PutBucketPolicy", Bucket="bkt", Policy=policy)
    assert (raised.value.code, raised.value.status) == ("MalformedPolicy", 400)


async def test_a_principal_that_cannot_be(s3: Bench) -> None:
    """S3 says no more than that; CloudFront's origin access identity is one, in either spelling."""
    with pytest.raises(ServiceError, match=r"MalformedPolicy: Invalid principal in policy$"):
        await s3.call("PutBucketPolicy", Bucket="bkt", Policy=_policy({"AWS": "nobody"}))
    for name in ("CloudFront Origin Access Identity E1", "CloudFront_Origin_Access_Identity_E1"):
        identity = {"AWS": f"arn:aws:iam::cloudfront:user/{name}"}
        await s3.call("PutBucketPolicy", Bucket="bkt", Policy=_policy(identity))


async def test_a_bucket_whose_policy_would_be_refused_now_answers(s3: Bench) -> None:
    """A data folder may hold what an older version took: such a principal means nobody, and the policy can go."""
    stored = _policy({"CanonicalUser": "f" * 63})
    with pytest.raises(ServiceError, match="Invalid principal in policy"):
        await s3.call("PutBucketPolicy", Bucket="bkt", Policy=stored)
    bucket = s3.s3.buckets.find("bkt")
    assert bucket is not None
    await s3.state.database.write(lambda tx: s3.s3.buckets.configure(tx, bucket, "policy", stored))
    need = (await s3.access("GetObject", Bucket="bkt", Key="k"))[0]
    assert need.resource_policy is not None and dict(need.resource_policy) == json.loads(stored)
    await s3.access("DeleteBucketPolicy", Bucket="bkt")
    await s3.call("DeleteBucketPolicy", Bucket="bkt")
    assert (await s3.access("GetObject", Bucket="bkt", Key="k"))[0].resource_policy is None


async def test_public_policies_are_blocked_by_default(s3: Bench) -> None:
    """BlockPublicPolicy refuses them; RestrictPublicBuckets makes an old one void for strangers."""
    with pytest.raises(ServiceError, match="BlockPublicPolicy setting in S3 Block Public Access"):
        await s3.call("PutBucketPolicy", Bucket="bkt", Policy=_policy("*"))
    await s3.call("DeletePublicAccessBlock", Bucket="bkt")
    await s3.call("PutBucketPolicy", Bucket="bkt", Policy=_policy("*"))
    stranger = s3.called_by(anonymous_principal(AccountId("000000000000")))
    assert (await stranger.access("GetObject", Bucket="bkt", Key="k"))[0].resource_policy is not None
    block = {"PublicAccessBlockConfiguration": {"RestrictPublicBuckets": True}}
    await s3.call("PutPublicAccessBlock", Bucket="bkt", **block)
    assert (await stranger.access("GetObject", Bucket="bkt", Key="k"))[0].resource_policy is None


@pytest.mark.parametrize(
    ("principal", "condition", "public"),
    [
        ("*", None, True),
        ({"AWS": "*"}, None, True),
        ({"AWS": ["*"]}, {"StringEquals": {"aws:SourceVpc": "vpc-1"}}, False),
        ("*", {"StringLike": {"aws:SourceVpc": "*"}}, True),
        ("*", {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}, True),
        ({"Service": "lambda.amazonaws.com"}, None, False),
        ({"AWS": ACCOUNT}, None, False),
    ],
)
def test_the_meaning_of_public(principal: Any, condition: Any, public: bool) -> None:
    """S3 User Guide, "The meaning of 'public'"."""
    statement = {"Condition": condition} if condition else {}
    assert is_public(json.loads(_policy(principal, **statement))) is public


async def test_acls_are_off_unless_ownership_says_otherwise(s3: Bench) -> None:
    """BucketOwnerEnforced: AccessControlListNotSupported, except for the owner's full control on a put."""
    for operation, params in (
        ("PutBucketAcl", {"ACL": "private"}),
        ("PutObject", {"Key": "k", "ACL": "public-read", "Body": b""}),
    ):
        with pytest.raises(ServiceError) as raised:
            await s3.call(operation, Bucket="bkt", **params)
        assert raised.value.code == "AccessControlListNotSupported"
        assert raised.value.message == "The bucket does not allow ACLs"
    await s3.put("k", ACL="bucket-owner-full-control")
    await s3.put("k", ACL="private")
    await s3.put("k", GrantFullControl=f'id="{canonical_id(ACCOUNT)}"')
    refused: tuple[dict[str, Any], ...] = (
        {"GrantRead": f'id="{canonical_id(ACCOUNT)}"'},
        {"GrantFullControl": f'id="{"0" * 64}"'},
    )
    for granted in refused:
        with pytest.raises(ServiceError, match="AccessControlListNotSupported"):
            await s3.put("k", **granted)
    with pytest.raises(ServiceError, match="InvalidBucketAclWithObjectOwnership"):
        await s3.call("CreateBucket", Bucket="public", ACL="public-read")
    await s3.call("CreateBucket", Bucket="private", ACL="private")


@pytest.mark.parametrize(
    ("granted", "told", "name"),
    [("0123", "Argument format not recognized", "x-amz-grant-read-acp"), ('id="0123"', "Invalid id", "id")],
)
async def test_a_grant_names_a_canonical_user(s3: Bench, granted: str, told: str, name: str) -> None:
    """InvalidArgument for what is no grantee, and for an id that is none."""
    await _open(s3)
    with pytest.raises(ServiceError, match=f"InvalidArgument: {told}") as refused:
        await s3.call("PutBucketAcl", Bucket="bkt", GrantReadACP=granted)
    assert refused.value.members["ArgumentName"] == name


async def _open(s3: Bench) -> None:
    rules = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    await s3.call("PutBucketOwnershipControls", Bucket="bkt", OwnershipControls=rules)
    await s3.call("DeletePublicAccessBlock", Bucket="bkt")


async def test_acls_become_policy_statements(s3: Bench) -> None:
    """public-read on an object lets everybody read it and nothing else."""
    await _open(s3)
    await s3.put("k", ACL="public-read")
    stranger = s3.called_by(anonymous_principal(AccountId("000000000000")))
    policy = (await stranger.access("GetObject", Bucket="bkt", Key="k"))[0].resource_policy
    assert policy is not None
    assert policy["Statement"] == [
        {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": OBJECT}
    ]
    grants = (await s3.call("GetObjectAcl", Bucket="bkt", Key="k"))["Grants"]
    assert grants[1] == {"Grantee": {"Type": "Group", "URI": ALL_USERS}, "Permission": "READ"}
    block = {"PublicAccessBlockConfiguration": {"IgnorePublicAcls": True, "BlockPublicAcls": True}}
    await s3.call("PutPublicAccessBlock", Bucket="bkt", **block)
    assert (await stranger.access("GetObject", Bucket="bkt", Key="k"))[0].resource_policy is None
    with pytest.raises(ServiceError, match="AccessDenied"):
        await s3.put("k", ACL="public-read")


async def test_acls_in_all_three_forms(s3: Bench) -> None:
    """Canned, by header and as XML; two at once is InvalidRequest."""
    await _open(s3)
    await s3.call("PutBucketAcl", Bucket="bkt", GrantRead=f'uri="{ALL_USERS}"', GrantWrite="id=" + "a" * 64)
    permissions = [grant["Permission"] for grant in (await s3.call("GetBucketAcl", Bucket="bkt"))["Grants"]]
    assert permissions == ["READ", "WRITE"]
    acl = await s3.call("GetBucketAcl", Bucket="bkt")
    await s3.call("PutBucketAcl", Bucket="bkt", ACL="private")
    await s3.call("PutBucketAcl", Bucket="bkt", AccessControlPolicy=acl)
    assert await s3.call("GetBucketAcl", Bucket="bkt") == acl
    with pytest.raises(ServiceError, match="Specifying both Canned ACLs and Header Grants"):
        await s3.call("PutBucketAcl", Bucket="bkt", ACL="private", GrantRead="id=" + "a" * 64)
    (grant, *_) = acl["Grants"]
    for wrong in ({**grant, "Permission": "EVERYTHING"}, {**grant, "Grantee": {**grant["Grantee"], "Type": "Nobody"}}):
        with pytest.raises(ServiceError, match="MalformedACLError"):
            await s3.call("PutBucketAcl", Bucket="bkt", AccessControlPolicy={**acl, "Grants": [wrong]})
    with pytest.raises(ServiceError, match="MissingSecurityHeader"):
        await s3.call("PutBucketAcl", Bucket="bkt")
    with pytest.raises(ServiceError, match="InvalidBucketAclWithObjectOwnership"):
        rules = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        await s3.call("PutBucketOwnershipControls", Bucket="bkt", OwnershipControls=rules)


RULE = {"AllowedOrigins": ["https://*.example.com"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["x-*"]}


def test_cors_headers_of_the_first_rule_that_fits() -> None:
    """S3 User Guide, "Elements of a CORS configuration": origin with one wildcard, method, every asked header."""
    configuration = {"CORSRules": [{**RULE, "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60}]}
    assert cors_headers(configuration, "https://a.example.com", "PUT", ("X-Amz-Date",)) == {
        "Access-Control-Allow-Origin": "https://a.example.com",
        "Access-Control-Allow-Methods": "GET, PUT",
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Allow-Headers": "x-amz-date",
        "Access-Control-Expose-Headers": "ETag",
        "Access-Control-Max-Age": "60",
        "Vary": "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
    }
    for origin, method, headers in (
        ("http://a.example.com", "PUT", ()),
        ("https://a.example.com", "DELETE", ()),
        ("https://a.example.com", "GET", ("authorization",)),
    ):
        assert cors_headers(configuration, origin, method, headers) is None
    assert cors_headers(None, "https://a.example.com", "GET") is None


async def test_wrong_cors_rules(s3: Bench) -> None:
    """InvalidRequest for methods that are none and for two wildcards."""
    for change in ({"AllowedMethods": ["PATCH"]}, {"AllowedOrigins": ["*.*"]}, {"ExposeHeaders": ["x-*"]}):
        with pytest.raises(ServiceError, match="InvalidRequest"):
            await s3.call("PutBucketCors", Bucket="bkt", CORSConfiguration={"CORSRules": [{**RULE, **change}]})
