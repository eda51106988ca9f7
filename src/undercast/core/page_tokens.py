"""Tokens of lists that are given page by page: the name or number that a page ended with, fit for a query string.

Pure. A token that names the last item is true to lists that change between two pages. What a service calls it and how
it refuses a wrong one is the service's. AWS says of all of them that they are opaque.
"""

import base64
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
_MAX_DIGITS = 18


def token_of(name: str) -> str:
    """The token behind an item."""
    return base64.urlsafe_b64encode(name.encode()).decode()


def name_of(token: str | None) -> str:
    """The item that a token names; "" without one. Raises ValueError for a text that is none of ours."""
    try:
        return base64.b64decode(token or "", altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise ValueError("no token") from error


def number_of(token: str | None) -> int:
    """The number in a token; 0 without one. Raises ValueError."""
    text = name_of(token)
    if text and not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise ValueError("no number")
    return int(text or 0)


def page_of(
    found: Iterable[T], name: Callable[[T], str], token: str | None, limit: int
) -> tuple[list[T], dict[str, str]]:
    """The items behind a token, by name, and NextToken where there are more. Raises ValueError for a wrong token."""
    after = name_of(token)
    items = sorted((item for item in found if name(item) > after), key=name)
    if len(items) <= limit:
        return items, {}
    return items[:limit], {"NextToken": token_of(name(items[limit - 1]))}
