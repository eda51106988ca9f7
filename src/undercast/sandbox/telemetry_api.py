"""The Telemetry API and the older Logs API: one request each, by which an extension subscribes during INIT.

Reads and validates the request; who gets what is decided in `telemetry`.
AWS: Lambda Developer Guide, "Lambda Telemetry API reference", "Lambda Logs API"; what may be in a subscription as the
schema in the public Runtime Interface Emulator has it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import urlsplit

from undercast.core import json_values
from undercast.sandbox.extensions import Extensions, Refused
from undercast.sandbox.extensions_api import identified
from undercast.sandbox.platform_events import PlatformEvent
from undercast.sandbox.runtime_connection import Connection
from undercast.sandbox.runtime_messages import Message
from undercast.sandbox.telemetry import Api, Subscription, Telemetry
from undercast.sandbox.telemetry_delivery import Destination

TELEMETRY_PATH, LOGS_PATH = b"/2022-07-01/telemetry", b"/2020-08-15/logs"
_VERSIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"telemetry": ("2022-07-01", "2022-12-13", "2025-01-29"), "logs": ("2020-08-15", "2021-03-18")}
)
_TYPES = ("platform", "function", "extension")
_HOSTS = ("sandbox.localdomain", "sandbox")
_RESERVED_PORT = 9001
_BUFFERING: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "maxItems": (10_000, 1_000, 10_000),
        "maxBytes": (262_144, 262_144, 1_048_576),
        "timeoutMs": (1_000, 25, 30_000),
    }
)
"""Default, least, most."""


class Invalid(Exception):
    """What AWS answers with 400; all problems of a request in one text."""


class TelemetryApi:
    """See the module. `tell` is given the event about a new subscription."""

    def __init__(self, extensions: Extensions, telemetry: Telemetry, tell: Callable[[PlatformEvent], None]) -> None:
        self._extensions = extensions
        self._telemetry = telemetry
        self._tell = tell

    def serve(self, connection: Connection, message: Message) -> None:
        """Answer one request."""
        api: Api = "telemetry" if message.url.startswith(TELEMETRY_PATH) else "logs"
        if message.url.rstrip(b"/") not in (TELEMETRY_PATH, LOGS_PATH):
            connection.send_error(404, "NotFound", "404 page not found")
        elif message.method != b"PUT":
            connection.send_error(405, "MethodNotAllowed", "Method Not Allowed")
        else:
            try:
                self._subscribe(api, message)
            except Refused as refused:
                connection.send_error(403, refused.error_type, refused.text)
            except Invalid as invalid:
                connection.send_error(400, _validation_error(api), str(invalid))
            else:
                connection.send_json(200, "OK")

    def _subscribe(self, api: Api, message: Message) -> None:
        extension = identified(self._extensions, message)
        title = api.capitalize()
        if not self._telemetry.open:
            raise Refused(f"{title}.SubscriptionClosed", f"{title} API subscription is closed")
        if self._telemetry.api_of(extension.name) not in (None, api):
            raise Invalid("the extension has subscribed through the other API already")
        event = self._telemetry.subscribe(extension.name, parse(api, bytes(message.body)))
        if event is not None:
            self._tell(event)


def parse(api: Api, body: bytes) -> Subscription:
    """The subscription that a request's body asks for. Raises Invalid."""
    try:
        request = json_values.parse(body)
    except ValueError as error:
        raise Invalid(f"Invalid JSON: {error}") from None
    if not isinstance(request, dict):
        raise Invalid("Invalid JSON: an object is expected")
    problems: list[str] = []
    version = request.get("schemaVersion", _VERSIONS[api][0] if api == "logs" else None)
    if version not in _VERSIONS[api]:
        problems.append(f"schemaVersion should be one of {', '.join(_VERSIONS[api])}")
    limits = _limits(request.get("buffering"), problems)
    destination = _destination(api, request.get("destination"), limits, problems)
    types = _types(request.get("types"), problems)
    if problems or destination is None:
        raise Invalid("; ".join(problems))
    return Subscription(api=api, schema_version=str(version), types=types, destination=destination)


def _types(wanted: object, problems: list[str]) -> tuple[str, ...]:
    if not isinstance(wanted, list) or not wanted:
        problems.append("types should not be empty")
        return ()
    if any(kind not in _TYPES for kind in wanted):
        problems.append(f"types should be among {', '.join(_TYPES)}")
        return ()
    return tuple(dict.fromkeys(wanted))


def _limits(buffering: object, problems: list[str]) -> dict[str, int]:
    given = buffering if isinstance(buffering, dict) else {}
    if buffering is not None and not isinstance(buffering, dict):
        problems.append("buffering should be an object")
    values: dict[str, int] = {}
    for name, (default, least, most) in _BUFFERING.items():
        value = given.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            problems.append(f"{name} should be between {least} and {most}")
            value = default
        values[name] = value
    return values


def _destination(api: Api, wanted: object, limits: Mapping[str, int], problems: list[str]) -> Destination | None:
    destination: dict[str, Any] = wanted if isinstance(wanted, dict) else {}
    protocol = destination.get("protocol")
    if protocol not in ("HTTP", "TCP"):
        problems.append("destination protocol should be HTTP or TCP")
        return None
    method = destination.get("method", "POST") if api == "logs" else "POST"
    if method not in ("POST", "PUT"):
        problems.append("destination method should be POST or PUT")
    uri = destination.get("URI") if protocol == "HTTP" else None
    host, port, path = _HOSTS[0], destination.get("port"), "/"
    if protocol == "HTTP":
        host, port, path = _address(uri, problems)
    if protocol == "TCP" or port is not None:
        _check_port(port, problems)
    if problems:
        return None
    return Destination(
        protocol=protocol,
        host=host,
        port=cast(int, port),
        path=path,
        method="PUT" if method == "PUT" else "POST",
        max_items=limits["maxItems"],
        max_bytes=limits["maxBytes"],
        timeout_s=limits["timeoutMs"] / 1000,
    )


def _address(uri: object, problems: list[str]) -> tuple[str, int | None, str]:
    """Host, port and path of http://sandbox.localdomain:PORT/PATH."""
    text = uri if isinstance(uri, str) else ""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        problems.append("URI is not valid")
        return "", None, ""
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if parts.scheme != "http":
        problems.append("URI should begin with http://")
    elif parts.hostname not in _HOSTS:
        problems.append(f"URI host should be {_HOSTS[0]}")
    if port is None:
        problems.append("URI port is not provided")
    if not path.isascii() or any(ord(character) <= 32 for character in path):
        problems.append("URI path is not valid")
    return parts.hostname or "", port, path


def _check_port(port: object, problems: list[str]) -> None:
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65_535:
        problems.append("port should be between 1 and 65535")
    elif port == _RESERVED_PORT:
        problems.append(f"port {_RESERVED_PORT} is reserved")


def _validation_error(api: Api) -> str:
    return "ValidationError" if api == "telemetry" else "Logs.ValidationError"
