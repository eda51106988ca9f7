"""Shard iterators: a position in a shard, as text that its holder gives back within some minutes.

Pure. AWS: DynamoDB Streams API Reference and Kinesis API Reference, GetShardIterator, GetRecords.
"""

import base64
import binascii
import json
from typing import NamedTuple

from undercast.core import json_values


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
    """Raises ValueError for what is none."""
    try:
        arn, _, rest = text.split("|")
        shard_id, sequence, issued_at = json_values.parse(base64.b64decode(rest, validate=True))
        return Iterator(arn, int(shard_id), int(sequence), float(issued_at))
    except (ValueError, TypeError, binascii.Error, OverflowError) as error:
        raise ValueError("no iterator") from error
