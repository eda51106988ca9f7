"""The manifest of a service: every extension point of the platform, as data.

A folder in `services/` with a `service.py` that has `MANIFEST` is a service; there is no central list. `make test`
checks each manifest against botocore's model (I9, decision 3).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from types import ModuleType
from typing import Any, Protocol

from undercast.core.arn import Scope
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest, HttpResponse
from undercast.core.record import record

Params = Mapping[str, Any]
OperationFunction = Callable[[Any, RequestContext, Params], Awaitable["Mapping[str, Any] | Reply | None"]]
_TAG = "__aws_operation__"


@record
class Reply:
    """An operation's result that needs another status or further headers than the model says (206, 304, 204)."""

    output: Mapping[str, Any]
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@record
class Access:
    """What one request needs: IAM actions on resources, and the policies that those resources carry themselves."""

    action: str
    """IAM's name, e.g. "s3:GetObject"."""
    resource: str
    """The ARN, or "*" where the action has none."""
    conditions: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    """Service-specific condition keys, e.g. {"s3:prefix": "a/"}."""
    resource_policy: Mapping[str, Any] | None = None
    """The policy document attached to the resource, parsed."""
    resource_account_id: str | None = None
    """The account that owns the resource, where it can differ from the caller's."""
    needs_resource_policy: bool = False
    """Whether the resource's own policy must allow even in one account: a role's trust policy, a KMS key's policy."""
    one_of_many: bool = False
    """Whether a refusal concerns this entry alone: the operation finds it in `RequestContext.refusals` and goes on."""
    refusal: ServiceError | None = None
    """Of what no policy can allow: wherever policies are asked, the answer to whoever calls."""


@record
class CrossOrigin:
    """A request by a web page of another origin, or, before it, the browser's question whether it may come."""

    origin: str
    method: str
    """That of the request, not OPTIONS. Like `origin` "" when a question does not say it."""
    headers: tuple[str, ...] = ()
    """Names of the headers that it would carry; only a question says them."""
    resource: Mapping[str, str] = field(default_factory=dict)
    """The path's labels by their names in the model, e.g. {"Bucket": "photos", "Key": "cat.jpg"}."""


class Visit(Protocol):
    """A request to a host name that is a service's own (a function URL), as the gateway hands it over."""

    @property
    def request(self) -> HttpRequest: ...
    @property
    def host(self) -> str:
        """The name that was asked for, lower case, without port."""
        ...

    def anonymous(self, scope: Scope) -> RequestContext:
        """A context for a caller that need not say who it is. `scope` is the owner's."""
        ...

    def identified(self, scope: Scope) -> RequestContext:
        """A context for the caller by its signature. Raises AWS's error for one that is missing or wrong."""
        ...

    async def body(self, limit_bytes: int) -> bytes:
        """The payload; of an identified caller, checked against what was signed. Raises ServiceError."""
        ...

    async def authorize(self, ctx: RequestContext, accesses: tuple[Access, ...]) -> None:
        """Raises access denied unless all is allowed."""
        ...


def no_host(_: str) -> bool:
    """No host name is the service's own."""
    return False


@record
class Addresses:
    """Where a service answers itself, past the AWS protocols (`Manifest.site`)."""

    owns: Callable[[str], bool] = no_host
    """Whether a lower-case host name is one of its own."""
    path: str = ""
    """Beginning of paths that are the service's own, e.g. SNS's certificate, under every host name but S3's and those
    that a service owns. "" for none."""


def operation(name: str) -> Callable[[OperationFunction], OperationFunction]:
    """Tag a function with the AWS operation that it is."""

    def tag(function: OperationFunction) -> OperationFunction:
        setattr(function, _TAG, name)
        return function

    return tag


def operations_of(*modules: ModuleType) -> dict[str, OperationFunction]:
    """All tagged functions of the modules, by operation name. Raises ValueError on a double tag."""
    found: dict[str, OperationFunction] = {}
    for module in modules:
        for value in vars(module).values():
            name = getattr(value, _TAG, None)
            if name is None or getattr(value, "__module__", None) != module.__name__:
                continue
            if name in found:
                raise ValueError(f"{name} is implemented twice")
            found[name] = value
    return found


Classing = Mapping[str, Mapping[str, str]]
"""Operation -> top-level input member -> reason. A member in neither table is *effective* (I9)."""


@record
class Manifest:
    """A service as the platform sees it."""

    name: str
    """botocore's service name."""
    build: Callable[..., Any]
    """Takes `services.parts.Parts`, returns the service instance that every operation gets first."""
    operations: Mapping[str, OperationFunction]
    needs_pool: bool = False
    """Whether `build` takes the `sandbox.pool.Pool`, too: the service is there as soon as sandboxes are."""
    access: Callable[[Any, RequestContext, str, Params], Awaitable[tuple[Access, ...]]] | None = None
    """(instance, ctx, operation, params) -> what the request needs. None: "<name>:<Operation>" on "*"."""
    policy_of: Callable[[Any, str], Awaitable[Mapping[str, Any] | None]] | None = None
    """(instance, resource arn) -> that resource's own policy document; for `ctx.permits`."""
    tags_of: Callable[[Any, str], Mapping[str, str]] | None = None
    """(instance, resource arn) -> the tags that it has now, for aws:ResourceTag; asked when a policy asks for one. What
    is not there has none, or is a ServiceError."""
    effective: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Operation -> members whose effect is here. Every member is in exactly one of the three tables."""
    stored: Classing = field(default_factory=dict)
    refused: Classing = field(default_factory=dict)
    cors: Callable[[Any, CrossOrigin], Mapping[str, str]] | None = None
    """(instance, request) -> the Access-Control-* headers of its answer. Raises the service's error where none allows
    it. Without this, pages of other origins are not served."""
    site: Callable[[Any, Visit], Awaitable[HttpResponse]] | None = None
    """(instance, visit) -> the answer at an address of the service's own, which its `addresses.py` says. Errors are
    answers, too."""
    largest: Mapping[str, int] = field(default_factory=dict)
    """Operation -> bytes that its body may have, where that is not `wire.bodies.OPERATION_BYTES`; "" for any other."""
    waits: frozenset[str] = frozenset()
    """Operations that wait for something to happen, and take it: they end when their client goes."""
    targets: Callable[[Any], Mapping[str, Any]] | None = None
    """instance -> target kind -> `events.delivery.Target`."""
    hears: Callable[[Any, Any, Any], None] | None = None
    """(instance, `events.delivery.Delivery`, `Outcome`): one that the service sent, by its source ARN, has ended."""
    finishes: Callable[[Any, Any], Awaitable[Any]] | None = None
    """(instance, `events.delivery.Delivery`) -> it with what it lacks; asked before each attempt of one that is so."""
    start: Callable[[Any], Awaitable[None]] | None = None
    """Runs once before the first request is handed on. Other services may come later: what calls them is a task."""
    release: Callable[[Any], None] | None = None
    """Runs at shutdown before the front door closes: end the answers that would go on for as long as they are read."""
    quiesce: Callable[[Any], Awaitable[None]] | None = None
    """Runs first at shutdown: begin no invocation of your own any more. The front door is still open."""
    stop: Callable[[Any], Awaitable[None]] | None = None
    """Runs once at shutdown; must return within 2 s."""
    reset: Callable[[Any], None] | None = None
    """Forget what was read from rows, with the commit by which `POST /_undercast/reset` deletes them."""
    differences: tuple[str, ...] = ()
    """Known differences from AWS, one sentence each, for the coverage page."""
