"""Malformed input of every kind: the decoder gives a Call or a ServiceError of 4xx, never another exception.

Valid requests of all protocols are truncated, flipped and spliced; documents of random structure are sent to operations
that were never meant to get them. `FUZZ_EXAMPLES` (environment) raises the number of examples.
"""

import json
import os
import string
from dataclasses import replace
from functools import cache
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.botocore_side import SPOKEN, model_of, request_of
from tests.conformance.values import Values
from tests.unit.wire.requests import FORM, request
from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest, HttpResponse
from undercast.wire import cbor
from undercast.wire.decode import decode, parse
from undercast.wire.encode import encode_error
from undercast.wire.model import catalogue

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "150"))
FUZZ = settings(max_examples=EXAMPLES, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None)
TEXT = st.text(max_size=20)
BYTES = st.binary(max_size=60)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
HEADER_NAMES = st.sampled_from(
    [
        "authorization", "content-type", "content-length", "content-encoding", "host", "smithy-protocol",
        "x-amz-target", "x-amz-date", "x-amz-content-sha256", "x-amz-copy-source", "x-amz-meta-a", "x-amz-acl", "range",
        "if-match", "if-modified-since", "x-amz-invocation-type", "x-amz-object-attributes",
        "x-amz-decoded-content-length",
    ]
)  # fmt: skip
HEADER_TEXT = st.text(alphabet=string.printable[:95] + "éÿ", max_size=40)


