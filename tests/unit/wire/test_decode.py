"""The head of a request: service, operation, protocol, and what of the path and query string goes with it."""

import gzip
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.wire.requests import FORM, request
from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest
from undercast.wire.decode import decode, parse
from undercast.wire.encode import encode_output


async def params_of(sent: HttpRequest) -> tuple[str, str, str, dict[str, Any]]:
    """Service, operation, protocol and parameters of a request."""
    call, params = await parse(decode(sent), sent.body)
    return call.service, call.operation, call.protocol, params


@pytest.mark.parametrize(
    ("target", "operation", "key"),
    [
        ("/b/plain", "GetObject", "plain"),
        ("/b/a/../b", "GetObject", "a/../b"),
        ("/b/..", "GetObject", ".."),
        ("/b//a//", "GetObject", "/a//"),
        ("/b//", "GetObject", "/"),
        ("/b/folder/", "GetObject", "folder/"),
        ("/b/with%20space+plus", "GetObject", "with space+plus"),
        ("/b/%E6%BC%A2/%F0%9F%98%80", "GetObject", "漢/😀"),
        ("/b/a%2Fb%3Fc%23d", "GetObject", "a/b?c#d"),
        ("/b/%00%0A", "GetObject", "\0\n"),
        ("/b/k?versionId=v", "GetObject", "k"),
        ("/b/k?acl", "GetObjectAcl", "k"),
        ("/b/k?acl=", "GetObjectAcl", "k"),
        ("/b/k?tagging&versionId=v", "GetObjectTagging", "k"),
        ("/b/k?uploadId=u", "ListParts", "k"),
        ("/b/k?attributes", "GetObjectAttributes", "k"),
        ("/b/k?x-id=GetObject", "GetObject", "k"),
    ],
)
async def test_an_object_key_stays_exactly_as_it_was_sent(target: str, operation: str, key: str) -> None:
    """S3 keys are opaque: "..", "//" and a trailing slash mean nothing special (S3 User Guide, "Naming objects")."""
    call = decode(request("GET", target, service="s3", x_amz_object_attributes="ETag"))
    assert ("s3", operation, {"Bucket": "b", "Key": key}) == (call.service, call.operation, call.labels)


@pytest.mark.parametrize(
    ("method", "target", "operation"),
    [
        ("GET", "/", "ListBuckets"),
        ("GET", "/?max-directory-buckets=1", "ListDirectoryBuckets"),
        ("GET", "/?x-id=ListDirectoryBuckets", "ListDirectoryBuckets"),
        ("GET", "/b", "ListObjects"),
        ("GET", "/b/", "ListObjects"),
        ("GET", "/b/?list-type=2&prefix=x", "ListObjectsV2"),
        ("GET", "/b?list-type=1", "ListObjects"),
        ("GET", "/b?location", "GetBucketLocation"),
        ("GET", "/b?versions", "ListObjectVersions"),
        ("GET", "/b?uploads", "ListMultipartUploads"),
        ("GET", "/b?lifecycle", "GetBucketLifecycleConfiguration"),
        ("GET", "/b?notification", "GetBucketNotificationConfiguration"),
        ("GET", "/b?metrics", "ListBucketMetricsConfigurations"),
        ("GET", "/b?metrics&id=m", "GetBucketMetricsConfiguration"),
        ("HEAD", "/b", "HeadBucket"),
        ("HEAD", "/b/k", "HeadObject"),
        ("PUT", "/b", "CreateBucket"),
        ("PUT", "/b/k", "PutObject"),
        ("PUT", "/b/k?partNumber=1&uploadId=u", "UploadPart"),
        ("PUT", "/b/k?tagging", "PutObjectTagging"),
        ("POST", "/b?delete", "DeleteObjects"),
        ("POST", "/b/k?uploads", "CreateMultipartUpload"),
        ("POST", "/b/k?uploadId=u", "CompleteMultipartUpload"),
        ("POST", "/b/k?select&select-type=2", "SelectObjectContent"),
        ("DELETE", "/b/k?uploadId=u", "AbortMultipartUpload"),
        ("DELETE", "/b/k", "DeleteObject"),
        ("DELETE", "/b", "DeleteBucket"),
    ],
)
def test_s3_operations_are_told_apart_by_method_and_query(method: str, target: str, operation: str) -> None:
    """S3 API Reference, request syntax of each operation."""
    assert operation == decode(request(method, target, service="s3")).operation


