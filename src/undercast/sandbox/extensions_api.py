"""The Extensions API: register, event/next, init/error and exit/error, on the listener of the Runtime API.

Reads requests and writes answers; who may do what is decided in `extensions`.
AWS: Lambda Developer Guide, "Using the Lambda Extensions API to create extensions"; errors as the public Runtime
Interface Emulator renders them.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from undercast.core import json_values
from undercast.sandbox.extensions import Extension, Extensions, Refused
from undercast.sandbox.lifecycle import ExtensionState
from undercast.sandbox.model import FunctionVersion
from undercast.sandbox.runtime_connection import ACCEPTED, Connection
from undercast.sandbox.runtime_messages import Message

PATH = b"/2020-01-01/extension/"
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_MAX_NAME_CHARACTERS = 255


def identified(extensions: Extensions, message: Message) -> Extension:
    """The extension that speaks, by its Lambda-Extension-Identifier. Raises Refused."""
    identifier = message.header("identifier")
    if not identifier:
        raise Refused("Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
    if not _UUID.fullmatch(identifier):
        raise Refused("Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier")
    return extensions.find(identifier)


class ExtensionsApi:
    """See the module."""

    def __init__(self, extensions: Extensions, function: FunctionVersion) -> None:
        self._extensions = extensions
        self._function = function
        self._routes: Mapping[bytes, tuple[bytes, Callable[[Connection, Message], None]]] = MappingProxyType(
            {
                PATH + b"register": (b"POST", self._register),
                PATH + b"event/next": (b"GET", self._next),
                PATH + b"init/error": (b"POST", self._init_error),
                PATH + b"exit/error": (b"POST", self._exit_error),
            }
        )

    def serve(self, connection: Connection, message: Message) -> None:
        """Answer one request."""
        method, operation = self._routes.get(message.url, (b"", None))
        if operation is None:
            connection.send_error(404, "NotFound", "404 page not found")
        elif message.method != method:
            connection.send_error(405, "MethodNotAllowed", "Method Not Allowed")
        else:
            try:
                operation(connection, message)
            except Refused as refused:
                connection.send_error(403, refused.error_type, refused.text)

    def _register(self, connection: Connection, message: Message) -> None:
        name = message.header("name")
        if not name or len(name) > _MAX_NAME_CHARACTERS:
            raise Refused("Extension.InvalidExtensionName", "Empty extension name" if not name else "Name is too long")
        extension = self._extensions.register(name, events_of(bytes(message.body)))
        function = self._function
        answer = {
            "functionName": function.name,
            "functionVersion": function.version,
            "handler": function.handler,
        }
        features = message.header("accept-feature").split(",")
        if "accountId" in (feature.strip() for feature in features):
            answer["accountId"] = function.account_id
        connection.send_json(200, answer, f"Lambda-Extension-Identifier: {extension.id}\r\n")

    def _next(self, connection: Connection, message: Message) -> None:
        self._extensions.ask(identified(self._extensions, message), connection)

    def _init_error(self, connection: Connection, message: Message) -> None:
        self._fail(connection, message, ExtensionState.INIT_ERROR)

    def _exit_error(self, connection: Connection, message: Message) -> None:
        self._fail(connection, message, ExtensionState.EXIT_ERROR)

    def _fail(self, connection: Connection, message: Message, state: ExtensionState) -> None:
        extension = identified(self._extensions, message)
        error_type = message.header("function-error-type")
        if not error_type:
            raise Refused("Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found")
        self._extensions.fail(extension, state, error_type)
        connection.write(ACCEPTED)


def events_of(body: bytes) -> tuple[str, ...]:
    """The member `events` of a registration; none when it is missing."""
    try:
        request = json_values.parse(body)
    except ValueError as error:
        raise Refused("InvalidRequestFormat", str(error) or "invalid JSON") from None
    events = request.get("events") if isinstance(request, dict) else None
    if events is None:
        events = []
    if not isinstance(request, dict) or not isinstance(events, list) or not all(isinstance(e, str) for e in events):
        raise Refused("InvalidRequestFormat", 'the body is to be {"events": ["INVOKE", "SHUTDOWN"]}')
    if request.get("configurationKeys"):
        raise Refused("InvalidRequestFormat", "configurationKeys are deprecated; use environment variables instead")
    return tuple(events)
