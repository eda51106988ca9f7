"""The continuation tokens of S3's lists.

Pure. AWS: S3 API Reference, ListObjectsV2 and ListBuckets ("ContinuationToken is obfuscated").
"""

from undercast.core import page_tokens
from undercast.services.s3.errors import InvalidArgument


def name_of(token: str) -> str:
    """The name in a token. Raises InvalidArgument for a text that is none of ours."""
    try:
        if not token:
            raise ValueError
        return page_tokens.name_of(token)
    except ValueError:
        text = "The continuation token provided is incorrect"
        raise InvalidArgument(text, members={"ArgumentName": "continuation-token"}) from None
