"""Secrets and their versions as frozen data.

Pure. AWS: Secrets Manager User Guide, "What's in a Secrets Manager secret?".
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.clock import moment
from undercast.core.record import record
from undercast.services.sealing import Sealed
from undercast.store.database import Row

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
DEFAULT_KEY = "alias/aws/secretsmanager"
_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}")


@record
class Secret:
    """One secret without its values."""

    scope: Scope
    name: str
    suffix: str
    """Six characters behind the name in its ARN."""
    description: str
    kms_key_id: str
    """"" for the key that AWS manages."""
    tags: Mapping[str, str]
    policy: str
    created_at: float
    changed_at: float
    accessed_at: float | None
    deleted_at: float | None
    ends_at: float | None
    rotation_lambda: str
    rotation_rules: Mapping[str, Any]
    rotated_at: float | None
    rotates_at: float | None
    rotating: str
    """The version that a rotation is making; "" for none."""
    testing: str
    """The version with which a rotation's configuration is being tested; "" for none."""
    primary_region: str
    """Of a replica, where its primary is; "" else."""

    @property
    def arn(self) -> str:
        """Its ARN, with the suffix."""
        return str(Arn.of(self.scope, "secretsmanager", f"secret:{self.name}-{self.suffix}"))

    @property
    def key_id(self) -> str:
        """What KMS is asked for."""
        return self.kms_key_id or DEFAULT_KEY

    def named(self) -> dict[str, str]:
        """ARN and Name, which most answers begin with."""
        return {"ARN": self.arn, "Name": self.name}

    def output(self) -> dict[str, Any]:
        """What DescribeSecret and ListSecrets share."""
        result: dict[str, Any] = {
            **self.named(),
            "LastChangedDate": moment(self.changed_at),
            "CreatedDate": moment(self.created_at),
            "Tags": [{"Key": key, "Value": value} for key, value in self.tags.items()],
        }
        for member, text in (("Description", self.description), ("KmsKeyId", self.kms_key_id)):
            if text:
                result[member] = text
        for member, when in (
            ("LastAccessedDate", self.accessed_at),
            ("DeletedDate", self.ends_at),
            ("LastRotatedDate", self.rotated_at),
            ("NextRotationDate", self.rotates_at),
        ):
            if when is not None:
                result[member] = moment(when)
        if self.rotation_lambda:
            result["RotationLambdaARN"] = self.rotation_lambda
            result["RotationEnabled"] = bool(self.rotation_rules)
            result["RotationRules"] = dict(self.rotation_rules)
        return result


def secret_of(row: Row) -> Secret:
    """A secret from its row."""
    return Secret(
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        name=row["name"],
        suffix=row["suffix"],
        description=row["description"],
        kms_key_id=row["kms_key_id"],
        tags=json.loads(row["tags"]),
        policy=row["policy"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
        accessed_at=row["accessed_at"],
        deleted_at=row["deleted_at"],
        ends_at=row["ends_at"],
        rotation_lambda=row["rotation_lambda"],
        rotation_rules=json.loads(row["rotation_rules"]),
        rotated_at=row["rotated_at"],
        rotates_at=row["rotates_at"],
        rotating=row["rotating"],
        testing=row["testing"],
        primary_region=row["primary_region"],
    )


@record
class Version:
    """One value of a secret."""

    id: str
    kind: str
    """"SecretString" or "SecretBinary"."""
    sealed: Sealed
    digest: str
    """Tells whether a repeated request brings the same value."""
    stages: tuple[str, ...]
    created_at: float
    accessed_at: float | None = None


def version_of(row: Row) -> Version:
    """A version from its row."""
    return Version(
        id=row["id"],
        kind=row["kind"],
        sealed=Sealed(row["blob"], row["data_key"]),
        digest=row["digest"],
        stages=tuple(json.loads(row["stages"])),
        created_at=row["created_at"],
        accessed_at=row["accessed_at"],
    )


@record
class Named:
    """What a SecretId says: a scope, and the names that it may mean, the likeliest first."""

    scope: Scope
    names: tuple[tuple[str, str], ...]
    """(name, suffix or "")."""


def parse_id(text: str, scope: Scope) -> Named:
    """A name, an ARN, or an ARN without its suffix. AWS: a name that ends like a suffix may be mistaken for one."""
    if not text.startswith("arn:"):
        return Named(scope=scope, names=((text, ""),))
    arn = Arn.parse(text)
    name = arn.resource.removeprefix("secret:")
    where = Scope(AccountId(arn.account_id), Region(arn.region))
    if _SUFFIX.fullmatch(name[-7:]):
        return Named(scope=where, names=((name[:-7], name[-6:]), (name, "")))
    return Named(scope=where, names=((name, ""),))
