"""API destinations as targets of rules, within their rate, with the authorisation of their connection.

An answer is waited for 5 s of host time. 2xx is a success; 409, 429 and 5xx are tried again, and 401 and 407 with a new
token where there was one; everything else goes to the dead-letter queue.
AWS: EventBridge User Guide, "API destinations as targets" (error codes, Retry-After, invocation rate).
"""

import asyncio
import json
import ssl
from pathlib import Path
from typing import Any, NamedTuple

from undercast.core import json_values
from undercast.core.arn import AccountId
from undercast.core.context import Cause, RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import platform_principal, service_principal
from undercast.events.delivery import Delivery, Outcome
from undercast.events.web import Answer, Connect, WebError, WebRequest, connect_anywhere, send
from undercast.services import roles
from undercast.services.events import connections, web_requests
from undercast.services.events.connections import AUTHORIZED, Connection, Destination
from undercast.services.events.failures import again, give_up, judged, no_role
from undercast.services.events.instance import Events
from undercast.services.events.models import PRINCIPAL
from undercast.store.database import Tx

TIMEOUT_S = 5.0
DEFAULT_RATE = 300
_AGAIN = (409, 429)
_NEW_TOKEN = (401, 407)
_MOST_KEPT = 1024
_EARLY_S = 60.0
"""A token is renewed so long before its end."""


class Token(NamedTuple):
    """An OAuth token and when it ends, on the host's clock."""

    text: str
    ends_at: float


