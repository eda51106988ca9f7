"""Where each request goes: to health, to the platform's own endpoints, or to AWS's services.

The port is open before all of them are loaded. Who comes early waits, for the platform's own endpoints until everything
is there and else for the gateway, which lets each wait for its service; then all are answered as ever.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from undercast.core.errors import ServiceError, could_not_start
from undercast.core.http import HttpHandler, HttpRequest, HttpResponse
from undercast.core.late import Late
from undercast.gateway.health import Health, refusal

if TYPE_CHECKING:
    from undercast.core.ids import Ids

_ENCODE_ERROR: Late[Callable[[None, HttpRequest, ServiceError, str], HttpResponse]]
_ENCODE_ERROR = Late("undercast.wire.encode", "encode_error")

_OWN = ("/_undercast/", "/_localstack/")
"""No name of an S3 bucket starts with an underscore. Below a bucket's or a function URL's host any path may."""


class Entrance:
    """The handler of every listener."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._open, self._complete = asyncio.Event(), asyncio.Event()
        self._is_elsewhere: Callable[[str], bool] = health.host_names.may_be_named_after_others
        """Until it is known whether a name is a bucket's or a service's own, who may have such a name waits."""
        self._own: HttpHandler = self._own_later
        self._aws: HttpHandler = self._aws_later

    def handle(self, request: HttpRequest) -> Awaitable[HttpResponse]:
        """Hand a request on."""
        if request.target.startswith(_OWN) and not self._is_elsewhere(request.headers.get("host", "")):
            return self._health.handle(request) if self._health.owns(request) else self._own(request)
        return self._aws(request)

    def open(self, aws: HttpHandler, is_elsewhere: Callable[[str], bool]) -> None:
        """Requests to AWS's services may come; `aws` lets each wait for what it needs.

        `is_elsewhere`: whether a Host header is a bucket's or a function URL's.
        """
        self._aws, self._is_elsewhere = aws, is_elsewhere
        self._open.set()

    def complete(self, own: HttpHandler, driver: str) -> None:
        """Everything is there: nobody waits any more."""
        self._own = own
        self._health.state, self._health.driver = "running", driver
        self._complete.set()

    def fail(self, error: BaseException, ids: "Ids") -> None:
        """The start has failed: who waits is told, and whoever comes until the port is closed."""
        failure = could_not_start(error)

        async def refuse(request: HttpRequest) -> HttpResponse:
            # Loaded here and now, if it is not there: the port is about to be closed.
            return _ENCODE_ERROR.here()(None, request, failure, ids.uuid())

        async def refuse_own(_: HttpRequest) -> HttpResponse:
            return refusal(failure)

        if not self._complete.is_set():  # else everything was there, and answers until it is stopped
            self._own, self._aws = refuse_own, refuse
            self._complete.set()
            self._open.set()

    async def _own_later(self, request: HttpRequest) -> HttpResponse:
        await self._complete.wait()
        return await self._own(request)

    async def _aws_later(self, request: HttpRequest) -> HttpResponse:
        await self._open.wait()
        return await self.handle(request)
