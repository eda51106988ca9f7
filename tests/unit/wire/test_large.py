"""Large bodies: the same parameters as small ones, whatever the document around the blob looks like."""

import json
from base64 import b64encode
from typing import Any

import pytest

from tests.unit.wire.requests import request
from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.wire.decode import decode, parse, parse_now
from undercast.wire.draft import LARGE_BYTES
from undercast.wire.large import position

BLOB = bytes(range(256)) * 8192
TEXT = b64encode(BLOB).decode()


async def layer(document: str) -> dict[str, Any]:
    """PublishLayerVersion with this body."""
    sent = request("POST", "/2018-10-31/layers/l/versions", service="lambda", body=document.encode())
    _, params = await parse(decode(sent), sent.body)
    return params


@pytest.mark.parametrize(
    "document",
    [
        json.dumps({"Content": {"ZipFile": TEXT}, "Description": "d"}),
        json.dumps({"Description": "d", "Content": {"ZipFile": TEXT}}, indent=2),
        json.dumps({"Description": "d", "Content": {"ZipFile": TEXT}}).replace("/", "\\/"),
        json.dumps({"Unknown": {"ZipFile": TEXT}, "Description": "d", "Content": {"ZipFile": TEXT}}),
        json.dumps({"Unknown": "x" * (1024 * 1024 - 40), "Description": "d", "Content": {"ZipFile": TEXT}}),
        json.dumps({"Unknown": '"ZipFile":"', "Description": "d", "Content": {"ZipFile": TEXT}}),
    ],
)
async def test_a_large_blob_arrives_whole(document: str) -> None:
    """50 MB of zip inside JSON are AWS's limit for CreateFunction; two take the same way."""
    assert len(document) > LARGE_BYTES
    assert await layer(document) == {"LayerName": "l", "Description": "d", "Content": {"ZipFile": BLOB}}


@pytest.mark.parametrize("text", [TEXT[:-3], TEXT[:1001] + "=" + TEXT[1001:-1]])
async def test_a_large_blob_that_is_no_base64_is_refused(text: str) -> None:
    """As a small one is."""
    with pytest.raises(ServiceError) as caught:
        await layer(json.dumps({"Content": {"ZipFile": text}}))
    assert caught.value.code == "SerializationException"


async def test_a_large_document_is_validated_too() -> None:
    """Constraints hold whatever the size."""
    with pytest.raises(ServiceError) as caught:
        await layer(json.dumps({"Content": {"ZipFile": TEXT}, "Description": "d" * 257}))
    assert caught.value.code == "ValidationException"


@pytest.mark.parametrize("edge", range(-3, 3))
def test_a_search_in_pieces_finds_what_lies_across_two(edge: int) -> None:
    """As `bytes.find` does, whose single look at 67 MB would stop the loop."""
    before = 1024 * 1024 + edge
    data = b"-" * before + b"key" + b"-" * 5
    assert position(data, b"key", 0, len(data)) == data.find(b"key") == before
    assert position(data, b"key", 0, before + 2) == -1
    assert position(data, b"key", before + 1, len(data)) == -1


@pytest.mark.parametrize(("lists", "at_once"), [(1500, True), (5000, False)])
async def test_many_small_lists_are_read_beside_the_loop(lists: int, at_once: bool) -> None:
    """What a document costs is how much there is in it, not how long it is."""
    item = {"p": {"S": "a"}, "x": {"L": [{"L": []}] * (lists // 2)}}
    body = json.dumps({"TableName": "table", "Item": item}).encode()
    assert len(body) < LARGE_BYTES
    sent = request("POST", "/", service="dynamodb", body=body, x_amz_target="DynamoDB_20120810.PutItem")
    call = decode(sent)
    assert (parse_now(call, sent.body) is not None) is at_once
    _, params = await parse(call, BodyStream.of(body))
    assert params == {"TableName": "table", "Item": item}
