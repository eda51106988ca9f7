"""KMS as its operations see it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from undercast.core.arn import Scope
from undercast.core.clock import PlatformClock
from undercast.core.context import RequestContext
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.services.kms import material, store
from undercast.services.kms.errors import invalid_key_id, no_alias, no_key
from undercast.services.kms.models import (
    ENABLED,
    KEY_ID,
    Key,
    Material,
    Named,
    default_policy,
    managed_policy,
    parse_name,
)
from undercast.services.kms.specs import ENCRYPT, SYMMETRIC
from undercast.services.kms.upkeep import Upkeep
from undercast.store.database import Database, Tx

_MANAGED: Mapping[str, str] = {
    "alias/aws/ssm": "Default key that protects my SSM parameters when no other key is defined",
    "alias/aws/secretsmanager": "Default key that protects my Secrets Manager data when no other key is defined",
    "alias/aws/s3": "Default key that protects my S3 objects when no other key is defined",
    "alias/aws/sqs": "Default key that protects my SQS messages when no other key is defined",
    "alias/aws/sns": "Default key that protects my SNS data when no other key is defined",
    "alias/aws/dynamodb": "Default key that protects my DynamoDB data when no other key is defined",
    "alias/aws/lambda": "Default key that protects my Lambda functions when no other key is defined",
    "alias/aws/kinesis": "Default key that protects my Kinesis data when no other key is defined",
}


@record
class Kms:
    """One per platform."""

    database: Database
    upkeep: Upkeep
    clock: PlatformClock
    ids: Ids

    async def key(self, ctx: RequestContext, text: str) -> Key:
        """The key of a KeyId. Keys of AWS services come into being at their first use. Raises NotFoundException."""
        name = parse_name(text, ctx.scope)
        key = self.find(name)
        if key is None and name.alias in _MANAGED:
            return await self._managed(name)
        if key is None and not name.alias and not KEY_ID.fullmatch(name.key_id):
            raise invalid_key_id(text)
        if key is None:
            raise no_alias(name.arn) if name.alias else no_key(name.arn)
        return key

    def find(self, name: Named) -> Key | None:
        """None where there is no such key."""
        return self.database.read_now(lambda tx: store.find(tx, name))

    def before_first_use(self, name: Named) -> Key | None:
        """A key that AWS manages and nobody has used yet, as who may use it is decided: it has its policy and no id."""
        if name.alias not in _MANAGED:
            return None
        now = self.clock.now()
        return _as_managed(new_key(name.scope, "*", SYMMETRIC, ENCRYPT, now), name.alias, now)

    async def change(self, key: Key, decide: Callable[[Key], Mapping[str, store.Column]]) -> None:
        """Set what `decide` answers, or raises, of the key as it is when its turn to write has come."""

        def write(tx: Tx) -> None:
            now = current(tx, key)
            store.change(tx, now, **decide(now))

        await self.database.write(write)

    async def material(self, key: Key, number: int = 0) -> Material | None:
        """One generation of its secret; the newest for 0."""
        return await self.database.read(lambda tx: store.material(tx, key, number))

    async def newest(self, key: Key) -> Material:
        """The generation that encrypts, after the states that forbid it were asked."""
        key.require_usable()
        found = await self.material(key)
        assert found is not None, "a key that is there has material"
        return found

    async def _managed(self, name: Named) -> Key:
        scope = name.scope
        made = new_key(scope, self.ids.uuid(), SYMMETRIC, ENCRYPT, self.clock.now())
        key = _as_managed(made, name.alias, self.clock.now())
        secret = await asyncio.to_thread(material.generate, SYMMETRIC)

        def write(tx: Tx) -> Key:
            known = store.find(tx, name)
            if known is not None:
                return known
            store.add_key(tx, key, secret)
            store.set_alias(tx, scope, name.alias, key.id, self.clock.now())
            return key

        return await self.database.write(write)


def current(tx: Tx, key: Key) -> Key:
    """The key within a write: it may have changed while that waited. Raises NotFoundException."""
    found = store.find(tx, Named(scope=key.scope, key_id=key.id))
    if found is None:
        raise no_key(key.arn)
    return found


def new_key(scope: Scope, key_id: str, spec: str, usage: str, now: float) -> Key:
    """A key with AWS's defaults."""
    return Key(
        scope=scope,
        id=key_id,
        spec=spec,
        usage=usage,
        description="",
        policy=default_policy(scope.account_id),
        tags={},
        state=ENABLED,
        manager="CUSTOMER",
        created_at=now,
        deletion_at=None,
        multi_region=False,
        rotation_days=0,
        rotates_at=None,
    )


def _as_managed(key: Key, alias: str, now: float) -> Key:
    return replace(
        key,
        manager="AWS",
        description=_MANAGED[alias],
        policy=managed_policy(key.scope.account_id, key.scope.region, alias),
        rotation_days=365,
        rotates_at=now + 365 * 86_400.0,
    )
