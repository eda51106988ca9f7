"""Continuation tokens: the name that a page ended with, in a form that goes into a query string.

Pure. AWS: S3 API Reference, ListObjectsV2 and ListBuckets ("ContinuationToken is obfuscated").
"""

import base64
import binascii

from undercast.services.s3.errors import InvalidArgument


def token_of(name: str) -> str:
    """The token behind a name."""
    return base64.urlsafe_b64encode(name.encode()).decode()


def name_of(token: str) -> str:
    """The name in a token. Raises InvalidArgument for a text that is none of ours."""
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        text = "The continuation token provided is incorrect"
        raise InvalidArgument(text, members={"ArgumentName": "continuation-token"}) from None
