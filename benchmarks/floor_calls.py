"""What boto3 alone costs for DynamoDB, SQS, SNS and Kinesis: a server that answers rightly and does nothing else.

httptools on uvloop, one process; every answer is written down below. No server that does its work can be faster to the
same client. AWS: API references of the four services; SNS speaks the query protocol, the others JSON.
"""

import argparse
import asyncio
import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import parse_qs

import httptools
import uvloop

BODY = "x" * 200
"""What `benchmarks/sources.py` sends: its MD5 is in SQS's answers, and boto3 checks it."""
_MD5 = hashlib.md5(BODY.encode(), usedforsecurity=False).hexdigest()
_ID = "00000000-0000-4000-8000-000000000000"
_MESSAGE = {"MessageId": _ID, "ReceiptHandle": "h" * 60, "MD5OfBody": _MD5, "Body": BODY}
_ITEM = {"k": {"S": "k1"}, "v": {"S": BODY}, "n": {"N": "7"}}
_STREAM = {"StreamName": "s", "StreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/s", "StreamStatus": "ACTIVE"}
JSON: Mapping[str, Mapping[str, Any]] = {
    "CreateTable": {"TableDescription": {"TableStatus": "ACTIVE"}},
    "DescribeTable": {"Table": {"TableStatus": "ACTIVE"}},
    "PutItem": {},
    "GetItem": {"Item": _ITEM},
    "CreateQueue": {"QueueUrl": "http://127.0.0.1/000000000000/q"},
    "SendMessage": {"MD5OfMessageBody": _MD5, "MessageId": _ID},
    "ReceiveMessage": {"Messages": [_MESSAGE]},
    "DeleteMessage": {},
    "CreateStream": {},
    "DescribeStream": {"StreamDescription": {**_STREAM, "Shards": [], "HasMoreShards": False}},
    "PutRecord": {"ShardId": "shardId-000000000000", "SequenceNumber": "4" * 56},
}
_SNS = '<{0}Response xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><{0}Result>{1}</{0}Result></{0}Response>'
QUERY = {
    "CreateTopic": _SNS.format("CreateTopic", "<TopicArn>arn:aws:sns:us-east-1:000000000000:t</TopicArn>"),
    "Publish": _SNS.format("Publish", f"<MessageId>{_ID}</MessageId>"),
}
_ANSWERS = {name: json.dumps(answer).encode() for name, answer in JSON.items()}
_ANSWERS |= {name: answer.encode() for name, answer in QUERY.items()}


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._parts: list[bytes] = []
        self._operation = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection is open."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes have come."""
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """httptools: one header."""
        if name.lower() == b"x-amz-target":
            self._operation = value.decode().rpartition(".")[2]

    def on_body(self, part: bytes) -> None:
        """httptools: bytes of the body."""
        self._parts.append(part)

    def on_message_complete(self) -> None:
        """httptools: the request is complete."""
        body, operation = b"".join(self._parts), self._operation
        self._parts, self._operation = [], ""
        operation = operation or parse_qs(body.decode())["Action"][0]
        answer, kind = _ANSWERS[operation], "text/xml" if operation in QUERY else "application/x-amz-json-1.0"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(answer)}\r\n\r\n"
        self._transport.writelines([head.encode(), answer])


async def serve(port: int) -> None:
    """Answer on loopback until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))
