"""Validation texts are AWS's, word for word, and in each protocol's code."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.unit.wire.requests import FORM, request
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest
from undercast.wire.decode import decode, parse


def json_request(service: str, target: str, params: Any) -> HttpRequest:
    """A JSON request."""
    body = json.dumps(params).encode()
    return request("POST", "/", service=service, x_amz_target=target, body=body)


def query_request(service: str, action: str, version: str, **params: str) -> HttpRequest:
    """A query request."""
    body = urlencode({"Action": action, "Version": version, **params}).encode()
    return request("POST", "/", service=service, content_type=FORM, body=body)


async def refusal(sent: HttpRequest) -> tuple[str, str]:
    """Code and text of the error."""
    with pytest.raises(ServiceError) as caught:
        await parse(decode(sent), sent.body)
    assert caught.value.status == 400
    return caught.value.code, caught.value.message


async def test_a_missing_member_is_null() -> None:
    """DynamoDB: "Value null at 'tableName' failed to satisfy constraint: Member must not be null"."""
    code, text = await refusal(json_request("dynamodb", "DynamoDB_20120810.DescribeTable", {}))
    assert code == "ValidationException"
    constraint = "failed to satisfy constraint: Member must not be null"
    assert text == f"1 validation error detected: Value null at 'tableName' {constraint}"


async def test_a_string_that_is_too_long() -> None:
    """IAM answers in the query protocol's code, ValidationError."""
    sent = query_request("iam", "GetRole", "2010-05-08", RoleName="r" * 65)
    assert (
        "ValidationError",
        f"1 validation error detected: Value '{'r' * 65}' at 'roleName' failed to satisfy constraint: "
        "Member must have length less than or equal to 64",
    ) == await refusal(sent)


async def test_a_string_that_keeps_no_pattern() -> None:
    """The pattern is shown as the model has it."""
    sent = query_request("iam", "GetRole", "2010-05-08", RoleName="a b")
    assert await refusal(sent) == (
        "ValidationError",
        "1 validation error detected: Value 'a b' at 'roleName' failed to satisfy constraint: "
        r"Member must satisfy regular expression pattern: [\w+=,.@-]+",
    )


async def test_a_number_out_of_range() -> None:
    """Lambda reports violations as ValidationException although it models InvalidParameterValueException."""
    body = json.dumps({"MemorySize": 64}).encode()
    sent = request("PUT", "/2015-03-31/functions/f/configuration", service="lambda", body=body)
    assert await refusal(sent) == (
        "ValidationException",
        "1 validation error detected: Value '64' at 'memorySize' failed to satisfy constraint: "
        "Member must have value greater than or equal to 128",
    )


async def test_a_value_outside_an_enum() -> None:
    """The set is listed."""
    params = {
        "TableName": "table",
        "KeySchema": [{"AttributeName": "k", "KeyType": "PRIMARY"}],
        "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
    }
    assert await refusal(json_request("dynamodb", "DynamoDB_20120810.CreateTable", params)) == (
        "ValidationException",
        "1 validation error detected: Value 'PRIMARY' at 'keySchema.1.member.keyType' failed to satisfy constraint: "
        "Member must satisfy enum value set: [HASH, RANGE]",
    )


async def test_all_violations_are_reported_at_once() -> None:
    """The count is in front, "; " between."""
    sent = query_request("iam", "CreateUser", "2010-05-08", UserName="a b", Path="x")
    code, text = await refusal(sent)
    assert code == "ValidationError"
    assert text.startswith("2 validation errors detected: Value 'a b' at 'userName' failed to satisfy constraint: ")
    assert (
        "; Value 'x' at 'path' failed to satisfy constraint: Member must satisfy regular expression pattern: " in text
    )


async def test_a_path_leads_through_all_that_holds_the_value() -> None:
    """Structures by the member's name, maps by the key, lists by the position; a recursive shape within itself."""
    deep = {"M": {"outer": {"L": [{"S": "text"}, {"M": {"n" * 65_536: {"S": "text"}}}]}}}
    params = {"TableName": "table", "Item": {"attribute": deep}}
    code, text = await refusal(json_request("dynamodb", "DynamoDB_20120810.PutItem", params))
    assert code == "ValidationException"
    assert text.endswith(
        " at 'item.attribute.member.m.outer.member.l.2.member.m' failed to satisfy constraint: "
        "Map keys must satisfy constraint: [Member must have length less than or equal to 65535]"
    )


async def test_a_lists_strings_are_reported_at_the_list() -> None:
    """Lambda on a subnet id: "Value '[...]' at 'vpcConfig.subnetIds' ...: Member must satisfy constraint: [...]"."""
    body = json.dumps({"Layers": ["x"]}).encode()
    sent = request("PUT", "/2015-03-31/functions/f/configuration", service="lambda", body=body)
    code, text = await refusal(sent)
    assert code == "ValidationException"
    assert text.startswith(
        "1 validation error detected: Value '[x]' at 'layers' failed to satisfy constraint: "
        "Member must satisfy constraint: [Member must have length less than or equal to "
    )
    assert "Member must satisfy regular expression pattern: " in text