def test_directory_buckets_are_told_apart_by_their_signature() -> None:
    """Where an endpoint is given, nothing else is left of s3express-control (botocore's endpoint rules)."""
    express = [decode(request("GET", target, service="s3express")).operation for target in ("/", "/b", "/b/k")]
    assert express == ["ListDirectoryBuckets", "ListObjects", "GetObject"]


def test_copies_are_told_apart_by_their_header() -> None:
    """CopyObject and UploadPartCopy are PUTs with x-amz-copy-source."""
    copy = request("PUT", "/b/k", service="s3", x_amz_copy_source="/a/k")
    part = request("PUT", "/b/k?partNumber=1&uploadId=u", service="s3", x_amz_copy_source="/a/k")
    assert (decode(copy).operation, decode(part).operation) == ("CopyObject", "UploadPartCopy")


@pytest.mark.parametrize(
    ("host", "target"),
    [("b.localhost:4566", "/a//b"), ("b.s3.eu-west-1.amazonaws.com", "/a//b"), ("s3.localhost", "/b/a//b")],
)
def test_a_bucket_is_named_by_host_or_path(host: str, target: str) -> None:
    """Path style and virtual hosts mean the same."""
    call = decode(request("GET", target, service="s3", host=host))
    assert (call.operation, call.labels) == ("GetObject", {"Bucket": "b", "Key": "a//b"})


@pytest.mark.parametrize(
    ("method", "target", "name", "message"),
    [
        (
            "GET",
            "/b/k?response-date=x",
            "response-date",
            "response-date is not in the set of overridable response headers",
        ),
        ("HEAD", "/b/k?response-x=x", "response-x", "response-x is not in the set of overridable response headers"),
        ("PUT", "/b/k?partNumber=1", "partNumber", "This operation does not accept partNumber without uploadId"),
        (
            "PUT",
            "/b/k?partNumber=1&uploadId=u&versionId=",
            "versionId",
            "This operation does not accept a version-id.",
        ),
    ],
)
def test_s3_names_what_a_query_may_not_have(method: str, target: str, name: str, message: str) -> None:
    """InvalidArgument; other names are passed over, as those that SDKs add (x-id)."""
    with pytest.raises(ServiceError) as refused:
        decode(request(method, target, service="s3"))
    assert refused.value.code == "InvalidArgument"
    assert refused.value.message.startswith(message)
    assert refused.value.members["ArgumentName"] == name
    assert decode(request("GET", "/b/k?response-expires=x&x-id=GetObject", service="s3")).operation == "GetObject"


@pytest.mark.parametrize("text", ["abc", "2147483648", "-2147483649", "1.5"])
@pytest.mark.parametrize(
    ("target", "name", "told"),
    [
        ("/b?max-keys={}", "max-keys", "Provided max-keys not an integer or within integer range"),
        ("/b?uploads&max-uploads={}", "max-uploads", "Provided max-uploads not an integer or within integer range"),
        ("/b/k?uploadId=u&max-parts={}", "max-parts", "Provided max-parts not an integer or within integer range"),
        (
            "/b/k?uploadId=u&part-number-marker={}",
            "part-number-marker",
            "Provided part-number-marker not an integer or within integer range",
        ),
        ("/b/k?partNumber={}", "partNumber", "Part number must be an integer between 1 and 10000, inclusive"),
        ("/?max-buckets={}", "max-buckets", "Argument max-buckets must be an integer between 1 and 10000."),
    ],
)
async def test_s3_has_its_own_words_for_numbers_that_are_none(target: str, name: str, told: str, text: str) -> None:
    """Beyond 32 bits there is no number, either."""
    call = decode(request("GET", target.format(text), service="s3"))
    with pytest.raises(ServiceError) as refused:
        await parse(call, call.request.body)
    assert (refused.value.code, refused.value.message) == ("InvalidArgument", told)
    assert refused.value.members == {"ArgumentName": name, "ArgumentValue": text}