class HttpTarget:
    """See `events.delivery.Target`.

    Attributes of a delivery: `role_arn`, `http` (the target's HttpParameters as JSON, filled in).
    """

    def __init__(self, events: Events, ca_bundle: Path) -> None:
        self._events = events
        self._ca_bundle = ca_bundle
        self._tls: ssl.SSLContext | None = None
        self._turns: dict[str, float] = {}
        self._tokens: dict[str, Token] = {}

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once."""
        now = self._events.clock.now()
        found = self._events.database.read_now(lambda tx: _found(tx, delivery))
        if found is None:
            return give_up(delivery, "NO_RESOURCE", "The API destination or its connection does not exist.", now)
        destination, connection = found
        if connection.state != AUTHORIZED:
            return give_up(delivery, "NO_PERMISSIONS", "The connection is not authorized.", now)
        if "role_arn" not in delivery.attributes:
            return no_role(delivery, now)
        turn = self._turn(delivery, destination)
        if turn is not None:
            return Outcome(kind="retry", due_at=turn, counted=False, reason="invocation rate")
        ctx = self._context_of(delivery)
        if not await self._permitted(ctx, delivery):
            text = f"The role does not allow events:InvokeApiDestination on {delivery.target_arn}"
            return give_up(delivery, "NO_PERMISSIONS", text, now)
        try:
            answer = await self._invoke(delivery, destination, connection)
        except WebError as error:
            return self._failed(delivery, error)
        except ServiceError as error:  # Secrets Manager's, as of a secret that an update has replaced meanwhile
            if self._events.database.read_now(lambda tx: _found(tx, delivery)) != found:
                return Outcome(kind="retry", due_at=now, counted=False, reason="the connection has been changed")
            return judged(delivery, error, self._events.clock.now())
        return self._judged(delivery, connection, answer)

    def _context_of(self, delivery: Delivery) -> RequestContext:
        account = AccountId(delivery.attributes["source_account"])
        cause = Cause(kind="delivery", id=delivery.id)
        return self._events.internal(delivery.scope, service_principal(PRINCIPAL, account), cause)

    async def _permitted(self, ctx: RequestContext, delivery: Delivery) -> bool:
        role_arn = delivery.attributes["role_arn"]
        conditions = {"aws:SourceArn": delivery.source_arn, "aws:SourceAccount": delivery.attributes["source_account"]}
        if not await roles.trusts(ctx, PRINCIPAL, role_arn, conditions):
            return False
        action = "events:InvokeApiDestination"
        return await roles.allows(ctx, PRINCIPAL, role_arn, action, delivery.target_arn) is not False

    def _turn(self, delivery: Delivery, destination: Destination) -> float | None:
        """When this delivery may go, where that is later; it has its turn reserved then (`delivery.throttles`)."""
        if delivery.throttles > delivery.attempts:
            return None
        now, rate = self._events.clock.now(), destination.rate or DEFAULT_RATE
        at = max(now, self._turns.get(destination.arn, 0.0))
        if len(self._turns) >= _MOST_KEPT:
            self._turns = {key: end for key, end in self._turns.items() if end > now}
        self._turns[destination.arn] = at + 1 / rate
        return at if at > now else None

    async def _invoke(self, delivery: Delivery, destination: Destination, connection: Connection) -> Answer:
        auth = await self._auth(connection)
        of_target = json.loads(delivery.attributes.get("http", "{}"))
        text = delivery.payload.decode()
        request = web_requests.invocation(destination.endpoint, destination.method, text, of_target, auth)
        return await self._send(request, self._connect(destination))

    def _connect(self, one: Connection | Destination) -> Connect:
        return self._events.connect_as_sandbox(one.made_by) if one.from_sandbox else connect_anywhere

    async def _send(self, request: WebRequest, connect: Connect) -> Answer:
        if web_requests.is_own(request.url):
            raise WebError("the platform's own endpoints are out of reach", "forbidden")
        return await send(request, connect=connect, tls=self._context, timeout_s=TIMEOUT_S)

    async def _auth(self, connection: Connection) -> dict[str, Any]:
        """AuthParameters as they were given, from the connection's secret; with a token for OAuth."""
        scope = connection.scope
        ctx = self._events.internal(scope, platform_principal(scope.account_id))
        secret = await ctx.call("secretsmanager", "GetSecretValue", {"SecretId": connection.secret_arn})
        auth: dict[str, Any] = json.loads(secret["SecretString"])
        if "OAuthParameters" in auth:
            auth["token"] = await self._token(connection, auth["OAuthParameters"])
        return auth

    async def _token(self, connection: Connection, oauth: dict[str, Any]) -> str:
        key = f"{connection.arn} {connection.secret_arn} {connection.changed_at}"
        now, kept = self._events.host_clock.now(), self._tokens.get(key)
        if kept is not None and kept.ends_at > now:
            return kept.text
        answer = await self._send(web_requests.token_request(oauth), self._connect(connection))
        token = _token_of(answer, now)
        if token is None:
            raise WebError(f"the authorization endpoint answered {answer.status} and no token")
        if len(self._tokens) >= _MOST_KEPT:
            self._tokens.clear()
        self._tokens[key] = token
        return token.text

    def _failed(self, delivery: Delivery, error: WebError) -> Outcome:
        now, code = self._events.clock.now(), "TIMEOUT" if error.kind == "timeout" else "CONNECTION_FAILURE"
        if error.kind == "forbidden":
            return give_up(delivery, code, str(error), now)
        return again(delivery, code, str(error), now)

    def _judged(self, delivery: Delivery, connection: Connection, answer: Answer) -> Outcome:
        now, reason = self._events.clock.now(), f"the endpoint answered {answer.status}"
        if 200 <= answer.status < 300:
            return Outcome(kind="done")
        renews = answer.status in _NEW_TOKEN and connection.kind == "OAUTH_CLIENT_CREDENTIALS"
        if renews:
            self._tokens = {key: one for key, one in self._tokens.items() if not key.startswith(f"{connection.arn} ")}
        if renews or answer.status in _AGAIN or answer.status >= 500:
            code = "THROTTLING" if answer.status == 429 else "ERROR_FROM_TARGET"
            return again(delivery, code, reason, now, _retry_after(answer))
        return give_up(delivery, "ERROR_FROM_TARGET", reason, now)

    async def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            cafile = str(self._ca_bundle) if self._ca_bundle.exists() else None
            self._tls = await asyncio.to_thread(ssl.create_default_context, cafile=cafile)
        return self._tls


def _found(tx: Tx, delivery: Delivery) -> tuple[Destination, Connection] | None:
    """Both of the rule's own account, as they are named: AWS sends to no other account's API destinations.

    AWS: EventBridge User Guide, "Sending events to an AWS service in another account" (Supported services).
    """
    destination = connections.destination_at(tx, delivery.target_arn)
    if destination is None or destination.scope.account_id != delivery.attributes["source_account"]:
        return None
    connection = connections.connection_at(tx, destination.scope, destination.connection)
    return None if connection is None else (destination, connection)


def _retry_after(answer: Answer) -> float:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0.0


def _token_of(answer: Answer, now: float) -> Token | None:
    try:
        document = json_values.parse(answer.body)
    except ValueError:
        return None
    text = document.get("access_token") if isinstance(document, dict) else None
    if not 200 <= answer.status < 300 or not isinstance(text, str):
        return None
    lives_s = document.get("expires_in")
    known = isinstance(lives_s, int | float) and not isinstance(lives_s, bool)
    return Token(text, now + max(0.0, float(lives_s) - _EARLY_S) if known else now + 3600.0)
