"""What the gateway asks of IAM on every request: whose key this is, which policies hold for a principal.

Answered from memory; any change of IAM's rows forgets it all, once that change has committed.
AWS: IAM User Guide, "Policy evaluation logic".
"""

from collections.abc import Iterator
from typing import Any

from undercast.core.arn import AccountId
from undercast.core.identity import Credential, Principal, root_principal
from undercast.policy.document import Policy, parse_policy
from undercast.policy.evaluate import PrincipalPolicies
from undercast.services.iam import entities, policies, tags
from undercast.services.iam.aws_managed import AwsManagedPolicies
from undercast.services.iam.entities import Entity
from undercast.services.iam.kinds import ROLE, USER
from undercast.store.database import Database, Tx

_REMEMBERED = 4096
_NOTHING = PrincipalPolicies()


class Knowledge:
    """Caches over IAM's rows."""

    def __init__(self, database: Database, aws_managed: AwsManagedPolicies) -> None:
        self._database = database
        self._aws_managed = aws_managed
        self._by_entity: dict[str, PrincipalPolicies | None] = {}
        self._by_key: dict[str, Credential | None] = {}
        self._parsed: dict[str, Policy] = {}

    def forget(self) -> None:
        """Read again what has changed. Compiled documents stay: they depend on their text alone."""
        self._by_entity.clear()
        self._by_key.clear()

    def credential(self, access_key_id: str) -> Credential | None:
        """A user's access key; None when we never issued it."""
        try:
            return self._by_key[access_key_id]
        except KeyError:
            found = self._database.read_now(lambda tx: _credential(tx, access_key_id))
            _room(self._by_key)
            self._by_key[access_key_id] = found
            return found

    def policies_of(self, principal: Principal) -> PrincipalPolicies | None:
        """The policies of a user or of a session's role; None when IAM has never known it.

        A principal that was known and has gone since has no permissions left.
        """
        arn = principal.role_arn or principal.arn
        try:
            found = self._by_entity[arn]
        except KeyError:
            kind = ROLE if principal.role_arn else USER
            found = self._database.read_now(
                lambda tx: self._read(tx, entities.look_up(tx, principal.account_id, kind, arn.rpartition("/")[2]), arn)
            )
            _room(self._by_entity)
            self._by_entity[arn] = found
        return _NOTHING if found is None and principal.known else found

    def tags_of(self, arn: str) -> dict[str, str]:
        """Those of a user, role or policy."""
        fields = arn.split(":", 5)
        account, path = AccountId(fields[4]), fields[-1]
        kind = {"role": ROLE, "user": USER}.get(path.partition("/")[0])

        def read(tx: Tx) -> dict[str, str]:
            name = path.rpartition("/")[2]
            owner = entities.look_up(tx, account, kind, name) if kind else policies.look_up(tx, account, arn)
            return {tag["Key"]: tag["Value"] for tag in tags.of(tx, owner.id)} if owner and owner.arn == arn else {}

        return self._database.read_now(read)

    def document(self, tx: Tx, account_id: AccountId, arn: str) -> str | None:
        """The text in force of a managed policy of the account or AWS; None when there is no such policy."""
        if (managed := self._aws_managed.find(arn)) is not None:
            return managed.version.document
        policy = policies.look_up(tx, account_id, arn)
        return policies.find_version(tx, policy, f"v{policy.default_version}").document if policy else None

    def sources(self, tx: Tx, entity: Entity) -> Iterator[tuple[str, str, str]]:
        """(type as the simulator says it, name or ARN, document) of every identity policy, groups included."""
        for owner in [entity, *(entities.groups_of(tx, entity) if entity.kind is USER else [])]:
            for name, document in policies.inline(tx, owner.id).items():
                yield owner.kind.name, f"{owner.kind.name}_{owner.name}_{name}", document
            for arn in policies.attached(tx, owner.id):
                text = self.document(tx, owner.account_id, arn)
                if text is not None:
                    yield "aws-managed" if self._aws_managed.find(arn) else "user-managed", arn, text

    def compiled(self, document: str) -> Policy:
        """The document, compiled once per text."""
        found = self._parsed.get(document)
        if found is None:
            found = parse_policy(document)
            _room(self._parsed)
            self._parsed[document] = found
        return found

    def _read(self, tx: Tx, entity: Entity | None, arn: str) -> PrincipalPolicies | None:
        if entity is None or entity.arn != arn:
            return None
        boundary = self.document(tx, entity.account_id, entity.boundary_arn) if entity.boundary_arn else None
        return PrincipalPolicies(
            identity=tuple(self.compiled(document) for _, _, document in self.sources(tx, entity)),
            boundary=self.compiled(boundary) if boundary else None,
            tags={tag["Key"]: tag["Value"] for tag in tags.of(tx, entity.id)},
        )


def user_principal(user: Entity) -> Principal:
    """A user as a caller."""
    return Principal(kind="user", account_id=user.account_id, arn=user.arn, user_id=user.id)


def _credential(tx: Tx, access_key_id: str) -> Credential | None:
    row = tx.one("SELECT * FROM iam_access_key WHERE access_key_id = ?", (access_key_id,))
    if row is None:
        return None
    account = AccountId(row["account_id"])
    user = entities.with_id(tx, row["user_id"])
    of_root = row["user_id"] == account
    return Credential(
        access_key_id=access_key_id,
        secret_access_key=row["secret"],
        principal=user_principal(user) if user else root_principal(account),
        active=(of_root or user is not None) and row["status"] == "Active",
    )


def _room(cache: dict[str, Any]) -> None:
    if len(cache) >= _REMEMBERED:
        cache.clear()
