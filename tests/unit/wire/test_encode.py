"""Responses: request ids, HEAD, S3's documents, JSON versions, what is not finite, event streams."""

import math
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from tests.unit.wire.requests import FORM, request
from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest, HttpResponse
from undercast.wire import cbor
from undercast.wire.decode import decode, parse
from undercast.wire.encode import encode_error, encode_output
from undercast.wire.event_stream import MessageDecoder

ID = "11111111-2222-4333-8444-555555555555"


def headers_of(response: HttpResponse) -> dict[str, str]:
    """Headers by lower-case name."""
    return {name.lower(): value for name, value in response.headers}


def text_of(response: HttpResponse) -> str:
    """The body of a response that is in memory."""
    assert isinstance(response.body, bytes)
    return response.body.decode()


def s3_answer(method: str, target: str, output: dict[str, Any], **options: Any) -> HttpResponse:
    """The response to an S3 request."""
    return encode_output(decode(request(method, target, service="s3")), output, ID, **options)


def test_s3_has_its_own_request_id_headers() -> None:
    """x-amz-request-id and x-amz-id-2; everyone else has x-amzn-RequestId."""
    found = headers_of(s3_answer("PUT", "/b/k", {"ETag": '"e"'}))
    assert (
        found["x-amz-request-id"],
        len(found["x-amz-id-2"]) == 64,
        "x-amzn-requestid" in found,
        found["etag"],
    ) == (ID, True, False, '"e"')
    listed = encode_output(decode(request("GET", "/2015-03-31/functions", service="lambda")), {}, ID)
    assert headers_of(listed)["x-amzn-requestid"] == ID


def test_s3_documents_have_the_root_elements_of_its_reference() -> None:
    """Java's SDK v1 looks at their names."""
    output = {"Name": "b", "KeyCount": 1, "Contents": [{"Key": "a&<b>\r", "LastModified": 1_420_113_609, "Size": 1}]}
    assert text_of(s3_answer("GET", "/b?list-type=2", output)) == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        "<Contents><Key>a&amp;&lt;b&gt;&#13;</Key><LastModified>2015-01-01T12:00:09.000Z</LastModified><Size>1</Size>"
        "</Contents><Name>b</Name><KeyCount>1</KeyCount></ListBucketResult>"
    )
    assert text_of(s3_answer("GET", "/b?location", {"LocationConstraint": "eu-west-1"})).endswith(
        '<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/">eu-west-1</LocationConstraint>'
    )
    assert text_of(s3_answer("GET", "/b?location", {})).endswith('/doc/2006-03-01/"></LocationConstraint>')


def test_an_acl_carries_its_attribute_and_namespace() -> None:
    """<Grantee xmlns:xsi="..." xsi:type="CanonicalUser">."""
    grant = {"Grantee": {"Type": "CanonicalUser", "ID": "x"}, "Permission": "READ"}
    assert (
        '<AccessControlList><Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:type="CanonicalUser"><ID>x</ID></Grantee><Permission>READ</Permission></Grant></AccessControlList>'
    ) in text_of(s3_answer("GET", "/b?acl", {"Grants": [grant]}))


def test_a_head_response_says_how_long_the_body_would_be() -> None:
    """HeadObject: Content-Length of the object, no body."""
    response = s3_answer("HEAD", "/b/k", {"ContentLength": 5 * 1024**3, "ContentType": "text/plain"})
    assert (response.status, response.body, response.length) == (200, b"", 5 * 1024**3)
    assert headers_of(response)["content-type"] == "text/plain"


def test_a_head_error_has_no_body() -> None:
    """Clients know it by its status alone."""
    sent = request("HEAD", "/b/k", service="s3")
    response = encode_error(decode(sent), sent, ServiceError("NoSuchKey", "gone", 404), ID)
    assert (response.status, response.body) == (404, b"")


def test_an_s3_error_carries_the_members_that_it_was_raised_with() -> None:
    """BucketNotEmpty has BucketName, NoSuchKey has Key; both have RequestId and HostId."""
    sent = request("DELETE", "/b", service="s3")
    error = ServiceError("BucketNotEmpty", "not empty", 409, members={"BucketName": "b<"})
    response = encode_error(decode(sent), sent, error, ID)
    assert response.status == 409
    assert (
        "<Error><Code>BucketNotEmpty</Code><Message>not empty</Message><BucketName>b&lt;</BucketName>"
        f"<RequestId>{ID}</RequestId><HostId>"
    ) in text_of(response)


def test_not_modified_has_no_body() -> None:
    """304 is an error to SDKs but has neither document nor length."""
    sent = request("GET", "/b/k", service="s3")
    error = ServiceError("NotModified", "Not Modified", 304, headers={"ETag": '"e"'})
    response = encode_error(decode(sent), sent, error, ID)
    assert (response.status, response.body, response.length, headers_of(response)["etag"]) == (304, b"", None, '"e"')