@pytest.mark.parametrize("text", ["garbage", "0", "2026-01-01T00:00:00Z", "Thu, 32 Jan 2026 00:00:00 GMT"])
async def test_a_condition_whose_date_is_none_is_passed_over(text: str) -> None:
    """The date has one of the three forms of RFC 9110."""
    call = decode(request("GET", "/b/k", service="s3", if_modified_since=text, if_unmodified_since=text))
    assert (await parse(call, call.request.body))[1] == {"Bucket": "b", "Key": "k"}
    for date in ("Thu, 01 Jan 2026 00:00:00 GMT", "Thursday, 01-Jan-26 00:00:00 GMT", "Thu Jan  1 00:00:00 2026"):
        call = decode(request("GET", "/b/k", service="s3", if_modified_since=date))
        assert (await parse(call, call.request.body))[1]["IfModifiedSince"] == datetime(2026, 1, 1, tzinfo=UTC)


async def test_expires_is_kept_as_it_was_sent() -> None:
    """ "0" and "-1" are what many a tool sends; botocore has ExpiresString for what comes back."""
    put = decode(request("PUT", "/b/k", service="s3", expires="-1"))
    assert (await parse(put, put.request.body))[1]["Expires"] == "-1"
    get = decode(request("GET", "/b/k?response-expires=soon", service="s3"))
    params = (await parse(get, get.request.body))[1]
    assert params["ResponseExpires"] == "soon"
    assert ("Expires", "soon") in encode_output(get, {"Expires": params["ResponseExpires"], "Body": b""}, "id").headers
    moment = datetime(2030, 1, 2, tzinfo=UTC)
    answer = encode_output(get, {"Expires": moment, "Body": b""}, "id")
    assert ("Expires", "Wed, 02 Jan 2030 00:00:00 GMT") in answer.headers


async def test_the_size_of_an_upload_is_a_number() -> None:
    """The only one of these that is InvalidRequest."""
    call = decode(request("POST", "/b/k?uploadId=u", service="s3", x_amz_mp_object_size="size"))
    with pytest.raises(ServiceError, match="InvalidRequest: Value for x-amz-mp-object-size header is invalid"):
        await parse(call, call.request.body)


def test_an_unsigned_request_is_s3s() -> None:
    """Public objects are read without credentials."""
    call = decode(request("GET", "/b/k"))
    assert (call.service, call.operation, call.anonymous, call.region) == ("s3", "GetObject", True, None)


def test_an_unsigned_request_to_a_dated_path_is_lambdas() -> None:
    """It will be refused for the missing token, but in Lambda's words."""
    call = decode(request("GET", "/2015-03-31/functions/"))
    assert (call.service, call.operation) == ("lambda", "ListFunctions")


@pytest.mark.parametrize(
    ("method", "target", "operation", "labels"),
    [
        ("POST", "/2015-03-31/functions/f/invocations", "Invoke", {"FunctionName": "f"}),
        (
            "POST",
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-west-1%3A000000000000%3Afunction%3Af%3Alive/invocations?Qualifier=2",
            "Invoke",
            {"FunctionName": "arn:aws:lambda:eu-west-1:000000000000:function:f:live"},
        ),
        ("GET", "/2015-03-31/functions", "ListFunctions", {}),
        ("GET", "/2015-03-31/functions/", "ListFunctions", {}),
        ("POST", "/2015-03-31/functions", "CreateFunction", {}),
        ("GET", "/2015-03-31/functions/f", "GetFunction", {"FunctionName": "f"}),
        ("GET", "/2016-08-19/account-settings/", "GetAccountSettings", {}),
        ("GET", "/2016-08-19/account-settings", "GetAccountSettings", {}),
    ],
)
def test_rest_paths_find_their_operation(method: str, target: str, operation: str, labels: dict[str, str]) -> None:
    """Lambda API Reference; SDKs differ in the trailing slash."""
    call = decode(request(method, target, service="lambda"))
    assert ("lambda", operation, "rest-json", "eu-west-1", labels) == (
        call.service,
        call.operation,
        call.protocol,
        call.region,
        call.labels,
    )


def test_services_with_one_signing_name_are_told_apart_by_path() -> None:
    """API Gateway v1 and v2 both sign as "apigateway"."""
    first = decode(request("GET", "/restapis", service="apigateway"))
    second = decode(request("GET", "/v2/apis", service="apigateway"))
    assert (
        (first.service, first.operation),
        (second.service, second.operation),
    ) == (("apigateway", "GetRestApis"), ("apigatewayv2", "GetApis"))


