"""NextToken of Scheduler's lists: MaxResults items a page, 100 at most.

Pure. The token names the last item given. AWS: EventBridge Scheduler API Reference, ListSchedules.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from undercast.core.page_tokens import name_of, token_of
from undercast.core.service import Params
from undercast.services.scheduler.errors import invalid

T = TypeVar("T")
PER_PAGE = 100


def page(found: Iterable[T], name: Callable[[T], str], params: Params) -> tuple[list[T], dict[str, Any]]:
    """The items of one page, and the token where there are more. `found` is sorted by name."""
    try:
        after = name_of(params.get("NextToken"))
    except ValueError:
        raise invalid("Invalid NextToken.") from None
    limit = params.get("MaxResults") or PER_PAGE
    items = sorted((item for item in found if name(item) > after), key=name)[: limit + 1]
    if len(items) <= limit:
        return items, {}
    return items[:limit], {"NextToken": token_of(name(items[limit - 1]))}
