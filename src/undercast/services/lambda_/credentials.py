"""The credentials of execution environments: a session of the function's role, traced to its environment.

The platform writes a function's log whatever the role allows; where AWS would drop it, one warning says so.
AWS: Lambda Developer Guide, "Defining Lambda function permissions with an execution role".
"""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial

from undercast.core.arn import Scope
from undercast.core.context import Cause, RequestContext
from undercast.core.identity import service_principal
from undercast.core.recurring import every
from undercast.sandbox.model import EnvironmentCredentials, FunctionVersion
from undercast.services.lambda_.instance import PRINCIPAL
from undercast.services.lambda_.roles import allows
from undercast.services.parts import Internal

log = logging.getLogger(__name__)

DURATION_S = 43_200
"""Twelve hours, the longest session that AWS issues; an idle environment lives far shorter."""
_MAX_REMEMBERED = 10_000
_LOOK_AFTER_S = 0.1


class RoleCredentials:
    """See `sandbox.model.CredentialSource`. `internal` makes the context of the calls to STS and IAM.

    `end_session` is STS's: it takes an access key id. AWS has no operation for it.
    """

    def __init__(self, internal: Internal, end_session: Callable[[str], Awaitable[None]]) -> None:
        self._internal = internal
        self._end_session = end_session
        self._pause = every(_LOOK_AFTER_S)
        self._issued: dict[str, str] = {}
        """Environment id -> access key id."""
        self._looked_at: set[tuple[str, str]] = set()
        self._looks: dict[str, asyncio.Task[None]] = {}
        """Environment id -> the look that its credentials caused."""

    async def issue(self, function: FunctionVersion, environment_id: str) -> EnvironmentCredentials:
        """Assume the function's role as the Lambda service, for this environment."""
        principal = service_principal(PRINCIPAL, function.account_id)
        cause = Cause(kind="init", id=environment_id, environment_id=environment_id)
        ctx = self._internal(Scope(function.account_id, function.region), principal, cause)
        params = {"RoleArn": function.role_arn, "RoleSessionName": function.name, "DurationSeconds": DURATION_S}
        issued = (await ctx.call("sts", "AssumeRole", params))["Credentials"]
        self._issued[environment_id] = issued["AccessKeyId"]
        self._look_later(ctx, function, environment_id)
        return EnvironmentCredentials(
            access_key_id=issued["AccessKeyId"],
            secret_access_key=issued["SecretAccessKey"],
            session_token=issued["SessionToken"],
            expires_at=issued["Expiration"].timestamp(),
        )

    async def end(self, environment_id: str) -> None:
        """See `CredentialSource`. A store that fails now forgets the session when its time is over."""
        look = self._looks.pop(environment_id, None)
        if look is not None:
            look.cancel()
            await asyncio.gather(look, return_exceptions=True)
        access_key_id = self._issued.pop(environment_id, None)
        if access_key_id is None:
            return
        try:
            await self._end_session(access_key_id)
        except (OSError, sqlite3.Error) as error:
            log.warning("the session of environment %s cannot be ended: %s", environment_id, error)

    def _look_later(self, ctx: RequestContext, function: FunctionVersion, environment_id: str) -> None:
        """Once per role and log group, behind the start: to read a policy for the first time takes as long as that."""
        key = function.role_arn, function.log_group
        if key in self._looked_at:
            return
        if len(self._looked_at) >= _MAX_REMEMBERED:
            self._looked_at.clear()
        self._looked_at.add(key)
        look = asyncio.get_running_loop().create_task(self._look_at_log_permission(ctx, function))
        look.add_done_callback(partial(self._looked, environment_id))
        self._looks[environment_id] = look

    def _looked(self, environment_id: str, look: asyncio.Task[None]) -> None:
        if self._looks.get(environment_id) is look:
            del self._looks[environment_id]
        if not look.cancelled() and (error := look.exception()) is not None:
            log.warning("nobody could see whether the role of an environment may write its log: %r", error)

    async def _look_at_log_permission(self, ctx: RequestContext, function: FunctionVersion) -> None:
        """A role that IAM does not know is let through without a word."""
        await self._pause()
        group = f"arn:aws:logs:{function.region}:{function.account_id}:log-group:{function.log_group}"
        if await allows(ctx, function.role_arn, "logs:PutLogEvents", f"{group}:log-stream:any") is False:
            log.warning(
                "%s may not logs:PutLogEvents on %s: AWS would drop this function's log.", function.role_arn, group
            )
