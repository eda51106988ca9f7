"""rest-json: HTTP bindings, documents as JSON, the exception's name in X-Amzn-ErrorType.

AWS: Smithy, "AWS restJson1 protocol".
"""

from collections.abc import Callable, Mapping
from typing import Any

from undercast.core.errors import ServiceError
from undercast.wire.draft import Draft, Failure
from undercast.wire.model import Shape
from undercast.wire.protocols.json import document_reader, document_writer, dump, failure_members
from undercast.wire.protocols.tree import TreeCompiler


class JsonBodies:
    """JSON as the body format of one service."""

    content_type = "application/json"

    def __init__(self, trees: TreeCompiler) -> None:
        self._trees = trees

    def reader(self, shape: Shape) -> Callable[[bytes], dict[str, Any]]:
        """See `BodyFormat`."""
        return document_reader(shape, self._trees)

    def writer(self, shape: Shape, root: str) -> Callable[[Mapping[str, Any]], bytes]:
        """See `BodyFormat`."""
        return document_writer(shape, self._trees)

    def invalid(self, place: str, name: str, text: str) -> ServiceError:
        """See `BodyFormat`."""
        return ServiceError("SerializationException", f"{text[:64]} is not a valid value of {name} in the {place}")


def encode_failure(failure: Failure, trees: TreeCompiler) -> Draft:
    """An exception: its name in a header, its members in the body."""
    headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", failure.name)]
    return Draft(status=failure.status, headers=headers, body=dump(failure_members(failure, trees)))
