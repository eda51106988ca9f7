"""Managed policies with their versions, inline policies and attachments as rows.

Functions of a transaction; they raise IAM's errors. AWS's own managed policies are data, see `aws_managed`.
AWS: IAM User Guide, "Managed policies and inline policies", "Versioning IAM policies", "IAM and AWS STS quotas".
"""

from undercast.core.arn import AccountId
from undercast.core.record import record
from undercast.services.iam import errors
from undercast.services.iam.entities import Entity
from undercast.services.iam.kinds import ATTACHED_POLICIES
from undercast.store.database import Row, Tx

MAX_VERSIONS = 5
MAX_POLICIES = 1500
MAX_DOCUMENT = 6144
"""Characters of a managed policy, white space not counted."""


@record
class ManagedPolicy:
    """One managed policy, the customer's or AWS's."""

    id: str
    arn: str
    name: str
    path: str
    description: str
    default_version: int
    latest_version: int
    created_at: float
    updated_at: float


@record
class Version:
    """One version of a managed policy."""

    number: int
    document: str
    created_at: float
    default: bool

    @property
    def id(self) -> str:
        """As AWS names it: "v3"."""
        return f"v{self.number}"


def size(document: str) -> int:
    """Characters that count against a quota: all but white space."""
    return len("".join(document.split()))


def look_up(tx: Tx, account_id: AccountId, arn: str) -> ManagedPolicy | None:
    """The account's own managed policy; None also for one of another account."""
    row = tx.one("SELECT * FROM iam_policy WHERE arn = ? AND account_id = ?", (arn, account_id))
    return None if row is None else _policy(row)


def every(tx: Tx, account_id: AccountId) -> list[ManagedPolicy]:
    """All customer managed policies of an account."""
    return [_policy(row) for row in tx.all("SELECT * FROM iam_policy WHERE account_id = ?", (account_id,))]


def add(tx: Tx, account_id: AccountId, policy: ManagedPolicy, document: str) -> None:
    """Raises EntityAlreadyExists and LimitExceeded."""
    folded = (account_id, policy.name.lower())
    if tx.one("SELECT 1 FROM iam_policy WHERE account_id = ? AND folded_name = ?", folded):
        raise errors.already_exists(f"A policy called {policy.name} already exists. Duplicate names are not allowed.")
    if len(every(tx, account_id)) >= MAX_POLICIES:
        raise errors.over_quota("PoliciesPerAccount", MAX_POLICIES)
    tx.execute(
        "INSERT INTO iam_policy VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *folded,
            policy.id,
            policy.arn,
            policy.name,
            policy.path,
            policy.description,
            1,
            1,
            policy.created_at,
            policy.updated_at,
        ),
    )
    _insert_version(
        tx, account_id, policy.id, Version(number=1, document=document, created_at=policy.created_at, default=True)
    )


def versions(tx: Tx, policy: ManagedPolicy) -> list[Version]:
    """All versions, the newest first."""
    rows = tx.all("SELECT * FROM iam_policy_version WHERE policy_id = ? ORDER BY version DESC", (policy.id,))
    return [
        Version(
            number=row["version"],
            document=row["document"],
            created_at=row["created_at"],
            default=row["version"] == policy.default_version,
        )
        for row in rows
    ]


def find_version(tx: Tx, policy: ManagedPolicy, version_id: str) -> Version:
    """Raises NoSuchEntity."""
    for version in versions(tx, policy):
        if version.id == version_id:
            return version
    raise errors.no_such_version(policy.arn, version_id)


def add_version(tx: Tx, account_id: AccountId, policy: ManagedPolicy, version: Version) -> None:
    """Raises LimitExceeded when there are five."""
    if len(versions(tx, policy)) >= MAX_VERSIONS:
        raise errors.limit_exceeded(
            "A managed policy can have up to 5 versions. Before you create a new version, you must delete an "
            "existing version."
        )
    _insert_version(tx, account_id, policy.id, version)
    tx.execute(
        "UPDATE iam_policy SET latest_version = ?, updated_at = ? WHERE id = ?",
        (version.number, version.created_at, policy.id),
    )
    if version.default:
        set_default(tx, policy, version.number)


def set_default(tx: Tx, policy: ManagedPolicy, number: int) -> None:
    """The version that is in force."""
    tx.execute("UPDATE iam_policy SET default_version = ? WHERE id = ?", (number, policy.id))


def remove_version(tx: Tx, policy: ManagedPolicy, number: int) -> None:
    """Its number is never used again."""
    tx.execute("DELETE FROM iam_policy_version WHERE policy_id = ? AND version = ?", (policy.id, number))


