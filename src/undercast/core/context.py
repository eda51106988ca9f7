"""What an operation knows of the request that it answers.

Frozen. Made by `gateway.dispatch` for a call from outside and for `ctx.call`; services never make one.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import field, replace
from typing import Any, Literal, Protocol

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.clock import Clock
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal
from undercast.core.ids import Ids
from undercast.core.record import record

CauseKind = Literal["external", "call", "invocation", "init", "post-response", "background", "delivery", "internal"]


@record
class Cause:
    """Why a request or a delivery happens (I10).

    `id` is the request id of the call or invocation, the id of the delivery, or the id of the environment for init
    and background work; "" for what comes from outside.
    """

    kind: CauseKind
    id: str = ""
    environment_id: str | None = None

    @property
    def is_from_outside(self) -> bool:
        """Whether nobody but a client outside of the sandboxes asked for this.

        What a function arranged comes back as a delivery of a schedule, a rule or a message: that is not from outside.
        """
        return self.kind == "external"


EXTERNAL = Cause(kind="external")
LOOK_UP = Cause(kind="internal")
"""Of what a service asks another one for itself, on the way of a request: no trace has it."""


class CallService(Protocol):
    """Synchronous way to another service (I3): in process, parsed values, authorised like a call from outside."""

    def __call__(
        self,
        ctx: "RequestContext",
        service: str,
        operation: str,
        params: Mapping[str, Any],
        checked: bool = False,
    ) -> Awaitable[dict[str, Any]]:
        """Run an operation as the principal and in the account and region of `ctx`. See `RequestContext`."""
        ...


class Permits(Protocol):
    """Asks whether a resource's own policy lets a principal act on it, e.g. S3 on a function."""

    def __call__(
        self, principal: Principal, action: str, resource_arn: str, conditions: Mapping[str, str]
    ) -> Awaitable[bool]:
        """`conditions` are condition keys of the request, e.g. {"aws:SourceArn": "arn:aws:s3:::b"}."""
        ...


@record
class RequestContext:
    """One request, seen from an operation."""

    request_id: str
    scope: Scope
    principal: Principal
    cause: Cause
    clock: Clock
    """The platform clock: for every timestamp that a service stores or returns."""
    host_clock: Clock
    """The host clock: only for expiry of credentials and the like; see ARCHITECTURE.md."""
    ids: Ids
    caller: CallService
    permits: Permits
    operation: str = ""
    """AWS's name of what is asked for; "" for work that no request caused."""
    service: str = ""
    """botocore's name of the service that is asked; "" like `operation`."""
    via: str = ""
    """The service that asks on the caller's behalf, in a call from one to another: kms:ViaService."""
    endpoint: str = "http://localhost:4566"
    """scheme://host:port under which the caller reached the platform."""
    source_ip: str = "127.0.0.1"
    user_agent: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Request headers, lower case. For what the models lack (S3's x-amz-* metadata is parsed already)."""
    names_region: bool = True
    """False when neither signature nor host said a region: that of the scope is then only the platform's default."""
    refusals: Mapping[int, ServiceError] = field(default_factory=dict)
    """Which of the entries that are decided each for itself (`Access.one_of_many`) were refused, by their place in
    what `Manifest.access` gave."""
    is_form: bool = False
    """Whether a browser's form carried the request: S3 calls the event Post then."""
    signature_version: int = 4
    """2 for a request with a signature of S3's Signature Version 2, in a header, a URL or a form."""
    signed_by: Literal["header", "presigned", "form"] = "header"
    """Where the signature was; that of a call to another service counts as in the header."""
    tls_version: str = ""
    """Of the connection, e.g. "1.3"; "" without TLS."""
    signed_at: str = ""
    """The signature's date as it says it, basic ISO 8601; "" where it says none."""

    @property
    def account_id(self) -> AccountId:
        """The account whose resources are meant."""
        return self.scope.account_id

    @property
    def region(self) -> Region:
        """The region whose resources are meant."""
        return self.scope.region

    def call(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        principal: Principal | None = None,
        scope: Scope | None = None,
    ) -> Awaitable[dict[str, Any]]:
        """Call another service: `await ctx.call("kms", "Decrypt", {...})`, as this principal or the one named."""
        return self.caller(self._as(principal, scope), service, operation, params)

    def checked_call(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        *,
        principal: Principal | None = None,
        scope: Scope | None = None,
    ) -> Awaitable[dict[str, Any]]:
        """`call` with parameters that users' data is in: they are held to the model's constraints, as a request's are.

        What we made ourselves needs no check, and `call` spends no time on it.
        """
        return self.caller(self._as(principal, scope), service, operation, params, checked=True)

    def within(self, service: str, operation: str, request_id: str) -> "RequestContext":
        """The call that this one makes of another service. Field by field: `dataclasses.replace` takes four times as
        long, and an event on its way makes such calls."""
        return RequestContext(
            request_id=request_id,
            scope=self.scope,
            principal=self.principal,
            cause=self.cause,
            clock=self.clock,
            host_clock=self.host_clock,
            ids=self.ids,
            caller=self.caller,
            permits=self.permits,
            operation=operation,
            service=service,
            via=self.service,
            endpoint=self.endpoint,
            source_ip=self.source_ip,
            user_agent=self.user_agent,
            headers=self.headers,
            names_region=self.names_region,
        )

    def _as(self, principal: Principal | None, scope: Scope | None) -> "RequestContext":
        if principal is None and scope is None:
            return self
        return replace(self, principal=principal or self.principal, scope=scope or self.scope)