@cache
def seeds() -> tuple[HttpRequest, ...]:
    """Valid requests: six operations of every service in every protocol, and every one of S3's."""
    found = []
    for service, protocol in SPOKEN:
        model = model_of(service, protocol)
        names = (
            model.operation_names
            if service == "s3"
            else model.operation_names[:: max(1, len(model.operation_names) // 6)]
        )
        for name in names:
            operation = model.operation_model(name)
            params = Values(edge="low").of(operation.input_shape) if operation.input_shape else {}
            found.append(request_of(operation, protocol, params))
    return tuple(found)


async def survives(sent: HttpRequest) -> None:
    """Decode and parse. Whatever happens, there is an answer."""
    call = None
    try:
        call = decode(sent)
        call, params = await parse(call, sent.body)
        assert isinstance(params, dict)
    except ServiceError as error:
        assert 400 <= error.status < 500 or error.code == "NotImplemented", error
        response = encode_error(call, sent, error, "request-id")
        assert isinstance(response, HttpResponse)


def with_body(sent: HttpRequest, body: bytes) -> HttpRequest:
    """The request with another body."""
    return replace(sent, body=BodyStream.of(body))


@st.composite
def mutated(draw: st.DrawFn) -> HttpRequest:
    """A valid request with one to three wounds."""
    sent = draw(st.sampled_from(seeds()))
    body = sent.body.buffered or b""
    headers = dict(sent.headers)
    target = sent.target
    method = sent.method
    for _ in range(draw(st.integers(1, 3))):
        wound = draw(st.sampled_from(["cut", "flip", "splice", "header", "drop", "target", "method", "other"]))
        at = draw(st.integers(0, max(0, len(body) - 1)))
        if wound == "cut":
            body = body[:at]
        elif wound == "flip" and body:
            body = body[:at] + bytes([body[at] ^ (1 << draw(st.integers(0, 7)))]) + body[at + 1 :]
        elif wound == "splice":
            body = body[:at] + draw(BYTES) + body[at:]
        elif wound == "header":
            headers[draw(HEADER_NAMES)] = draw(HEADER_TEXT)
        elif wound == "drop":
            headers.pop(draw(st.sampled_from(sorted(headers))), None)
        elif wound == "target":
            cut = draw(st.integers(0, len(target)))
            target = target[:cut] + draw(st.text(alphabet="/?&=%ab+.-{}F0", max_size=8)) + target[cut:]
        elif wound == "method":
            method = draw(st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS", "X"]))
        else:
            body = draw(st.sampled_from(seeds())).body.buffered or b""
    return replace(sent, method=method, target=target, headers=headers, body=BodyStream.of(body))


@given(sent=mutated())
@FUZZ
async def test_a_wounded_request_is_refused_or_understood(sent: HttpRequest) -> None:
    """Truncated, flipped, spliced, with strange headers and targets."""
    await survives(sent)


@given(sent=st.builds(
    lambda method, target, headers, body: with_body(
        HttpRequest(method=method, target=target, headers=headers, body=BodyStream.of(b"")), body
    ),
    st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    st.text(alphabet=string.printable[:94], max_size=60),
    st.dictionaries(HEADER_NAMES, HEADER_TEXT, max_size=5),
    BYTES,
))  # fmt: skip
@FUZZ
async def test_noise_is_refused_or_understood(sent: HttpRequest) -> None:
    """Nothing of the request was ever valid."""
    await survives(sent)


def operations(protocol: str) -> st.SearchStrategy[tuple[str, str]]:
    """(service, operation) pairs of a protocol."""
    names = [
        (service, name)
        for service, spoken in SPOKEN
        if spoken == protocol
        for name in catalogue().service(service).operations
    ]
    return st.sampled_from(sorted(names))


@st.composite
def shaped(draw: st.DrawFn, service: str, operation: str) -> Any:
    """A document with some of the operation's members, and anything in them."""
    members = list(catalogue().service(service).operations[operation].input.members)
    keys = st.sampled_from(members) if members else TEXT
    return draw(st.dictionaries(keys, TREES, max_size=5))


@given(data=st.data())
@FUZZ
async def test_json_of_another_shape_is_refused_or_understood(data: st.DataObject) -> None:
    """Types are checked by the model before an operation sees them."""
    service, operation = data.draw(operations("json"))
    entry = catalogue().entries[service]
    document = data.draw(shaped(service, operation))
    target = f"{entry.target_prefix}.{operation}"
    body = json.dumps(document).encode()
    await survives(request("POST", "/", service=entry.signing_name, x_amz_target=target, body=body))


@given(data=st.data())
@FUZZ
async def test_cbor_of_another_shape_is_refused_or_understood(data: st.DataObject) -> None:
    """The same for CBOR, whose integers and keys can be anything."""
    service, operation = data.draw(operations("smithy-rpc-v2-cbor"))
    entry = catalogue().entries[service]
    document = data.draw(shaped(service, operation))
    body = cbor.dumps(json.loads(json.dumps(document), parse_int=lambda text: int(text) % 2**63))
    path = f"/service/{entry.target_prefix}/operation/{operation}"
    await survives(request("POST", path, service=entry.signing_name, smithy_protocol="rpc-v2-cbor", body=body))


@given(data=st.data())
@FUZZ
async def test_forms_of_another_shape_are_refused_or_understood(data: st.DataObject) -> None:
    """Parameters that are lists, maps and scalars at once, indexes that are none."""
    service, operation = data.draw(operations("query"))
    entry = catalogue().entries[service]
    members = list(catalogue().service(service).operations[operation].input.members) or ["A"]
    part = st.sampled_from(["member", "entry", "1", "2", "key", "value", "Name", "Value", "x", "", "999999999999"])
    name = st.builds(lambda first, rest: ".".join([first, *rest]), st.sampled_from(members), st.lists(part, max_size=4))
    pairs = data.draw(
        st.lists(st.tuples(name, TEXT.map(lambda text: text.encode("ascii", "ignore").decode())), max_size=6)
    )
    form = "&".join(
        [f"Action={operation}", f"Version={entry.api_version}", *(f"{key}={value}" for key, value in pairs)]
    )
    await survives(request("POST", "/", service=entry.signing_name, content_type=FORM, body=form.encode()))


XML = st.recursive(
    st.sampled_from(["", "text", "1", "2015-01-01T00:00:00Z", "&amp;", "&#0;", "<![CDATA[x]]>", "&bomb;"]),
    lambda inner: st.builds(
        lambda tag, parts: f"<{tag}>{''.join(parts)}</{tag}>",
        st.sampled_from(
            ["Object", "Key", "Part", "PartNumber", "Rule", "Tag", "TagSet", "Value", "Days", "x:y", "Quiet"]
        ),
        st.lists(inner, max_size=4),
    ),
    max_leaves=12,
)


@given(body=XML, target=st.sampled_from(["/b?delete", "/b/k?uploadId=u", "/b?lifecycle", "/b?tagging", "/b", "/b?acl"]))
@FUZZ
async def test_xml_of_another_shape_is_refused_or_understood(body: str, target: str) -> None:
    """Unknown elements, entities, namespaces that are not declared."""
    method = "POST" if "delete" in target or "uploadId" in target else "PUT"
    document = f'<!DOCTYPE a [<!ENTITY bomb "b">]><R>{body}</R>' if "bomb" in body else f"<R>{body}</R>"
    await survives(request(method, target, service="s3", body=document.encode()))


async def test_deep_documents_are_refused() -> None:
    """Neither the parser's stack nor ours can be exhausted."""
    deep = b'{"Item":{"a":' + b'{"L":[' * 20_000 + b"]}" * 20_000 + b"}}"
    await survives(request("POST", "/", service="dynamodb", x_amz_target="DynamoDB_20120810.PutItem", body=deep))
    less = b'{"TableName":"table","Item":{"a":' + b'{"L":[' * 300 + b"]}" * 300 + b"}}"
    await survives(request("POST", "/", service="dynamodb", x_amz_target="DynamoDB_20120810.PutItem", body=less))
    await survives(request("PUT", "/b?tagging", service="s3", body=b"<a>" * 50_000 + b"</a>" * 50_000))
