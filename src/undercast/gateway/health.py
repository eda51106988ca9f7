"""What programs ask that wait for the platform: `/_undercast/health`, and what tools of LocalStack ask.

Answered from the moment on in which the port is open, also to a page of another origin and inside a sandbox.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from undercast import __version__
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest, HttpResponse
from undercast.gateway.hosts import NOT_SERVED, HostNames

Answer = Mapping[str, Any]
_PATHS = frozenset({"/_undercast/health", "/_localstack/health", "/_localstack/init"})


class Health:
    """Says which services there are: "available" while they are being loaded, then "running".

    The platform's own status is "loading" meanwhile: calls are taken and wait for what they need.
    """

    def __init__(self, host_names: HostNames, services: Iterable[str]) -> None:
        self.host_names = host_names
        self._services = tuple(services)
        self.state = "available"
        self.driver: str | None = None
        """Of the sandboxes, once that is decided."""

    @staticmethod
    def owns(request: HttpRequest) -> bool:
        """Whether the request is one of these questions."""
        return request.method in ("GET", "HEAD") and request.path.rstrip("/") in _PATHS

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer in JSON."""
        try:
            check_host(self.host_names, request)
        except ServiceError as error:
            return refusal(error)
        if request.path.rstrip("/") == "/_localstack/init":
            return in_json(200, {"completed": self._completed(), "scripts": []})
        services = dict.fromkeys(self._services, self.state)
        status = "running" if self.state == "running" else "loading"
        about = {"status": status, "version": __version__, "edition": "undercast", "driver": self.driver}
        return in_json(200, {**about, "services": services})

    def _completed(self) -> Mapping[str, bool]:
        """LocalStack's stages. Whoever could ask behind SHUTDOWN finds the port closed."""
        running = self.state == "running"
        return {"BOOT": True, "START": running, "READY": running, "SHUTDOWN": False}


def check_host(host_names: HostNames, request: HttpRequest) -> None:
    """Raises ServiceError when the Host name cannot be ours."""
    if not host_names.allowed(request.headers.get("host", "")):
        raise ServiceError("Forbidden", NOT_SERVED, 403)


def in_json(status: int, answer: Answer) -> HttpResponse:
    """An answer of the platform itself."""
    body = json.dumps(answer, default=str).encode()
    return HttpResponse(status=status, headers=(("content-type", "application/json"),), body=body)


def refusal(error: ServiceError) -> HttpResponse:
    """The platform's own form of an error."""
    return in_json(error.status, {"error": error.code, "message": error.message})
