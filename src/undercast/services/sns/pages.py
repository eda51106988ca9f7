"""NextToken of SNS's lists: 100 items a page.

Pure. The token names the last item given. AWS: SNS API Reference, ListTopics, "up to 100".
"""

import base64
import binascii
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, TypeVar

from undercast.services.sns.errors import invalid

T = TypeVar("T")
PER_PAGE = 100


def position(token: str | None) -> str:
    """What came last on the page before. Raises InvalidParameter."""
    try:
        return base64.urlsafe_b64decode(token or "").decode()
    except (binascii.Error, ValueError):
        raise invalid("NextToken") from None


def page(found: Iterable[T], name: Callable[[T], str], token: str = "NextToken") -> tuple[list[T], dict[str, Any]]:
    """The items of one page, and the token where there are more."""
    items = list(islice(found, PER_PAGE + 1))
    if len(items) <= PER_PAGE:
        return items, {}
    return items[:PER_PAGE], {token: base64.urlsafe_b64encode(name(items[PER_PAGE - 1]).encode()).decode()}
