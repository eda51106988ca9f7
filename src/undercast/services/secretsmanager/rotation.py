"""Rotation: the four steps that Secrets Manager asks of a function, and the schedule on the platform's clock.

A rotation that a stop or an error interrupts leaves AWSPENDING behind, as on AWS; the next one goes on with it.
AWS: Secrets Manager User Guide, "Lambda rotation functions", "Schedule expressions in Secrets Manager rotation".
"""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

from undercast.core.arn import AccountId, Arn
from undercast.core.clock import PlatformClock
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import platform_principal, service_principal
from undercast.core.recurring import recur
from undercast.core.tasks import Tasks
from undercast.events.schedules import Cron, InvalidSchedule, parse_schedule
from undercast.services import sealing
from undercast.services.parts import Internal
from undercast.services.secretsmanager import replicas, store
from undercast.services.secretsmanager.errors import invalid, no_function, not_let_in
from undercast.services.secretsmanager.models import CURRENT, PENDING, Secret, Version, parse_id
from undercast.store.database import Database, Tx

log = logging.getLogger(__name__)

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
SERVICE = "secretsmanager.amazonaws.com"
ROUND_S = 60.0
DAY_S, HOUR_S = 86_400.0, 3600.0
LEAST_HOURS = 4
_RATE = re.compile(r"rate\((\d+) (hours?|days?)\)")


def next_rotation(rules: Mapping[str, Any], now: float) -> float | None:
    """When the next one is due: an interval later, or at the next time of a cron(), whose times are UTC.

    None where no year of a cron() is left. Raises InvalidParameterException.
    """
    expression = rules.get("ScheduleExpression")
    if expression is None or not expression.startswith("cron(") or "AutomaticallyAfterDays" in rules:
        return now + interval_s(rules)
    try:
        schedule = parse_schedule(expression)
    except InvalidSchedule:
        raise invalid(f"The schedule expression {expression} is not valid.") from None
    if not isinstance(schedule, Cron) or schedule.minutes != (0,):
        raise invalid(f"The schedule expression {expression} is not valid: a rotation window begins on the hour.")
    hours = schedule.hours
    gaps = [later - earlier for earlier, later in pairwise((*hours, hours[0] + 24))]
    if min(gaps) < LEAST_HOURS:
        raise invalid("A secret can be rotated every four hours at most.")
    return schedule.after(now, anchor=now)


def interval_s(rules: Mapping[str, Any]) -> float:
    """Seconds between two rotations. Raises InvalidParameterException."""
    days, expression = rules.get("AutomaticallyAfterDays"), rules.get("ScheduleExpression")
    if days is not None and expression is not None:
        raise invalid("You can specify either AutomaticallyAfterDays or ScheduleExpression, but not both.")
    if days is not None:
        return float(days * DAY_S)
    if expression is None:
        raise invalid("RotationRules needs AutomaticallyAfterDays or ScheduleExpression.")
    found = _RATE.fullmatch(expression)
    if found is None or not int(found[1]):
        raise invalid(f"The schedule expression {expression} is not valid.")
    seconds = int(found[1]) * (HOUR_S if found[2].startswith("hour") else DAY_S)
    if seconds < LEAST_HOURS * HOUR_S:
        raise invalid("A secret can be rotated every four hours at most.")
    return seconds


