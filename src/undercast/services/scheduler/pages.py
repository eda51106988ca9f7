"""NextToken of Scheduler's lists: MaxResults items a page, 100 at most.

Pure. The token names the last item given. AWS: EventBridge Scheduler API Reference, ListSchedules.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from undercast.core.page_tokens import name_of, page_of
from undercast.core.service import Params
from undercast.services.scheduler.errors import invalid

T = TypeVar("T")
PER_PAGE = 100


def beginning(params: Params) -> str:
    """The name that the page before ended with; "" for the first page."""
    try:
        return name_of(params.get("NextToken"))
    except ValueError:
        raise invalid("Invalid NextToken.") from None


def page(found: Iterable[T], name: Callable[[T], str], params: Params) -> tuple[list[T], dict[str, str]]:
    """The items of one page, and the token where there are more."""
    try:
        return page_of(found, name, params.get("NextToken"), params.get("MaxResults") or PER_PAGE)
    except ValueError:
        raise invalid("Invalid NextToken.") from None
