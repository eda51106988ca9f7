"""One page of a listing: prefix, delimiter, marker, common prefixes.

Pure. Reads as many rows as the page shows and one more: behind a common prefix it seeks instead of skipping rows.
AWS: S3 User Guide, "Organizing objects using prefixes", "Listing object keys programmatically".
"""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from undercast.core.record import record
from undercast.services.s3.keys import successor

T = TypeVar("T")


@record
class Page(Generic[T]):
    """`last` is the last thing shown, an entry or a common prefix; the next page starts behind it."""

    entries: tuple[T, ...]
    prefixes: tuple[str, ...]
    truncated: bool
    last: T | str | None


@record
class Source(Generic[T]):
    """Rows in the listing's order. `seek` starts at the first key that is not less than its argument."""

    seek: Callable[[str], Iterator[T]]
    key_of: Callable[[T], str]


@record
class Query:
    """What a listing asks for."""

    prefix: str = ""
    delimiter: str = ""
    limit: int = 1000


def group_of(key: str, query: Query) -> str | None:
    """The common prefix that a key is rolled up in, or None."""
    if not query.delimiter:
        return None
    end = key.find(query.delimiter, len(query.prefix))
    return None if end < 0 else key[: end + len(query.delimiter)]


def start_after(marker: str, query: Query) -> str | None:
    """The first key that may follow a marker; None when nothing can.

    A marker that is itself a common prefix skips everything rolled up in it.
    """
    if marker < query.prefix:
        return query.prefix
    if marker.startswith(query.prefix) and group_of(marker, query) == marker:
        return successor(marker)
    return marker + "\0"


def page(rows: Iterator[T], source: Source[T], query: Query) -> Page[T]:
    """Fill one page from `rows`, which starts where the listing starts."""
    entries: list[T] = []
    prefixes: list[str] = []
    last: T | str | None = None
    while query.limit > 0:
        row = next(rows, None)
        if row is None or not (key := source.key_of(row)).startswith(query.prefix):
            break
        if len(entries) + len(prefixes) == query.limit:
            return Page(entries=tuple(entries), prefixes=tuple(prefixes), truncated=True, last=last)
        group = group_of(key, query)
        if group is None:
            entries.append(row)
            last = row
            continue
        prefixes.append(group)
        last = group
        following = successor(group)
        if following is None:
            break
        rows = source.seek(following)
    return Page(entries=tuple(entries), prefixes=tuple(prefixes), truncated=False, last=last)
