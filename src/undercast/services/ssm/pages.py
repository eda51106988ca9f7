"""MaxResults and NextToken of Parameter Store's lists.

Pure. The token names the last item given, so that items added or removed between two pages move nothing.
AWS: Systems Manager API Reference, "NextToken".
"""

import base64
import binascii
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, TypeVar

from undercast.core.service import Params
from undercast.services.ssm.errors import bad_token

T = TypeVar("T")
_MAX_DIGITS = 18


def position(params: Params) -> str:
    """What came last on the page before. Raises InvalidNextToken."""
    try:
        return base64.urlsafe_b64decode(params.get("NextToken", "")).decode()
    except (binascii.Error, ValueError):
        raise bad_token() from None


def number(params: Params) -> int:
    """`position` of a list whose items are numbered; 0 for its begin. Raises InvalidNextToken."""
    text = position(params)
    if text and not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise bad_token()
    return int(text or 0)


def page(found: Iterable[T], limit: int, name: Callable[[T], str]) -> tuple[list[T], dict[str, Any]]:
    """The items of one page, and the NextToken where there are more."""
    items = list(islice(found, limit + 1))
    if len(items) <= limit:
        return items, {}
    token = base64.urlsafe_b64encode(name(items[limit - 1]).encode()).decode()
    return items[:limit], {"NextToken": token}