def test_a_target_header_names_a_json_operation() -> None:
    """DynamoDB and its streams sign alike; the target's prefix tells them apart."""
    call = decode(request("POST", "/", service="dynamodb", x_amz_target="DynamoDBStreams_20120810.ListStreams"))
    assert (call.service, call.operation, call.protocol) == ("dynamodbstreams", "ListStreams", "json")


def test_a_cbor_path_names_its_operation() -> None:
    """Smithy RPC v2: /service/{service}/operation/{operation}."""
    path = "/service/GraniteServiceVersion20100801/operation/ListMetrics"
    call = decode(request("POST", path, service="monitoring", smithy_protocol="rpc-v2-cbor"))
    assert (call.service, call.operation, call.protocol) == ("cloudwatch", "ListMetrics", "smithy-rpc-v2-cbor")


async def test_a_query_operation_is_named_in_the_body() -> None:
    """`decode` cannot know it yet; `parse` completes the call."""
    sent = request("POST", "/", service="iam", content_type=FORM, body=b"Action=GetRole&Version=2010-05-08&RoleName=r")
    call = decode(sent)
    assert (call.service, call.operation, call.protocol) == ("iam", "", "query")
    assert await params_of(sent) == ("iam", "GetRole", "query", {"RoleName": "r"})


async def test_a_query_operation_may_come_in_the_query_string() -> None:
    """GET ?Action=... is the older form of the protocol; presigned GetCallerIdentity uses it."""
    sent = request("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", service="sts")
    assert decode(sent).operation == "GetCallerIdentity"
    assert await params_of(sent) == ("sts", "GetCallerIdentity", "query", {})


@pytest.mark.parametrize(
    ("version", "service"), [("2012-06-01", "elb"), ("2015-12-01", "elbv2")]
)  # fmt: skip
async def test_query_services_with_one_signing_name_are_told_apart_by_version(version: str, service: str) -> None:
    """Classic and newer load balancers both sign as "elasticloadbalancing"."""
    body = f"Action=DescribeLoadBalancers&Version={version}".encode()
    found = await params_of(request("POST", "/", service="elasticloadbalancing", content_type=FORM, body=body))
    assert (service, "DescribeLoadBalancers") == found[:2]


async def test_an_unsigned_query_request_is_known_by_its_version() -> None:
    """AssumeRoleWithWebIdentity is unsigned."""
    body = (
        b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000000%3Arole%2Fr"
        b"&RoleSessionName=session&WebIdentityToken=tokentoken"
    )
    found = await params_of(request("POST", "/", content_type=FORM, body=body))
    assert found[:3] == ("sts", "AssumeRoleWithWebIdentity", "query")
    assert found[3]["RoleArn"] == "arn:aws:iam::000000000000:role/r"


async def test_a_forms_content_type_does_not_make_a_rest_request_a_query() -> None:
    """curl -d sends it by default."""
    sent = request(
        "POST", "/2015-03-31/functions/f/invocations", service="lambda", content_type=FORM, body=b'{"a": "b=c&d"}'
    )
    assert await params_of(sent) == (
        "lambda",
        "Invoke",
        "rest-json",
        {"FunctionName": "f", "Payload": b'{"a": "b=c&d"}'},
    )


async def test_older_clients_of_sqs_speak_query() -> None:
    """aws-sdk-go v1 and every SDK before 2023 send SQS requests as forms, to the queue's URL or to "/"."""
    body = (
        b"Action=SendMessage&Version=2012-11-05&MessageBody=hi%20there&QueueUrl=http%3A%2F%2Fq"
        b"&MessageAttribute.1.Name=n&MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=v"
    )
    expected = {
        "QueueUrl": "http://q",
        "MessageBody": "hi there",
        "MessageAttributes": {"n": {"DataType": "String", "StringValue": "v"}},
    }
    for path in ("/", "/000000000000/queue"):
        sent = request("POST", path, service="sqs", content_type=FORM, body=body)
        assert ("sqs", "SendMessage", "query", expected) == await params_of(sent)


async def test_sparse_and_unordered_indexes_of_query_lists_are_taken_by_number() -> None:
    """AWS orders by index and ignores gaps."""
    body = (
        b"Action=TagRole&Version=2010-05-08&RoleName=r&Tags.member.10.Key=c&Tags.member.10.Value=3"
        b"&Tags.member.2.Key=b&Tags.member.2.Value=2&Tags.member.1.Key=a&Tags.member.1.Value=1"
    )
    found = await params_of(request("POST", "/", service="iam", content_type=FORM, body=body))
    assert [tag["Key"] for tag in found[3]["Tags"]] == ["a", "b", "c"]


