"""MaxResults and NextToken of Parameter Store's lists.

Pure. The token names the last item given, so that items added or removed between two pages move nothing.
AWS: Systems Manager API Reference, "NextToken".
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, TypeVar

from undercast.core.page_tokens import name_of, number_of, token_of
from undercast.core.service import Params
from undercast.services.ssm.errors import bad_token

T = TypeVar("T")


def position(params: Params) -> str:
    """What came last on the page before. Raises InvalidNextToken."""
    try:
        return name_of(params.get("NextToken"))
    except ValueError:
        raise bad_token() from None


def number(params: Params) -> int:
    """`position` of a list whose items are numbered; 0 for its begin. Raises InvalidNextToken."""
    try:
        return number_of(params.get("NextToken"))
    except ValueError:
        raise bad_token() from None


def page(found: Iterable[T], limit: int, name: Callable[[T], str]) -> tuple[list[T], dict[str, Any]]:
    """The items of one page, and the NextToken where there are more."""
    items = list(islice(found, limit + 1))
    if len(items) <= limit:
        return items, {}
    return items[:limit], {"NextToken": token_of(name(items[limit - 1]))}