def remove(tx: Tx, policy: ManagedPolicy) -> None:
    """Remove the policy with its versions and tags."""
    tx.execute("DELETE FROM iam_policy WHERE id = ?", (policy.id,))
    tx.execute("DELETE FROM iam_policy_version WHERE policy_id = ?", (policy.id,))
    tx.execute("DELETE FROM iam_tag WHERE owner_id = ?", (policy.id,))


def attached(tx: Tx, owner_id: str) -> list[str]:
    """ARNs in the order in which they were attached."""
    rows = tx.all("SELECT policy_arn FROM iam_attachment WHERE owner_id = ? ORDER BY position", (owner_id,))
    return [row["policy_arn"] for row in rows]


def attach(tx: Tx, entity: Entity, arn: str) -> None:
    """Attaching twice changes nothing. Raises LimitExceeded."""
    present = attached(tx, entity.id)
    if arn in present:
        return
    if len(present) >= ATTACHED_POLICIES:
        raise errors.over_quota(entity.kind.policies_quota, ATTACHED_POLICIES)
    last = tx.one("SELECT max(position) AS n FROM iam_attachment WHERE owner_id = ?", (entity.id,))
    position = 1 + ((last["n"] if last else 0) or 0)
    tx.execute("INSERT INTO iam_attachment VALUES (?, ?, ?, ?)", (entity.account_id, entity.id, arn, position))


def detach(tx: Tx, entity: Entity, arn: str) -> None:
    """Raises NoSuchEntity when it is not attached."""
    if not tx.execute("DELETE FROM iam_attachment WHERE owner_id = ? AND policy_arn = ?", (entity.id, arn)):
        raise errors.no_such_policy(arn)


def attached_to(tx: Tx, account_id: AccountId, arn: str) -> list[str]:
    """Unique ids of the entities of an account that a policy is attached to."""
    sql = "SELECT owner_id FROM iam_attachment WHERE account_id = ? AND policy_arn = ?"
    return [row["owner_id"] for row in tx.all(sql, (account_id, arn))]


def in_use(tx: Tx, account_id: AccountId) -> list[str]:
    """ARNs of the policies that some entity of an account has attached, or has as its permissions boundary."""
    sql = (
        "SELECT policy_arn AS arn FROM iam_attachment WHERE account_id = ? UNION "
        "SELECT boundary_arn FROM iam_entity WHERE account_id = ? AND boundary_arn IS NOT NULL ORDER BY arn"
    )
    return [row["arn"] for row in tx.all(sql, (account_id, account_id))]


def bounded_by(tx: Tx, account_id: AccountId, arn: str) -> list[str]:
    """Unique ids of the entities of an account whose permissions boundary a policy is."""
    rows = tx.all("SELECT id FROM iam_entity WHERE account_id = ? AND boundary_arn = ?", (account_id, arn))
    return [row["id"] for row in rows]


def inline(tx: Tx, owner_id: str) -> dict[str, str]:
    """Name -> document."""
    rows = tx.all("SELECT name, document FROM iam_inline_policy WHERE owner_id = ? ORDER BY name", (owner_id,))
    return {row["name"]: row["document"] for row in rows}


def put_inline(tx: Tx, entity: Entity, name: str, document: str) -> None:
    """Add or replace. Raises LimitExceeded when all inline policies together are too large."""
    tx.execute("DELETE FROM iam_inline_policy WHERE owner_id = ? AND name = ?", (entity.id, name))
    tx.execute("INSERT INTO iam_inline_policy VALUES (?, ?, ?, ?)", (entity.account_id, entity.id, name, document))
    if sum(size(text) for text in inline(tx, entity.id).values()) > entity.kind.inline_bytes:
        raise errors.limit_exceeded(
            f"Maximum policy size of {entity.kind.inline_bytes} bytes exceeded for {entity.kind.name} {entity.name}"
        )


def find_inline(tx: Tx, entity: Entity, name: str) -> str:
    """Raises NoSuchEntity."""
    document = inline(tx, entity.id).get(name)
    if document is None:
        raise errors.no_such(f"{entity.kind.name} policy", name)
    return document


def remove_inline(tx: Tx, entity: Entity, name: str) -> None:
    """Raises NoSuchEntity."""
    find_inline(tx, entity, name)
    tx.execute("DELETE FROM iam_inline_policy WHERE owner_id = ? AND name = ?", (entity.id, name))


def _insert_version(tx: Tx, account_id: AccountId, policy_id: str, version: Version) -> None:
    tx.execute(
        "INSERT INTO iam_policy_version VALUES (?, ?, ?, ?, ?)",
        (account_id, policy_id, version.number, version.document, version.created_at),
    )


def _policy(row: Row) -> ManagedPolicy:
    return ManagedPolicy(
        id=row["id"],
        arn=row["arn"],
        name=row["name"],
        path=row["path"],
        description=row["description"],
        default_version=row["default_version"],
        latest_version=row["latest_version"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