async def test_a_maps_keys_are_reported_at_the_map() -> None:
    """Lambda on an environment variable's name: "Map keys must satisfy constraint: [...]"."""
    body = json.dumps({"Environment": {"Variables": {"1a": "v"}}}).encode()
    sent = request("PUT", "/2015-03-31/functions/f/configuration", service="lambda", body=body)
    assert await refusal(sent) == (
        "ValidationException",
        "1 validation error detected: Value '{1a=v}' at 'environment.variables' failed to satisfy constraint: "
        "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]",
    )


async def test_a_code_that_the_operation_models_is_preferred() -> None:
    """CloudWatch Logs reports violations as InvalidParameterException, API Gateway as BadRequestException."""
    code, _ = await refusal(json_request("logs", "Logs_20140328.CreateLogGroup", {"logGroupName": "a b"}))
    assert code == "InvalidParameterException"
    code, _ = await refusal(request("POST", "/restapis", service="apigateway", body=b"{}"))
    assert code == "BadRequestException"


async def test_s3_names_what_is_missing_in_its_own_words() -> None:
    """S3 checks values itself; the wire only holds what must be there."""
    assert await refusal(request("POST", "/b?delete", service="s3")) == (
        "MissingRequestBodyError",
        "Request Body is empty",
    )


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/b?delete", b"<Delete/>"),
        ("/b?cors", b"<CORSConfiguration/>"),
        ("/b?tagging", b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>"),
    ],
)
async def test_what_is_missing_inside_an_xml_body_is_malformed(target: str, body: bytes) -> None:
    """S3 holds bodies to its published schema: MalformedXML."""
    sent = request("POST" if "delete" in target else "PUT", target, service="s3", body=body)
    code, _ = await refusal(sent)
    assert code == "MalformedXML"


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"logGroupName": 5}, "NUMBER_VALUE can not be converted to a String"),
        ({"logGroupName": True}, "TRUE_VALUE can not be converted to a String"),
        ({"logGroupName": ["a"]}, "START_ARRAY can not be converted to a String"),
        ({"logGroupName": {"a": 1}}, "START_OBJECT can not be converted to a String"),
        ({"logGroupName": "g", "tags": ["a"]}, "START_ARRAY can not be converted to a map"),
        ({"logGroupName": "g", "tags": {"a": 1}}, "NUMBER_VALUE can not be converted to a String"),
        ([], "START_ARRAY can not be converted to a structure"),
        ("x", "STRING_VALUE can not be converted to a structure"),
    ],
)
async def test_a_value_of_another_type_is_a_serialization_error(params: Any, text: str) -> None:
    """JSON services deserialize before they validate."""
    assert ("SerializationException", text) == await refusal(
        json_request("logs", "Logs_20140328.CreateLogGroup", params)
    )


@pytest.mark.parametrize(
    "body", [b"{", b"\xff", b'{"a": NaN}', b'{"logGroupName": "\\ud800"}', b"[" * 100_000, b"nul", b'{"a":1} x']
)
async def test_what_is_no_json_is_a_serialization_error(body: bytes) -> None:
    """Lone surrogates included: nothing else could store them."""
    sent = request("POST", "/", service="logs", x_amz_target="Logs_20140328.CreateLogGroup", body=body)
    assert (await refusal(sent))[0] == "SerializationException"


async def test_nulls_and_unknown_members_are_left_out() -> None:
    """AWS ignores both."""
    sent = json_request(
        "logs", "Logs_20140328.CreateLogGroup", {"logGroupName": "g", "kmsKeyId": None, "new": {"a": 1}}
    )
    _, params = await parse(decode(sent), sent.body)
    assert params == {"logGroupName": "g"}


async def test_a_64_bit_integer_keeps_every_bit_and_more_is_refused() -> None:
    """Longs are 64 bits wide on AWS."""
    for number, fits in ((2**63 - 1, True), (-(2**63), True), (2**63, False)):
        params = {"logGroupName": "g", "logStreamName": "s", "startTime": number}
        sent = json_request("logs", "Logs_20140328.GetLogEvents", params)
        if not fits:
            assert (await refusal(sent))[0] == "SerializationException"
        elif number >= 0:
            assert number == (await parse(decode(sent), sent.body))[1]["startTime"]
        else:
            assert (await refusal(sent))[0] == "InvalidParameterException"


async def test_a_name_that_was_refused_is_refused_again_beside_one_that_was_not() -> None:
    """What has kept a pattern is remembered, and nothing else."""
    for name in ("good", "a b", "good", "a b"):
        sent = query_request("iam", "GetRole", "2010-05-08", RoleName=name)
        if name == "good":
            assert (await parse(decode(sent), sent.body))[1] == {"RoleName": "good"}
        else:
            assert "'a b' at 'roleName'" in (await refusal(sent))[1]