async def test_a_streamed_object_has_its_length_and_its_headers() -> None:
    """Status and headers of a range are the operation's to say."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"ab"
        yield b"c"

    output = {"Body": BodyStream(pieces(), 3), "ContentRange": "bytes 0-2/10", "Metadata": {"color": "blue"}}
    response = s3_answer("GET", "/b/k", output, status=206, headers={"Content-Type": "image/png"})
    assert not isinstance(response.body, bytes)
    assert (response.status, response.length) == (206, 3)
    assert b"".join([piece async for piece in response.body]) == b"abc"
    found = headers_of(response)
    assert (
        found["content-range"],
        found["x-amz-meta-color"],
        found["content-type"],
    ) == ("bytes 0-2/10", "blue", "image/png")
    assert [name for name, _ in response.headers if name.lower() == "content-type"] == ["Content-Type"]


def logs_call(content_type: str) -> Any:
    """A JSON call."""
    return decode(
        request("POST", "/", service="logs", x_amz_target="Logs_20140328.GetLogEvents", content_type=content_type)
    )


def test_json_is_answered_in_the_version_that_was_asked_in() -> None:
    """1.0 or 1.1, else the model's."""
    for asked, answered in (
        ("application/x-amz-json-1.0", "application/x-amz-json-1.0"),
        ("application/x-amz-json-1.1", "application/x-amz-json-1.1"),
        ("text/plain", "application/x-amz-json-1.1"),
    ):
        assert headers_of(encode_output(logs_call(asked), {}, ID))["content-type"] == answered


def test_none_is_left_out_of_json() -> None:
    """Even where the document is dumped without a walk."""
    output = {"events": [{"message": "the word null", "timestamp": None}], "nextForwardToken": None}
    assert text_of(encode_output(logs_call(""), output, ID)) == '{"events":[{"message":"the word null"}]}'


def test_numbers_that_are_not_finite_are_strings_in_json() -> None:
    """JSON has no NaN; AWS's protocols name it."""
    call = decode(
        request("POST", "/", service="monitoring", x_amz_target="GraniteServiceVersion20100801.GetMetricStatistics")
    )
    output = {"Datapoints": [{"Average": math.nan, "Sum": math.inf, "Minimum": -math.inf, "Maximum": 1.5}]}
    assert text_of(encode_output(call, output, ID)) == (
        '{"Datapoints":[{"Average":"NaN","Sum":"Infinity","Minimum":"-Infinity","Maximum":1.5}]}'
    )


async def test_a_query_answer_is_wrapped_and_named() -> None:
    """<XResponse><XResult/><ResponseMetadata/>: the result element is there even when it is empty."""
    sent = request("POST", "/", service="sts", content_type=FORM, body=b"Action=GetCallerIdentity&Version=2011-06-15")
    call, _ = await parse(decode(sent), sent.body)
    assert text_of(encode_output(call, {"Account": "000000000000"}, ID)) == (
        '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
        "<Account>000000000000</Account></GetCallerIdentityResult><ResponseMetadata>"
        f"<RequestId>{ID}</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
    )


async def test_query_errors_have_the_code_and_status_of_the_model() -> None:
    """IAM: shape NoSuchEntityException, code NoSuchEntity, 404."""
    sent = request("POST", "/", service="iam", content_type=FORM, body=b"Action=GetRole&Version=2010-05-08&RoleName=r")
    call, _ = await parse(decode(sent), sent.body)
    for code in ("NoSuchEntity", "NoSuchEntityException"):
        response = encode_error(call, sent, ServiceError(code, "none"), ID)
        assert response.status == 404
        assert "<Type>Sender</Type><Code>NoSuchEntity</Code><Message>none</Message>" in text_of(response)


def test_rest_json_errors_are_named_in_a_header() -> None:
    """Lambda: X-Amzn-ErrorType, and Type and Message in the body."""
    sent = request("GET", "/2015-03-31/functions/f", service="lambda")
    response = encode_error(decode(sent), sent, ServiceError("ResourceNotFoundException", "none"), ID)
    assert (response.status, headers_of(response)["x-amzn-errortype"]) == (404, "ResourceNotFoundException")
    assert text_of(response) == '{"Message":"none","Type":"User"}'


def test_older_clients_are_told_the_code_that_they_know() -> None:
    """SQS over JSON: x-amzn-query-error."""
    sent = request("POST", "/", service="sqs", x_amz_target="AmazonSQS.GetQueueUrl")
    response = encode_error(decode(sent), sent, ServiceError("QueueDoesNotExist", "none"), ID)
    assert headers_of(response)["x-amzn-query-error"] == "AWS.SimpleQueueService.NonExistentQueue;Sender"
    assert text_of(response) == '{"__type":"QueueDoesNotExist","message":"none"}'


