"""Shard iterators: a position in a shard, as text that its holder gives back within 15 minutes.

Pure. AWS: DynamoDB Streams API Reference, GetShardIterator, GetRecords.
"""

import base64
import binascii
import json
from typing import NamedTuple

from undercast.core.errors import ServiceError

LIFE_S = 15 * 60.0


class Iterator(NamedTuple):
    """The next record is the first of the shard with at least this sequence number."""

    stream_arn: str
    shard_id: int
    sequence: int
    issued_at: float


def written(iterator: Iterator) -> str:
    """The text: the stream's ARN, and the rest in base64."""
    rest = json.dumps(iterator[1:]).encode()
    return f"{iterator.stream_arn}|1|{base64.b64encode(rest).decode()}"


def read(text: str) -> Iterator:
    """Raises ValidationException for what is none."""
    try:
        arn, _, rest = text.split("|")
        shard_id, sequence, issued_at = json.loads(base64.b64decode(rest, validate=True))
        return Iterator(arn, int(shard_id), int(sequence), float(issued_at))
    except (ValueError, TypeError, binascii.Error, RecursionError, OverflowError):
        raise ServiceError("ValidationException", "Invalid ShardIterator") from None


def check_age(iterator: Iterator, now: float) -> None:
    """Raises ExpiredIteratorException."""
    if now - iterator.issued_at > LIFE_S:
        raise ServiceError("ExpiredIteratorException", "Iterator expired: 15 minutes have passed since it was given.")
