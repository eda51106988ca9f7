"""Requests by web pages of other origins: preflights, and the headers that let a page read an answer.

Which pages may come is each service's own rule (`Manifest.cors`); without one, browsers keep their pages out.
AWS: S3 User Guide, "Using cross-origin resource sharing (CORS)"; Fetch Standard, "CORS protocol".
"""

from collections.abc import Mapping
from dataclasses import replace

from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest, HttpResponse
from undercast.core.service import CrossOrigin
from undercast.services.registry import Mounted, Services
from undercast.wire.decode import Call, decode
from undercast.wire.encode import encode_empty


async def preflight(request: HttpRequest, services: Services, request_id: str) -> HttpResponse | None:
    """The answer to a browser's OPTIONS; None for any other request. Raises the service's error where it refuses."""
    if request.method != "OPTIONS":
        return None
    # The question is about the target, which says the same in every method.
    call = decode(replace(request, method="GET"))
    mounted = await services.get(call.service)
    if mounted is None or mounted.manifest.cors is None:
        return None
    headers = request.headers
    asked = headers.get("access-control-request-headers", "").split(",")
    question = CrossOrigin(
        origin=headers.get("origin", ""),
        method=headers.get("access-control-request-method", ""),
        headers=tuple(name.strip() for name in asked if name.strip()),
        resource=call.labels,
    )
    return encode_empty(call, request_id, mounted.manifest.cors(mounted.instance, question))


def shared(response: HttpResponse, call: Call, services: Mapping[str, Mounted]) -> HttpResponse:
    """An answer, success or error, that the page of an allowed origin may read."""
    headers = _headers(call, services)
    if headers is None:
        return response  # the page is not told; the browser keeps the answer from it
    return replace(response, headers=(*response.headers, *headers.items()))


def page_allowed(call: Call, services: Mapping[str, Mounted]) -> bool:
    """Whether the service lets pages of the request's Origin send it."""
    return _headers(call, services) is not None


def _headers(call: Call, services: Mapping[str, Mounted]) -> Mapping[str, str] | None:
    origin = call.request.headers.get("origin")
    mounted = services.get(call.service)
    if origin is None or mounted is None or mounted.manifest.cors is None:
        return None
    method = "GET" if call.request.method == "HEAD" else call.request.method
    request = CrossOrigin(origin=origin, method=method, resource=call.labels)
    try:
        return mounted.manifest.cors(mounted.instance, request)
    except ServiceError:
        return None