async def test_a_streaming_body_is_handed_on_unread() -> None:
    """A 5 GB PutObject is never in memory."""

    async def never() -> Any:
        raise AssertionError("the wire must not read a streaming body")
        yield b""

    body = BodyStream(never(), 5 * 1024**3)
    sent = request("PUT", "/b/k", service="s3", content_length=str(5 * 1024**3), x_amz_meta_color="blue")
    _, params = await parse(decode(sent), body)
    assert {
        "Bucket": "b",
        "Key": "k",
        "Body": body,
        "ContentLength": 5 * 1024**3,
        "Metadata": {"color": "blue"},
    } == params


async def test_presigned_urls_may_carry_headers_as_parameters() -> None:
    """SDKs hoist x-amz-* headers into the signed query string of a presigned URL."""
    target = (
        "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20261121%2Feu-west-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20261121T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
        "&x-amz-acl=public-read&X-Amz-Meta-Color=blue"
    )
    sent = request("PUT", target)
    call, params = await parse(decode(sent), sent.body)
    assert call.signature is not None
    assert (call.signature.kind, call.region) == ("presigned", "eu-west-1")
    assert (params["ACL"], params["Metadata"]) == ("public-read", {"color": "blue"})


async def test_a_compressed_request_is_inflated() -> None:
    """SDKs compress PutMetricData above 10 KiB."""
    body = gzip.compress(b'{"Namespace":"n","MetricData":[{"MetricName":"m","Value":1.5}]}')
    sent = request(
        "POST",
        "/",
        service="monitoring",
        x_amz_target="GraniteServiceVersion20100801.PutMetricData",
        content_encoding="gzip",
        body=body,
    )
    found = await params_of(sent)
    assert found[3] == {"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1.5}]}


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (request("POST", "/", x_amz_target="Nobody.Knows"), "UnknownOperationException"),
        (request("POST", "/", x_amz_target="Logs_20140328.Nothing"), "UnknownOperationException"),
        (request("GET", "/", x_amz_target="Logs_20140328.CreateLogGroup"), "UnknownOperationException"),
        (request("GET", "/nothing/here", service="lambda"), "UnknownOperationException"),
        (request("GET", "/", service="no-such-service"), "UnknownOperationException"),
        (request("PATCH", "/b/k", service="s3"), "MethodNotAllowed"),
        (request("GET", "/b/%FF", service="s3"), "InvalidURI"),
        (request("GET", "/b/k?prefix=%FF", service="s3"), "MalformedQueryString"),
        (request("GET", "*", service="s3"), "InvalidURI"),
        (
            request("POST", "/service/Nobody/operation/X", service="monitoring", smithy_protocol="rpc-v2-cbor"),
            "UnknownOperationException",
        ),
    ],
)
def test_what_aws_does_not_have_is_an_error(sent: HttpRequest, code: str) -> None:
    """Unknown operations answer with an error, never with another operation."""
    with pytest.raises(ServiceError) as caught:
        decode(sent)
    assert code == caught.value.code
    assert 400 <= caught.value.status < 500


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MissingAction"),
        (b"Version=2010-05-08", "MissingAction"),
        (b"Action=Nothing&Version=2010-05-08", "InvalidAction"),
        (b"Action=GetRole&RoleName=%FF", "MalformedQueryString"),
        (b"Action=GetRole&RoleName=\xff", "MalformedQueryString"),
        (b"Action=ListRoles&MaxItems=many", "MalformedInput"),
        (b"Action=ListRoles&MaxItems.x=1", "MalformedInput"),
        (b"Action=TagRole&RoleName=r&Tags.member.x.Key=a", "MalformedInput"),
        (b"Action=TagRole&RoleName=r&" + b"a." * 100 + b"=1", "MalformedInput"),
    ],
)
async def test_a_form_that_makes_no_sense_is_an_error(body: bytes, code: str) -> None:
    """Query protocol, "Common errors"."""
    with pytest.raises(ServiceError) as caught:
        await params_of(request("POST", "/", service="iam", content_type=FORM, body=body))
    assert (code, 400) == (caught.value.code, caught.value.status)
