"""An operation's result as one protocol writes it, before the headers that all protocols share.

Pure data between `protocols/*` and `encode`.
AWS: Smithy's AWS protocol specifications, "Response serialization".
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from undercast.core.body import BodyStream
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.wire.call import Call
from undercast.wire.model import ServiceModel, Shape

LARGE_BYTES = 256 * 1024
"""A body above this is parsed in a thread, and in pieces."""


@dataclass(slots=True, kw_only=True)
class Draft:
    """A response in the making."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | AsyncIterator[bytes] = b""
    length: int | None = None


Parse = Callable[[Call, bytes | BodyStream], dict[str, Any]]
Encode = Callable[[Mapping[str, Any], str], Draft]
"""(output, request id) -> draft."""


@record
class Failure:
    """A ServiceError as the model knows it."""

    service: ServiceModel | None
    shape: Shape | None
    name: str
    """The exception's shape name; the code itself when the model lacks it."""
    code: str
    """The code that the query protocols use."""
    status: int
    error: ServiceError
    request_id: str
