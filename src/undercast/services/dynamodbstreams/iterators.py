"""Shard iterators of DynamoDB Streams: its errors, and the 15 minutes that they live.

Pure; the text is `services/shard_iterators.py`'s. AWS: DynamoDB Streams API Reference, GetShardIterator, GetRecords.
"""

from undercast.core.errors import ServiceError
from undercast.services import shard_iterators
from undercast.services.shard_iterators import Iterator

LIFE_S = 15 * 60.0


def read(text: str) -> Iterator:
    """Raises ValidationException for what is none."""
    try:
        return shard_iterators.read(text)
    except ValueError:
        raise ServiceError("ValidationException", "Invalid ShardIterator") from None


def check_age(iterator: Iterator, now: float) -> None:
    """Raises ExpiredIteratorException."""
    if now - iterator.issued_at > LIFE_S:
        raise ServiceError("ExpiredIteratorException", "Iterator expired: 15 minutes have passed since it was given.")
