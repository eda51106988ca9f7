"""Roles, users and groups as rows.

Functions of a transaction; they raise IAM's errors. Names are found without regard to case.
AWS: IAM User Guide, "IAM identifiers".
"""

from dataclasses import replace

from undercast.core.arn import AccountId
from undercast.core.record import record
from undercast.services.iam import errors
from undercast.services.iam.kinds import GROUP, ROLE, USER, Kind
from undercast.store.database import Row, Tx

DEFAULT_SESSION_S = 3600


@record
class Entity:
    """One role, user or group. The last four are a role's (the boundary also a user's)."""

    kind: Kind
    account_id: AccountId
    id: str
    name: str
    path: str
    created_at: float
    trust_policy: str = ""
    description: str = ""
    max_session_s: int = DEFAULT_SESSION_S
    boundary_arn: str | None = None

    @property
    def arn(self) -> str:
        """arn:aws:iam::123456789012:role/path/name"""
        return f"arn:aws:iam::{self.account_id}:{self.kind.name}{self.path}{self.name}"


def root_user(account_id: AccountId) -> Entity:
    """The account's root, which has access keys like a user and no row."""
    return Entity(kind=USER, account_id=account_id, id=account_id, name="root", path="/", created_at=0.0)


def find(tx: Tx, account_id: AccountId, kind: Kind, name: str) -> Entity:
    """Raises NoSuchEntity."""
    entity = look_up(tx, account_id, kind, name)
    if entity is None:
        raise errors.no_such(kind.name, name)
    return entity


def look_up(tx: Tx, account_id: AccountId, kind: Kind, name: str) -> Entity | None:
    """The entity of that name, or None."""
    row = tx.one(
        "SELECT * FROM iam_entity WHERE account_id = ? AND kind = ? AND folded_name = ?",
        (account_id, kind.name, name.lower()),
    )
    return None if row is None else _entity(row)


def with_id(tx: Tx, entity_id: str) -> Entity | None:
    """The entity of that unique id, or None."""
    row = tx.one("SELECT * FROM iam_entity WHERE id = ?", (entity_id,))
    return None if row is None else _entity(row)


def every(tx: Tx, account_id: AccountId, kind: Kind, path_prefix: str = "/") -> list[Entity]:
    """All of one kind under a path."""
    rows = tx.all("SELECT * FROM iam_entity WHERE account_id = ? AND kind = ?", (account_id, kind.name))
    return [_entity(row) for row in rows if row["path"].startswith(path_prefix)]


def members(tx: Tx, group: Entity) -> list[Entity]:
    """The users in a group."""
    sql = "SELECT e.* FROM iam_membership m JOIN iam_entity e ON e.id = m.user_id WHERE m.group_id = ?"
    return [_entity(row) for row in tx.all(sql, (group.id,))]


def groups_of(tx: Tx, user: Entity) -> list[Entity]:
    """The groups that a user is in."""
    sql = "SELECT e.* FROM iam_membership m JOIN iam_entity e ON e.id = m.group_id WHERE m.user_id = ?"
    return [_entity(row) for row in tx.all(sql, (user.id,))]


def add(tx: Tx, entity: Entity) -> None:
    """Raises EntityAlreadyExists and LimitExceeded."""
    if look_up(tx, entity.account_id, entity.kind, entity.name):
        raise errors.entity_exists(entity.kind, entity.name)
    count = tx.one(
        "SELECT count(*) AS n FROM iam_entity WHERE account_id = ? AND kind = ?", (entity.account_id, entity.kind.name)
    )
    if count is not None and count["n"] >= entity.kind.entities_per_account:
        raise errors.over_quota(f"{entity.kind.label}sPerAccount", entity.kind.entities_per_account)
    tx.execute("INSERT INTO iam_entity VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _row(entity))


def save(tx: Tx, entity: Entity) -> None:
    """Write what was changed by `dataclasses.replace`."""
    tx.execute("DELETE FROM iam_entity WHERE id = ?", (entity.id,))
    tx.execute("INSERT INTO iam_entity VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _row(entity))


def rename(tx: Tx, entity: Entity, *, name: str | None, path: str | None) -> None:
    """Raises EntityAlreadyExists."""
    if name is not None and name.lower() != entity.name.lower() and look_up(tx, entity.account_id, entity.kind, name):
        raise errors.entity_exists(entity.kind, name)
    save(tx, replace(entity, name=name or entity.name, path=path or entity.path))


def remove(tx: Tx, entity: Entity) -> None:
    """Remove the entity and its tags. The caller has checked that nothing else hangs on it."""
    tx.execute("DELETE FROM iam_entity WHERE id = ?", (entity.id,))
    tx.execute("DELETE FROM iam_tag WHERE owner_id = ?", (entity.id,))


def _row(entity: Entity) -> tuple[str | float | int | None, ...]:
    return (
        entity.account_id,
        entity.kind.name,
        entity.name.lower(),
        entity.id,
        entity.name,
        entity.path,
        entity.created_at,
        entity.trust_policy,
        entity.description,
        entity.max_session_s,
        entity.boundary_arn,
    )


def _entity(row: Row) -> Entity:
    kinds = {kind.name: kind for kind in (ROLE, USER, GROUP)}
    return Entity(
        kind=kinds[row["kind"]],
        account_id=AccountId(row["account_id"]),
        id=row["id"],
        name=row["name"],
        path=row["path"],
        created_at=row["created_at"],
        trust_policy=row["trust_policy"],
        description=row["description"],
        max_session_s=row["max_session_s"],
        boundary_arn=row["boundary_arn"],
    )
