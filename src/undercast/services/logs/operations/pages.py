"""Pages of lists that are read whole.

Pure. A token names the item that the page ended with; of a list in an order that is not that of names, its place.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

from undercast.core.page_tokens import name_of, number_of, token_of
from undercast.core.service import Params
from undercast.services.logs.errors import invalid

T = TypeVar("T")
PAGE_ITEMS = 50


def page_of(
    found: Sequence[tuple[str, dict[str, Any]]], params: Params, limit: int | None = None
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Of (key, output) pairs in order of their keys: those behind nextToken, up to the limit; and the next token."""
    try:
        after = name_of(params.get("nextToken"))
    except ValueError as error:
        raise invalid("The specified nextToken is invalid.") from error
    limit = limit or params.get("limit") or PAGE_ITEMS
    left = [pair for pair in found if pair[0] > after]
    token = {"nextToken": token_of(left[limit - 1][0])} if len(left) > limit else {}
    return [output for _, output in left[:limit]], token


def slice_of(found: Sequence[T], params: Params, limit: int) -> tuple[Sequence[T], dict[str, str]]:
    """Those from the place in nextToken on, up to the limit; and the next token."""
    try:
        begin = number_of(params.get("nextToken"))
    except ValueError as error:
        raise invalid("The specified nextToken is invalid.") from error
    end = begin + limit
    return found[begin:end], {"nextToken": token_of(str(end))} if end < len(found) else {}