async def test_an_error_in_the_middle_of_an_event_stream_ends_it() -> None:
    """The head has been sent: a modelled exception, or any other error, is the last message."""

    async def events(code: str) -> AsyncIterator[dict[str, Any]]:
        yield {"SubscribeToShardEvent": {"Records": [], "ContinuationSequenceNumber": "1", "MillisBehindLatest": 0}}
        raise ServiceError(code, "broken")

    sent = request("POST", "/", service="kinesis", x_amz_target="Kinesis_20131202.SubscribeToShard")
    seen = []
    for code in ("InternalFailureException", "SomethingElse"):
        response = encode_output(decode(sent), {"EventStream": events(code)}, ID)
        assert headers_of(response)["content-type"] == "application/vnd.amazon.eventstream"
        assert not isinstance(response.body, bytes)
        data = b"".join([piece async for piece in response.body])
        seen.append([(message.headers, message.payload) for message in MessageDecoder().feed(data)])
    first, second = seen
    assert first[0][0][":event-type"] == "initial-response"
    assert first[1][0][":event-type"] == "SubscribeToShardEvent"
    assert (first[2][0][":message-type"], first[2][0][":exception-type"]) == ("exception", "InternalFailureException")
    assert first[2][1] == b'{"message":"broken"}'
    assert (second[2][0][":error-code"], second[2][0][":error-message"]) == ("SomethingElse", "broken")


def test_headers_of_the_operation_replace_those_of_the_model() -> None:
    """A Reply may say another content type."""
    call = decode(request("GET", "/b?policy", service="s3"))
    response = encode_output(call, {"Policy": "{}"}, ID, headers={"Content-Type": "application/json"})
    assert [pair for pair in response.headers if pair[0].lower() == "content-type"] == [
        ("Content-Type", "application/json")
    ]
    assert text_of(response) == "{}"


def test_an_error_before_any_call_still_has_an_answer() -> None:
    """`decode` refused it."""
    sent: HttpRequest = replace(request("GET", "/"), headers={})
    response = encode_error(None, sent, ServiceError("X", "y", 403), ID)
    assert (response.status, headers_of(response)["content-type"]) == (403, "application/xml")


async def test_javas_older_cbor_is_read_and_answered() -> None:
    """Java's SDKs send Kinesis requests as application/x-amz-cbor-1.1: timestamps are tagged milliseconds."""
    body = cbor.dumps({"StreamName": "s", "ShardId": "shardId-0", "ShardIteratorType": "AT_TIMESTAMP"})
    body = b"\xa4" + body[1:] + cbor.dumps("Timestamp") + cbor.dumps(cbor.Tagged(1_420_113_609_123))
    kind = "application/x-amz-cbor-1.1"
    target = "Kinesis_20131202.GetShardIterator"
    sent = request("POST", "/", service="kinesis", x_amz_target=target, content_type=kind, body=body)
    call, params = await parse(decode(sent), sent.body)
    assert (call.protocol, params["Timestamp"]) == ("aws-cbor", datetime(2015, 1, 1, 12, 0, 9, 123_000, tzinfo=UTC))
    records = request("POST", "/", service="kinesis", x_amz_target="Kinesis_20131202.GetRecords", content_type=kind)
    output = {"Records": [{"ApproximateArrivalTimestamp": params["Timestamp"], "Data": b"\xff"}]}
    response = encode_output(decode(records), output, ID)
    assert headers_of(response)["content-type"] == kind
    assert isinstance(response.body, bytes)
    assert cbor.loads(response.body, timestamp_unit_s=0.001) == output
    failure = encode_error(call, sent, ServiceError("ResourceNotFoundException", "none"), ID)
    assert isinstance(failure.body, bytes)
    assert cbor.loads(failure.body) == {"__type": "ResourceNotFoundException", "message": "none"}


def test_dynamodbs_answers_have_a_checksum() -> None:
    """x-amz-crc32 of the body, which clients verify; DynamoDB Developer Guide, "DynamoDB low-level API"."""
    asked = request("POST", "/", service="dynamodb", x_amz_target="DynamoDB_20120810.ListTables", body=b"{}")
    made = encode_output(decode(asked), {"TableNames": ["t"]}, ID)
    assert isinstance(made.body, bytes)
    assert headers_of(made)["x-amz-crc32"] == str(zlib.crc32(made.body))
    failed = encode_error(decode(asked), asked, ServiceError("ValidationException", "no"), ID)
    assert isinstance(failed.body, bytes)
    assert headers_of(failed)["x-amz-crc32"] == str(zlib.crc32(failed.body))
