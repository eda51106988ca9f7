"""NextToken of EventBridge's lists: Limit items a page, 100 at most.

Pure. The token names the last item given. AWS: EventBridge API Reference, the List operations.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from undercast.core.page_tokens import page_of
from undercast.core.service import Params
from undercast.services.events.errors import invalid

T = TypeVar("T")
PER_PAGE = 100


def page(found: Iterable[T], name: Callable[[T], str], params: Params) -> tuple[list[T], dict[str, str]]:
    """The items of one page, and the token where there are more."""
    try:
        return page_of(found, name, params.get("NextToken"), params.get("Limit") or PER_PAGE)
    except ValueError:
        raise invalid("Invalid nextToken.") from None
