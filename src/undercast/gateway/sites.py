"""Host names and paths that a service answers itself: function URLs, SNS's certificate.

No operation of AWS's is asked for there. Knows who calls and whether they may; what is answered is the service's
(`Manifest.site`).
AWS: Lambda Developer Guide, "Creating and managing Lambda function URLs".
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from undercast.core.arn import Scope
from undercast.core.context import RequestContext
from undercast.core.http import HttpRequest, HttpResponse
from undercast.core.identity import anonymous_principal
from undercast.core.service import Access, Addresses
from undercast.gateway import auth_errors
from undercast.gateway.auth import Gate, Identity
from undercast.gateway.hosts import name_of
from undercast.services.registry import Mounted
from undercast.wire import s3
from undercast.wire.call import Call
from undercast.wire.hosts import DEFAULT_HOSTS, host_target
from undercast.wire.signature import parse_signature
from undercast.wire.verified import verified_body

_REMEMBERED = 4096
MakeContext = Callable[[Call, Identity], RequestContext]


class Sites:
    """Which service owns a host name; most requests are to none's, and find that with one look.

    The services may come later: `addresses` are known without them.
    """

    def __init__(self, addresses: Mapping[str, Addresses]) -> None:
        self._services = tuple((name, own.owns) for name, own in addresses.items())
        self._paths = {own.path: name for name, own in addresses.items() if own.path}
        self._prefixes = tuple(self._paths)
        self._known: dict[str, str | None] = {}

    def find(self, host_header: str, target: str) -> str | None:
        """The name of the service that answers for a Host header, or for a request target, itself."""
        owner = self._of_host(host_header)
        if owner is not None or not target.startswith(self._prefixes):
            return owner
        if host_target(host_header, DEFAULT_HOSTS).endpoint == s3.SERVICE:
            return None  # any path is a key or a bucket there
        return next(name for path, name in self._paths.items() if target.startswith(path))

    def _of_host(self, host_header: str) -> str | None:
        try:
            return self._known[host_header]
        except KeyError:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            host = name_of(host_header)
            found = next((name for name, owns in self._services if owns(host)), None)
            self._known[host_header] = found
            return found


class SiteVisit:
    """See `core.service.Visit`."""

    def __init__(self, request: HttpRequest, service: str, gate: Gate, context: MakeContext) -> None:
        self.request = request
        self.host = name_of(request.headers.get("host", ""))
        self._gate = gate
        self._context = context
        self._call = Call(request=request, service=service, operation="", protocol="rest-json")
        self._body = request.body

    def anonymous(self, scope: Scope) -> RequestContext:
        """See Visit."""
        return self._in_scope(Identity(principal=anonymous_principal(scope.account_id)), scope)

    def identified(self, scope: Scope) -> RequestContext:
        """See Visit."""
        signature = parse_signature(self.request)
        if signature is None:
            raise auth_errors.missing_token(self._call.service)
        call = replace(self._call, signature=signature, region=signature.region)
        identity = self._gate.authenticator.authenticate(call)
        self._body = verified_body(call, identity.signing_key)
        return self._in_scope(identity, scope)

    async def body(self, limit_bytes: int) -> bytes:
        """See Visit."""
        return await self._body.read(limit_bytes)

    async def authorize(self, ctx: RequestContext, accesses: tuple[Access, ...]) -> None:
        """See Visit."""
        self._gate.authorizer.authorize(ctx, self._call.service, accesses)

    def _in_scope(self, identity: Identity, scope: Scope) -> RequestContext:
        return replace(self._context(self._call, identity), scope=scope)


async def serve_site(mounted: Mounted, visit: SiteVisit) -> HttpResponse:
    """The service's answer."""
    assert mounted.manifest.site is not None
    return await mounted.manifest.site(mounted.instance, visit)
