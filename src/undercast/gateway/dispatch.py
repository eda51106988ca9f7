"""The way of one request: decode, authenticate, parse, authorise, run the operation, encode.

The only place that turns errors into responses. An operation that we lack, and a parameter whose effect is missing,
answer with an error that names them (I9). In-process calls between services take the same way without HTTP (I3).
A request whose service is still being loaded waits for that one.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from undercast.core.arn import DEFAULT_ACCOUNT, Region, Scope
from undercast.core.clock import HostClock, PlatformClock
from undercast.core.context import EXTERNAL, Cause, RequestContext
from undercast.core.errors import ServiceError, not_implemented, refused_member
from undercast.core.http import HttpRequest, HttpResponse
from undercast.core.identity import Principal, platform_principal
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.core.service import Access, OperationFunction, Params, Reply
from undercast.events.causality import CausalLog
from undercast.gateway.auth import Gate, Identity
from undercast.gateway.cross_origin import preflight, shared
from undercast.gateway.hosts import NOT_SERVED, HostNames
from undercast.gateway.request_log import RequestLine, RequestLog
from undercast.gateway.sites import Sites, SiteVisit, serve_site
from undercast.services.registry import Mounted, Services
from undercast.wire import in_process
from undercast.wire.bodies import OPERATION_BYTES, Bodies
from undercast.wire.decode import Call, Reading, decode, parse, parse_now
from undercast.wire.encode import encode_error, encode_output
from undercast.wire.form import opened
from undercast.wire.hosts import DEFAULT_HOSTS, host_target
from undercast.wire.verified import verified_body

log = logging.getLogger(__name__)


@record
class Tools:
    """What dispatch needs besides the services."""

    host_names: HostNames
    sites: Sites
    causality: CausalLog
    platform_clock: PlatformClock
    host_clock: HostClock
    ids: Ids
    request_log: RequestLog
    default_region: str
    endpoint: str


class Dispatcher:
    """Runs operations for callers from outside and for services."""

    def __init__(self, tools: Tools, services: Services) -> None:
        self._tools = tools
        self._services = services
        self._mounted = services.mounted
        self._sites = tools.sites
        self._gate: Gate | None = None
        self._bodies = Bodies()

    def guard(self, gate: Gate) -> None:
        """Set who guards the services; once, after those were built that it asks (they hold our `internal`)."""
        self._gate = gate

    @property
    def gate(self) -> Gate:
        """Authentication and authorisation, which ask the mounted services."""
        assert self._gate is not None, "guard() comes before the first request"
        return self._gate

    def is_elsewhere(self, host_header: str) -> bool:
        """Whether a Host name is a bucket's or a service's own (a function URL's): every path below it is theirs."""
        bucket = host_target(host_header, DEFAULT_HOSTS).bucket
        return bucket is not None or self._sites.find(host_header, "/") is not None

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one HTTP request. Never raises."""
        tools = self._tools
        started = tools.host_clock.monotonic()
        request_id = tools.ids.uuid()
        call: Call | None = None
        line = RequestLine(tools.host_clock.now(), request_id)
        try:
            if not tools.host_names.allowed(request.headers.get("host", "")):
                raise ServiceError("AccessDenied", NOT_SERVED, 403)
            site = self._sites.find(request.headers.get("host", ""), request.target)
            if site is not None:
                response = await self._visited(site, request, request_id, line)
            elif (
                request.method == "OPTIONS"
                and (told := await preflight(request, self._services, request_id)) is not None
            ):
                response = told
            else:
                call = decode(request)
                if call.service not in self._mounted:
                    await self._services.get(call.service)
                if not call.operation:
                    call = await opened(call, line.at)
                response = await self._answer(call, request_id, line)
        except ServiceError as error:
            line.error = error.code
            response = encode_error(call, request, error, request_id)
        except Exception as error:
            log.exception("request %s failed", request_id)
            line.error = "InternalFailure"
            failure = ServiceError("InternalFailure", f"Undercast failed on this request: {error!r}", 500)
            response = encode_error(call, request, failure, request_id)
        if call is not None and "origin" in request.headers:
            response = shared(response, call, self._mounted)
        line.status = response.status
        line.milliseconds = (tools.host_clock.monotonic() - started) * 1000
        tools.request_log.add(line)
        return response

    async def _visited(self, service: str, request: HttpRequest, request_id: str, line: RequestLine) -> HttpResponse:
        """A request to a host name that is a service's own: no operation of AWS's, so the service answers it."""
        line.operation = f"{service}:{request.method}"
        mounted = await self._services.get(service)
        assert mounted is not None, "its addresses say that it is there"
        visit = SiteVisit(request, service, self.gate, partial(self._context, request_id=request_id))
        return await serve_site(mounted, visit)

    async def _answer(self, call: Call, request_id: str, line: RequestLine) -> HttpResponse:
        identity = self.gate.authenticator.authenticate(call)
        # Before the body is read: whatever is in it, and in whatever format, the operation is not here.
        found = self._find(call.service, call.operation) if call.operation else None
        body = verified_body(call, identity.signing_key)
        call, params = parse_now(call, body) or await parse(call, body, self._reading(call, identity))
        line.operation = f"{call.service}:{call.operation}"
        function, mounted = found or self._find(call.service, call.operation)
        ctx = self._context(call, identity, request_id)
        line.by = ctx.principal.arn
        line.cause = ctx.cause.id
        if call.operation in mounted.manifest.waits:
            call.request.end_with_client()
        result = await self._run(ctx, mounted, function, call.operation, params)
        if isinstance(result, Reply):
            return encode_output(call, result.output, request_id, status=result.status, headers=result.headers)
        return encode_output(call, result or {}, request_id)

    def _reading(self, call: Call, identity: Identity) -> Reading:
        guest = "" if call.signature is None else None
        return Reading(
            bodies=self._bodies,
            sender=call.request.environment_id or identity.environment_id or guest,
            allowed=self._allowed,
        )

    async def _allowed(self, service: str, operation: str) -> int:
        """The most bytes that a body may have. Raises NotImplemented for an operation that is not here."""
        await self._services.get(service)
        _, mounted = self._find(service, operation)
        largest = mounted.manifest.largest
        return largest.get(operation) or largest.get("", OPERATION_BYTES)

    def _find(self, service: str, operation: str) -> tuple[OperationFunction, Mounted]:
        mounted = self._mounted.get(service)
        function = mounted.find(operation) if mounted else None
        if mounted is None or function is None:
            raise not_implemented(service, operation)
        return function, mounted

    def _context(self, call: Call, identity: Identity, request_id: str) -> RequestContext:
        tools, request, signature = self._tools, call.request, call.signature
        scheme = "https" if request.secure else "http"
        host = request.headers.get("host")
        return RequestContext(
            request_id=request_id,
            scope=Scope(identity.principal.account_id, Region(call.region or tools.default_region)),
            principal=identity.principal,
            cause=self._cause(request.environment_id or identity.environment_id),
            clock=tools.platform_clock,
            host_clock=tools.host_clock,
            ids=tools.ids,
            caller=self.call,
            permits=self.permits,
            operation=call.operation,
            service=call.service,
            endpoint=f"{scheme}://{host}" if host else tools.endpoint,
            source_ip=request.peer or "127.0.0.1",
            user_agent=request.headers.get("user-agent", ""),
            headers=request.headers,
            names_region=call.region is not None,
            is_form=call.form is not None,
            signature_version=signature.version if signature is not None else 4,
            tls_version=request.tls_version,
            signed_by=signature.kind if signature is not None else "header",
            signed_at=signature.amz_date if signature is not None else "",
        )

    def _cause(self, environment_id: str | None) -> Cause:
        return self._tools.causality.cause_of(environment_id) if environment_id else EXTERNAL

    async def _run(
        self, ctx: RequestContext, mounted: Mounted, function: OperationFunction, operation: str, params: Params
    ) -> Mapping[str, Any] | Reply | None:
        resource, refusals = await self._authorize(ctx, mounted, operation, params)
        if refusals:
            ctx = replace(ctx, refusals=refusals)
        self._refuse(mounted, operation, params)
        if ctx.cause.id:
            label = f"{mounted.manifest.name}:{operation} {resource}"
            self._tools.causality.called(ctx.cause, ctx.request_id, label, ctx.scope)
        return await function(mounted.instance, ctx, params)

    async def _authorize(
        self, ctx: RequestContext, mounted: Mounted, operation: str, params: Params
    ) -> tuple[str, Mapping[int, ServiceError]]:
        """Raises access denied; the ARN of the resource that the request is about, and what alone was refused."""
        manifest = mounted.manifest
        if manifest.access is None:
            accesses: tuple[Access, ...] = (Access(action=f"{manifest.name}:{operation}", resource="*"),)
        else:
            accesses = await manifest.access(mounted.instance, ctx, operation, params)
        refusals = self.gate.authorizer.authorize(ctx, manifest.name, accesses, params)
        return (accesses[0].resource if accesses else "*"), refusals

    def _refuse(self, mounted: Mounted, operation: str, params: Params) -> None:
        refused = mounted.manifest.refused.get(operation)
        if refused and not refused.keys().isdisjoint(params):
            present = next(member for member in params if member in refused)
            raise refused_member(operation, present, refused[present])

    async def call(
        self,
        ctx: RequestContext,
        service: str,
        operation: str,
        params: Params,
        checked: bool = False,
    ) -> dict[str, Any]:
        """See `core.context.CallService`."""
        if service not in self._mounted:
            await self._services.get(service)
        function, mounted = self._find(service, operation)
        if checked:
            in_process.check(service, operation, params)
        inner = ctx.within(service, operation, self._tools.ids.uuid())
        result = await self._run(inner, mounted, function, operation, params)
        return dict(result.output if isinstance(result, Reply) else result or {})

    async def permits(
        self, principal: Principal, action: str, resource_arn: str, conditions: Mapping[str, str]
    ) -> bool:
        """See `core.context.Permits`."""
        service = resource_arn.split(":", 3)[2]
        mounted = self._mounted.get(service) or await self._services.get(service)
        if mounted is None or mounted.manifest.policy_of is None:
            return False
        policy = await mounted.manifest.policy_of(mounted.instance, resource_arn)
        return self.gate.authorizer.resource_permits(policy, principal, action, resource_arn, conditions)

    def internal(self, scope: Scope, principal: Principal | None = None, cause: Cause = EXTERNAL) -> RequestContext:
        """A context for work that no request caused: a timer, a sweep, a delivery (`services.parts.Internal`)."""
        tools = self._tools
        return RequestContext(
            request_id=tools.ids.uuid(),
            scope=scope,
            principal=principal or platform_principal(scope.account_id or DEFAULT_ACCOUNT),
            cause=cause,
            clock=tools.platform_clock,
            host_clock=tools.host_clock,
            ids=tools.ids,
            caller=self.call,
            permits=self.permits,
            endpoint=tools.endpoint,
        )
