"""The platform's own endpoints: status, trace, deliveries, outbox, clock, console.

Not AWS's. A browser page can reach loopback, so all refuse an `Origin` header, and a change needs the token in the
data folder, as does everything that another machine asks. A function inside a sandbox sees none of them.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote

from undercast.core import json_values
from undercast.core.addresses import is_this_machine
from undercast.core.clock import PlatformClock
from undercast.core.errors import ServiceError
from undercast.core.http import HttpHandler, HttpRequest, HttpResponse
from undercast.core.record import record
from undercast.events.causality import CausalLog
from undercast.gateway import console
from undercast.gateway.health import Answer, check_host, in_json, refusal
from undercast.gateway.hosts import HostNames

_SHOWN, _MOST_SHOWN = 100, 1000
_MOST_NAMED_BYTES = 1024 * 1024


@record
class AdminTools:
    """What the endpoints show or change."""

    token: str
    host_names: HostNames
    status: Callable[[], Awaitable[Answer]]
    capabilities: Callable[[], Mapping[str, Any]]
    causality: CausalLog
    platform_clock: PlatformClock
    keep_offset: Callable[[float], Awaitable[None]]
    """Stores how far the platform clock is ahead, before it is moved."""
    reset: Callable[[], Awaitable[None]]
    drained: Callable[[], Awaitable[None]]
    dead: Callable[[int], Awaitable[Sequence[Mapping[str, Any]]]]
    """So many of the newest deliveries that were given up."""
    retry: Callable[[Sequence[str] | None], Awaitable[Sequence[str]]]
    """Has these, or all, delivered anew; their ids."""
    outbox: Callable[[int], Answer]
    """So many of the newest mails, text messages and push notifications that would have left the machine."""
    opt_out: Callable[[Mapping[str, Any]], Awaitable[Answer]]
    """Takes {"phone_number", "account_id", "region"}: who has the number wants no messages."""
    unregister: Callable[[Mapping[str, Any]], Awaitable[Answer]]
    """Takes {"endpoint_arn"}: the token of this device is not valid any more."""
    debug: Callable[[bytes], Awaitable[Mapping[str, Any]]]
    """Begins or ends the debugging of a function, as the body says."""
    images: Callable[[HttpRequest], Awaitable[Answer]]
    """Shows, takes and forgets container images."""
    code: HttpHandler
    """Answers the signed URLs that GetFunction gives (Code.Location)."""


class Admin:
    """Answers `/_undercast/*`, but for health."""

    def __init__(self, tools: AdminTools) -> None:
        self._tools = tools

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer in JSON; the console in HTML."""
        try:
            if request.method == "GET" and request.path.startswith("/_undercast/code/"):
                return await self._tools.code(request)
            if request.method == "GET" and request.path.rstrip("/") == "/_undercast/console":
                return await self._console(request)
            return in_json(200, await self._answer(request))
        except ServiceError as error:
            return refusal(error)

    async def _console(self, request: HttpRequest) -> HttpResponse:
        check_host(self._tools.host_names, request)
        self._guard(request, request.method)
        items = self._tools.outbox(console.SHOWN)["items"]
        return console.response(await self._tools.status(), await self._tools.dead(console.SHOWN), items)

    async def _answer(self, request: HttpRequest) -> Answer:
        check_host(self._tools.host_names, request)
        path = request.path.rstrip("/")
        method = "GET" if request.method == "HEAD" else request.method
        self._guard(request, method)
        if method == "GET" and path == "/_undercast/status":
            return await self._tools.status()
        if method == "GET" and path == "/_undercast/capabilities":
            return self._tools.capabilities()
        if method == "GET" and path.startswith("/_undercast/trace/"):
            return await self._trace(unquote(path.removeprefix("/_undercast/trace/")))
        if method == "GET" and path == "/_undercast/deliveries":
            return {"deliveries": await self._tools.dead(_limit(request.query))}
        if method == "POST" and path == "/_undercast/deliveries/retry":
            return {"retried": await self._tools.retry(_named(_object(await request.body.read(_MOST_NAMED_BYTES))))}
        if method == "GET" and path == "/_undercast/outbox":
            return self._tools.outbox(_limit(request.query))
        if method == "POST" and path == "/_undercast/outbox/stop":
            return await self._tools.opt_out(_object(await request.body.read(4096)))
        if method == "POST" and path == "/_undercast/outbox/unregister":
            return await self._tools.unregister(_object(await request.body.read(4096)))
        if method == "POST" and path == "/_undercast/clock":
            return await self._advance(await request.body.read(4096))
        if method == "POST" and path == "/_undercast/reset":
            _check_empty(await request.body.read(4096))
            await self._tools.reset()
            return {"reset": True}
        if method == "POST" and path == "/_undercast/debug":
            return await self._tools.debug(await request.body.read(4096))
        if path == "/_undercast/images":
            return await self._tools.images(request)
        if method == "POST" and path == "/_undercast/drain":
            await self._tools.drained()
            return {"drained": True}
        raise ServiceError("NotFound", f"no endpoint {method} {path}", 404)

    def _guard(self, request: HttpRequest, method: str) -> None:
        if request.environment_id is not None or "origin" in request.headers:
            raise ServiceError("Forbidden", "the platform's endpoints are for its user's own tools", 403)
        if method == "GET" and is_this_machine(request.peer):
            return
        given = request.headers.get("x-undercast-token", "")
        if not hmac.compare_digest(given.encode(), self._tools.token.encode()):
            what = "this" if method == "GET" else "a change"
            asked = f"{what} needs the header X-Undercast-Token; the file token in the data folder holds it"
            raise ServiceError("Forbidden", asked, 403)

    async def _trace(self, node_id: str) -> Answer:
        trace = await self._tools.causality.trace(node_id)
        return trace.as_json()

    async def _advance(self, body: bytes) -> Answer:
        try:
            seconds = float(json_values.parse(body)["advance_s"])
        except (ValueError, KeyError, TypeError) as error:
            raise ServiceError("BadRequest", 'the body is {"advance_s": seconds}', 400) from error
        if not 0 <= seconds <= 10 * 365 * 86400:
            raise ServiceError("BadRequest", "advance_s is between 0 and ten years", 400)
        clock = self._tools.platform_clock
        await self._tools.keep_offset(clock.offset_s + seconds)
        clock.advance(seconds)
        return {"now": clock.now()}


def _limit(query: str) -> int:
    given = parse_qs(query).get("limit", [str(_SHOWN)])[0]
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= _MOST_SHOWN):
        raise ServiceError("BadRequest", f"limit is between 1 and {_MOST_SHOWN}", 400)
    return int(given)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        given = json_values.parse(body)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise ServiceError("BadRequest", "the body is a JSON object", 400)
    return given


def _named(wish: Mapping[str, Any]) -> Sequence[str] | None:
    """The ids of deliveries; None is all of them. Raises BadRequest."""
    ids = wish.get("ids")
    if wish == {"all": True}:
        return None
    if len(wish) == 1 and isinstance(ids, list) and ids and all(isinstance(one, str) for one in ids):
        return ids
    raise ServiceError("BadRequest", 'the body is {"ids": ["...", ...]} or {"all": true}', 400)


def _check_empty(body: bytes) -> None:
    """Who names an account or a region does not want everything gone. Raises BadRequest."""
    if body and _object(body):
        raise ServiceError("BadRequest", "a reset empties everything: it takes no account, region or other member", 400)
