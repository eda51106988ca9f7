"""The IAM service as its operations see it.

Every write forgets, after its commit, what the gateway has cached.
AWS: IAM API Reference.
"""

from collections.abc import Callable
from typing import TypeVar

from undercast.core.access_keys import PERMANENT
from undercast.core.arn import AccountId
from undercast.core.config import IamMode
from undercast.core.context import RequestContext
from undercast.core.identity import Credential, Principal
from undercast.policy.document import parse_policy
from undercast.policy.evaluate import PrincipalPolicies
from undercast.policy.validation import PolicyKind
from undercast.services.iam import entities, errors, policies
from undercast.services.iam.aws_managed import AwsManagedPolicies
from undercast.services.iam.entities import Entity
from undercast.services.iam.kinds import USER, Kind
from undercast.services.iam.knowledge import Knowledge
from undercast.services.parts import Parts
from undercast.store.database import Database, Tx
from undercast.store.journal import Journal

T = TypeVar("T")
_KEY_USE_EVERY_S = 60.0
_KEY_USE = (
    "INSERT INTO iam_key_use VALUES (?, ?, ?, ?, ?) ON CONFLICT (access_key_id) DO UPDATE SET "
    "used_at = excluded.used_at, service = excluded.service, region = excluded.region"
)


class Iam:
    """State of IAM. `credential` and `policies_of` are what the gateway asks."""

    def __init__(self, database: Database, journal: Journal, mode: IamMode = "enforce") -> None:
        self._database = database
        self.mode: IamMode = mode
        self.journal = journal
        self.aws_managed = AwsManagedPolicies()
        self.knowledge = Knowledge(database, self.aws_managed)
        self._noted: dict[str, float] = {}

    @classmethod
    def build(cls, parts: Parts) -> "Iam":
        """See `Manifest.build`."""
        return cls(parts.database, parts.journal, parts.config.iam)

    async def write(self, fn: Callable[[Tx], T]) -> T:
        """Run a transaction that changes IAM's rows."""

        def change(tx: Tx) -> T:
            tx.after_commit(self.knowledge.forget)
            return fn(tx)

        return await self._database.write(change)

    async def read(self, fn: Callable[[Tx], T]) -> T:
        """Run a transaction that only reads."""
        return await self._database.read(fn)

    def credential(self, access_key_id: str) -> Credential | None:
        """A user's access key; None when IAM never issued it."""
        return self.knowledge.credential(access_key_id)

    def policies_of(self, principal: Principal) -> PrincipalPolicies | None:
        """The policies of a user or role; None when IAM does not know it."""
        return self.knowledge.policies_of(principal)

    def note_key_use(self, credential: Credential, service: str, region: str, now: float) -> None:
        """Remember when and where a user's key was last used, once a minute."""
        key = credential.access_key_id
        if not key.startswith(PERMANENT):
            return
        if now - self._noted.get(key, float("-inf")) >= _KEY_USE_EVERY_S:
            self._noted[key] = now
            self.journal.append(_KEY_USE, (credential.principal.account_id, key, now, service, region))

    def forget(self) -> None:
        """See `Manifest.reset`."""
        self.knowledge.forget()
        self._noted.clear()

    def attachable(self, tx: Tx, account_id: AccountId, arn: str) -> None:
        """Raises NoSuchEntity for a managed policy that neither the account nor AWS has."""
        if not self._usable(tx, account_id, arn):
            raise errors.not_attachable(arn)

    def boundary(self, tx: Tx, account_id: AccountId, arn: str) -> None:
        """Raises NoSuchEntity for a permissions boundary that neither the account nor AWS has."""
        if not self._usable(tx, account_id, arn):
            raise errors.no_such_boundary(arn)

    def _usable(self, tx: Tx, account_id: AccountId, arn: str) -> bool:
        return self.aws_managed.find(arn) is not None or policies.look_up(tx, account_id, arn) is not None


def new_entity(ctx: RequestContext, kind: Kind, name: str, path: str | None) -> Entity:
    """An entity that is not stored yet."""
    return Entity(
        kind=kind,
        account_id=ctx.account_id,
        id=kind.id_prefix + ctx.ids.base32(17),
        name=name,
        path=path or "/",
        created_at=ctx.clock.now(),
    )


def checked(document: str, kind: PolicyKind) -> str:
    """The document as it came. Raises MalformedPolicyDocument."""
    parse_policy(document, kind)
    return document


def user_or_caller(tx: Tx, ctx: RequestContext, name: str | None) -> Entity:
    """The named user, or the one who calls: many operations take the user name from the access key."""
    if name is None and ctx.principal.kind == "root":
        return entities.root_user(ctx.account_id)
    if name is None and ctx.principal.kind != "user":
        raise errors.validation_error("Must specify userName when calling with non-User credentials")
    return entities.find(tx, ctx.account_id, USER, name or ctx.principal.arn.rpartition("/")[2])
