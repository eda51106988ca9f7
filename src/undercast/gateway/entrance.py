"""Where each request goes: to health, to the platform's own endpoints, or to AWS's services.

The port is open before all of them are loaded. Who comes early waits until they are, and is then answered as ever.
"""

import asyncio
from collections.abc import Awaitable, Callable

from undercast.core.http import HttpHandler, HttpRequest, HttpResponse
from undercast.gateway.health import Health

_OWN = ("/_undercast/", "/_localstack/")
"""No name of an S3 bucket starts with an underscore. Below a bucket's or a function URL's host any path may."""


class Entrance:
    """The handler of every listener."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._complete = asyncio.Event()
        self._is_elsewhere: Callable[[str], bool] = health.host_names.may_be_named_after_others
        self._own: HttpHandler = self._own_later
        self._aws: HttpHandler = self._aws_later

    def handle(self, request: HttpRequest) -> Awaitable[HttpResponse]:
        """Hand a request on."""
        if request.target.startswith(_OWN) and not self._is_elsewhere(request.headers.get("host", "")):
            return self._health.handle(request) if self._health.owns(request) else self._own(request)
        return self._aws(request)

    def complete(self, own: HttpHandler, aws: HttpHandler, is_elsewhere: Callable[[str], bool], driver: str) -> None:
        """Everything is there: whoever waits goes on, and nobody waits any more.

        `is_elsewhere`: whether a Host header is a bucket's or a function URL's. Until it is known, who may be waits.
        """
        self._own, self._aws, self._is_elsewhere = own, aws, is_elsewhere
        self._health.state, self._health.driver = "running", driver
        self._complete.set()

    async def _own_later(self, request: HttpRequest) -> HttpResponse:
        await self._complete.wait()
        return await self._own(request)

    async def _aws_later(self, request: HttpRequest) -> HttpResponse:
        await self._complete.wait()
        return await self.handle(request)
