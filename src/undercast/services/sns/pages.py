"""NextToken of SNS's lists: 100 items a page.

Pure. The token names the last item given. AWS: SNS API Reference, ListTopics, "up to 100".
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, TypeVar

from undercast.core.page_tokens import name_of, token_of
from undercast.services.sns.errors import invalid

T = TypeVar("T")
PER_PAGE = 100


def position(token: str | None) -> str:
    """What came last on the page before. Raises InvalidParameter."""
    try:
        return name_of(token)
    except ValueError:
        raise invalid("NextToken") from None


def page(
    found: Iterable[T], name: Callable[[T], str], token: str = "NextToken", *, limit: int = PER_PAGE
) -> tuple[list[T], dict[str, Any]]:
    """The items of one page, and the token where there are more."""
    items = list(islice(found, limit + 1))
    if len(items) <= limit:
        return items, {}
    return items[:limit], {token: token_of(name(items[limit - 1]))}
