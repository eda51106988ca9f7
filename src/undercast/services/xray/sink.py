"""The X-Ray daemon of functions: `sandbox.model.TraceSink` on top of the service, but for its sockets.

On AWS the daemon signs what comes to its TCP port with the function's role; here it is asked in the function's account,
and only what SDKs ask it: GetSamplingRules and GetSamplingTargets. Segments are kept whatever the role allows.
AWS: X-Ray Developer Guide, "AWS X-Ray daemon".
"""

import json
from datetime import UTC, datetime
from typing import Any

from undercast.core import json_values
from undercast.core.arn import Scope
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest, HttpResponse
from undercast.core.identity import platform_principal
from undercast.sandbox.model import FunctionVersion, TracedRun
from undercast.services.parts import Internal
from undercast.services.xray.intake import Intake
from undercast.services.xray.lambda_segments import segments

_PROXIED = {"/GetSamplingRules": "GetSamplingRules", "/SamplingTargets": "GetSamplingTargets"}
_MAX_BODY_BYTES = 262_144


class FunctionTraces:
    """See `sandbox.model.TraceSink`."""

    def __init__(self, intake: Intake, internal: Internal) -> None:
        self._intake, self._internal = intake, internal

    def segment(self, function: FunctionVersion, packet: bytes) -> None:
        """See TraceSink."""
        self._intake.packet(function, packet)

    def ran(self, run: TracedRun) -> None:
        """See TraceSink."""
        for document in segments(run):
            self._intake.lambda_segment(run.invocation.function, document)

    async def proxied(self, function: FunctionVersion, request: HttpRequest) -> HttpResponse:
        """Answer what came to the TCP port."""
        operation = _PROXIED.get(request.path.rstrip("/"))
        if operation is None or request.method != "POST":
            return _answer(404, {"message": "the daemon passes on GetSamplingRules and SamplingTargets only"})
        scope = Scope(function.account_id, function.region)
        ctx = self._internal(scope, platform_principal(scope.account_id))
        try:
            params = _params(await request.body.read(_MAX_BODY_BYTES))
            return _answer(200, await ctx.call("xray", operation, params))
        except ServiceError as error:
            body = {"__type": error.code, "message": error.message}
            return _answer(error.status, body, (("x-amzn-errortype", error.code),))


def _params(body: bytes) -> dict[str, Any]:
    """Raises ServiceError."""
    try:
        given = json_values.parse(body or b"{}")
        for one in given.get("SamplingStatisticsDocuments", ()):
            one["Timestamp"] = datetime.fromtimestamp(float(one["Timestamp"]), UTC)
            one["RequestCount"], one["SampledCount"] = int(one["RequestCount"]), int(one["SampledCount"])
            one["BorrowCount"] = int(one.get("BorrowCount", 0))
            one["RuleName"], one["ClientID"] = str(one["RuleName"]), str(one["ClientID"])
        return dict(given)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ServiceError("InvalidRequestException", f"The request is malformed: {error!r}") from None


def _answer(status: int, body: dict[str, Any], headers: tuple[tuple[str, str], ...] = ()) -> HttpResponse:
    text = json.dumps(body, default=lambda value: value.timestamp())
    return HttpResponse(status=status, headers=(("content-type", "application/json"), *headers), body=text.encode())
