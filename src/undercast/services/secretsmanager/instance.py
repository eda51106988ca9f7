"""Secrets Manager as its operations see it."""

from undercast.core.clock import PlatformClock
from undercast.core.context import RequestContext
from undercast.core.record import record
from undercast.services.secretsmanager import store
from undercast.services.secretsmanager.errors import deleted
from undercast.services.secretsmanager.models import Secret, parse_id
from undercast.services.secretsmanager.replicas import not_on_a_replica
from undercast.services.secretsmanager.rotation import Rotations
from undercast.store.database import Database, Tx


@record
class SecretsManager:
    """One per platform."""

    database: Database
    rotations: Rotations
    clock: PlatformClock

    def secret(self, ctx: RequestContext, secret_id: str) -> Secret:
        """The secret of a SecretId, alive. Raises ResourceNotFoundException, InvalidRequestException."""
        return self.database.read_now(lambda tx: alive(tx, ctx, secret_id))


def alive(tx: Tx, ctx: RequestContext, secret_id: str) -> Secret:
    """See `SecretsManager.secret`, inside a transaction."""
    secret = store.existing(tx, parse_id(secret_id, ctx.scope))
    if secret.deleted_at is not None:
        raise deleted()
    return secret


def primary(tx: Tx, ctx: RequestContext, secret_id: str) -> Secret:
    """The same for a change: not of a replica. Raises InvalidRequestException for one."""
    secret = alive(tx, ctx, secret_id)
    if secret.primary_region:
        raise not_on_a_replica()
    return secret