class Rotations:
    """Runs rotations and ends recovery windows."""

    def __init__(self, database: Database, clock: PlatformClock, internal: Internal) -> None:
        self._database = database
        self._clock = clock
        self._internal = internal
        self._tasks = Tasks(_tell)
        self._running: set[str] = set()
        """ARNs of secrets that are being rotated."""

    def start(self) -> None:
        """Begin with the schedule, and go on with the rotations that the end of the process before cut off."""
        self._tasks.spawn(self._resume())
        self._tasks.spawn(recur("Secrets Manager's schedule", self._round, self._pause))

    async def stop(self) -> None:
        """End."""
        self._tasks.cancel()
        await self._tasks.ended()

    async def _resume(self) -> None:
        for secret in await self._database.read(store.rotating):
            if self.reserve(secret):
                self.rotate_soon(secret)

    def reserve(self, secret: Secret) -> bool:
        """Whether the secret may be rotated now: then `rotate_soon` or `release` follows. One rotation at a time."""
        if secret.arn in self._running:
            return False
        self._running.add(secret.arn)
        return True

    def release(self, secret: Secret) -> None:
        """It is not rotated, or no longer."""
        self._running.discard(secret.arn)

    def rotate_soon(self, secret: Secret) -> None:
        """Rotate or test in the background what was reserved; RotateSecret does not wait."""
        self._tasks.spawn(self._reserved(secret))

    async def _reserved(self, secret: Secret) -> None:
        try:
            if secret.rotating:
                await self._rotate(secret, secret.rotating)
            else:
                await self._test(secret, secret.testing)
        finally:
            self.release(secret)

    async def require_function(self, secret: Secret, function: str) -> None:
        """Raises ResourceNotFoundException, AccessDeniedException where Secrets Manager cannot invoke the function.

        AWS: Secrets Manager User Guide, "Troubleshoot AWS Secrets Manager rotation of secrets".
        """
        try:
            owner = AccountId(Arn.parse(function).account_id)
        except ServiceError:
            raise no_function() from None
        if await self._permitted(secret, function):
            return
        if owner == secret.scope.account_id:
            ctx = self._internal(secret.scope, platform_principal(owner))
            try:
                await ctx.call("lambda", "GetFunctionConfiguration", {"FunctionName": function})
            except ServiceError:
                raise no_function() from None
        raise not_let_in()

    async def _pause(self) -> None:
        await self._clock.wait_until(self._clock.now() + ROUND_S)

    async def _round(self) -> None:
        now = self._clock.now()
        await self._database.write(lambda tx: self._end(tx, now))
        for secret in await self._database.read(lambda tx: store.due(tx, now)):
            if not self.reserve(secret):
                continue
            try:
                begun = await self._begun(secret, now)
            except BaseException:
                self.release(secret)  # else no later round and no request would rotate it
                raise
            self.rotate_soon(begun)

    async def _begun(self, secret: Secret, now: float) -> Secret:
        """Next time by the schedule: a failing function is not asked every minute."""
        following = next_rotation(secret.rotation_rules, now)
        token = secret.rotating or self._internal(secret.scope, platform_principal(secret.scope.account_id)).ids.uuid()
        await self._database.write(partial(store.change, secret=secret, rotates_at=following, rotating=token))
        return replace(secret, rotates_at=following, rotating=token)

    def _end(self, tx: Tx, now: float) -> None:
        for secret in store.ending(tx, now):
            store.remove(tx, secret)

    async def _rotate(self, secret: Secret, token: str) -> None:
        ctx = self._internal(secret.scope, platform_principal(secret.scope.account_id))
        if not await self._permitted(secret, secret.rotation_lambda):
            log.warning("rotation of %s: %s has no policy that lets %s in", secret.arn, secret.rotation_lambda, SERVICE)
            return
        for step in STEPS:
            if not await self._step(ctx, secret, step, token):
                return
        await self._database.write(lambda tx: self._finish(tx, secret, token))

    async def _test(self, secret: Secret, token: str) -> None:
        """The step testSecret for a version that exists as long as it takes, with the current value.

        AWS: Secrets Manager API Reference, RotateSecret, RotateImmediately.
        """
        ctx = self._internal(secret.scope, platform_principal(secret.scope.account_id))
        current, made = await self._database.read(lambda tx: self._tested(tx, secret, token))
        try:
            if current is not None and made is None:
                of = {"SecretARN": secret.arn, "SecretVersionId": token}
                value = await sealing.unseal(ctx, current.sealed, {**of, "SecretVersionId": current.id})
                sealed = await sealing.seal(ctx, secret.key_id, of, value)
                made = replace(current, id=token, sealed=sealed, stages=(PENDING,), created_at=ctx.clock.now())
                await self._database.write(partial(store.add_version, secret=secret, made=made))
            await self._step(ctx, secret, "testSecret", token)
        except ServiceError as error:
            log.warning("the test of the rotation of %s failed: %s", secret.arn, error.message)
        await self._database.write(lambda tx: self._tested_away(tx, secret, token))

    def _tested(self, tx: Tx, secret: Secret, token: str) -> tuple[Version | None, Version | None]:
        return store.version(tx, secret, stage=CURRENT), store.version(tx, secret, version_id=token)

    def _tested_away(self, tx: Tx, secret: Secret, token: str) -> None:
        made = store.version(tx, secret, version_id=token)
        if made is not None and made.stages == (PENDING,):
            store.remove_version(tx, secret, made)
        store.change(tx, secret, testing="")

    async def _step(self, ctx: RequestContext, secret: Secret, step: str, token: str) -> bool:
        """Whether the function took it."""
        event = {"Step": step, "SecretId": secret.arn, "ClientRequestToken": token}
        params = {"FunctionName": secret.rotation_lambda, "Payload": json.dumps(event).encode()}
        try:
            answer = await ctx.call("lambda", "Invoke", params)
        except ServiceError as error:
            log.warning("rotation of %s: %s failed: %s", secret.arn, step, error.message)
            return False
        if answer.get("FunctionError"):
            log.warning("rotation of %s: the function failed at %s", secret.arn, step)
        return not answer.get("FunctionError")

    async def _permitted(self, secret: Secret, function: str) -> bool:
        """Whether the function's own policy lets Secrets Manager in for this secret.

        AWS: Secrets Manager User Guide, "Lambda rotation function permissions" (aws:SourceAccount, aws:SourceArn).
        """
        principal = service_principal(SERVICE, secret.scope.account_id)
        conditions = {"aws:SourceArn": secret.arn, "aws:SourceAccount": secret.scope.account_id}
        ctx = self._internal(secret.scope, principal)
        return await ctx.permits(principal, "lambda:InvokeFunction", function, conditions)

    def _finish(self, tx: Tx, secret: Secret, token: str) -> None:
        made = store.version(tx, secret, version_id=token, stage=CURRENT)
        if made is None:
            log.warning("rotation of %s: finishSecret left AWSCURRENT where it was", secret.arn)
            return
        store.change(tx, secret, rotated_at=self._clock.now(), changed_at=self._clock.now(), rotating="")
        replicas.follow(tx, store.existing(tx, parse_id(secret.arn, secret.scope)))


def _tell(error: BaseException) -> None:
    log.error("a rotation failed", exc_info=error)
