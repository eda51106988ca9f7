"""Keys, aliases and grants as frozen data.

Pure. AWS: KMS Developer Guide, "KMS keys", "Key states of AWS KMS keys", "Grants in AWS KMS".
"""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.clock import moment
from undercast.core.record import record
from undercast.services.kms.errors import disabled, invalid_state, other_region
from undercast.services.kms.specs import ALGORITHM_MEMBERS, SPECS
from undercast.store.database import Row

ENABLED, DISABLED, PENDING_DELETION = "Enabled", "Disabled", "PendingDeletion"
KEY_ID = re.compile(r"(mrk-)?[0-9a-f-]{32,36}")
EQUALS, SUBSET = "EncryptionContextEquals", "EncryptionContextSubset"


@record
class Key:
    """One KMS key without its material."""

    scope: Scope
    id: str
    spec: str
    usage: str
    description: str
    policy: Mapping[str, Any]
    tags: Mapping[str, str]
    state: str
    manager: str
    """"CUSTOMER" or "AWS"."""
    created_at: float
    deletion_at: float | None
    multi_region: bool
    rotation_days: int
    """0: not rotated by itself."""
    rotates_at: float | None

    @property
    def arn(self) -> str:
        """Its ARN."""
        return str(Arn.of(self.scope, "kms", f"key/{self.id}"))

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Those of its usage."""
        return SPECS[self.spec].algorithms[self.usage]

    def require_usable(self) -> None:
        """Raises DisabledException or KMSInvalidStateException."""
        if self.state == DISABLED:
            raise disabled(self.arn)
        if self.state != ENABLED:
            raise invalid_state(self.arn, "pending deletion")

    def output(self) -> dict[str, Any]:
        """KeyMetadata."""
        metadata: dict[str, Any] = {
            "AWSAccountId": self.scope.account_id,
            "KeyId": self.id,
            "Arn": self.arn,
            "CreationDate": moment(self.created_at),
            "Enabled": self.state == ENABLED,
            "Description": self.description,
            "KeyUsage": self.usage,
            "KeyState": self.state,
            "Origin": "AWS_KMS",
            "KeyManager": self.manager,
            "CustomerMasterKeySpec": self.spec,
            "KeySpec": self.spec,
            ALGORITHM_MEMBERS[self.usage]: list(self.algorithms),
            "MultiRegion": self.multi_region,
        }
        if self.deletion_at is not None:
            metadata["DeletionDate"] = moment(self.deletion_at)
        if self.multi_region:
            primary = {"Arn": self.arn, "Region": self.scope.region}
            metadata["MultiRegionConfiguration"] = {
                "MultiRegionKeyType": "PRIMARY",
                "PrimaryKey": primary,
                "ReplicaKeys": [],
            }
        return metadata


def key_of(row: Row) -> Key:
    """A key from its row."""
    return Key(
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        id=row["id"],
        spec=row["spec"],
        usage=row["usage"],
        description=row["description"],
        policy=json.loads(row["policy"]),
        tags=json.loads(row["tags"]),
        state=row["state"],
        manager=row["manager"],
        created_at=row["created_at"],
        deletion_at=row["deletion_at"],
        multi_region=bool(row["multi_region"]),
        rotation_days=row["rotation_days"],
        rotates_at=row["rotates_at"],
    )


@record
class Material:
    """One generation of a key's secret."""

    number: int
    secret: bytes
    made_at: float
    reason: str
    """"" for the first, else RotationType."""


@record
class Named:
    """What a KeyId parameter says: a key's id, or an alias, in an account and region."""

    scope: Scope
    key_id: str = ""
    alias: str = ""

    @property
    def arn(self) -> str:
        """As AWS's errors name it."""
        return str(Arn.of(self.scope, "kms", self.alias or f"key/{self.key_id}"))


def parse_name(text: str, scope: Scope) -> Named:
    """A KeyId in any of its four forms: id, key ARN, alias name, alias ARN. Raises NotFoundException.

    `scope` is where it is asked for: KMS in a region knows none of another.
    """
    if text.startswith("arn:"):
        arn = Arn.parse(text)
        if arn.region != scope.region:
            raise other_region(arn.region)
        scope = Scope(AccountId(arn.account_id), Region(arn.region))
        text = arn.resource
    if text.startswith("alias/"):
        return Named(scope=scope, alias=text)
    return Named(scope=scope, key_id=text.removeprefix("key/"))


def default_policy(account_id: str) -> dict[str, Any]:
    """The policy of a key that was made without one: the account decides by IAM.

    AWS: KMS Developer Guide, "Default key policy".
    """
    return {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [
            {
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }


def managed_policy(account_id: str, region: str, alias: str) -> dict[str, Any]:
    """The policy of a key that AWS manages for a service: everybody in the account may use it through the service.

    AWS: KMS Developer Guide, "AWS managed keys", "Viewing a key policy" (the policy of alias/aws/secretsmanager).
    """
    service = alias.removeprefix("alias/aws/")
    through = {"kms:CallerAccount": account_id, "kms:ViaService": f"{service}.{region}.amazonaws.com"}
    uses = [
        "kms:Encrypt",
        "kms:Decrypt",
        "kms:ReEncrypt*",
        "kms:GenerateDataKey*",
        "kms:CreateGrant",
        "kms:DescribeKey",
    ]
    return {
        "Version": "2012-10-17",
        "Id": f"auto-{service}-1",
        "Statement": [
            {
                "Sid": f"Allow access through {service} for all principals in the account who may use it",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": uses,
                "Resource": "*",
                "Condition": {"StringEquals": through},
            },
            {
                "Sid": "Allow direct access to key metadata to the account",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{account_id}:root"},
                "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
                "Resource": "*",
            },
        ],
    }


@record
class Grant:
    """Lets one principal use a key."""

    scope: Scope
    id: str
    key_id: str
    token: str
    name: str
    grantee: str
    retiring: str
    operations: tuple[str, ...]
    constraints: Mapping[str, Any]
    created_at: float

    def output(self) -> dict[str, Any]:
        """GrantListEntry."""
        entry: dict[str, Any] = {
            "KeyId": str(Arn.of(self.scope, "kms", f"key/{self.key_id}")),
            "GrantId": self.id,
            "Name": self.name,
            "CreationDate": moment(self.created_at),
            "GranteePrincipal": self.grantee,
            "IssuingAccount": f"arn:aws:iam::{self.scope.account_id}:root",
            "Operations": list(self.operations),
        }
        if self.retiring:
            entry["RetiringPrincipal"] = self.retiring
        if self.constraints:
            entry["Constraints"] = dict(self.constraints)
        return entry

    def covers(self, operation: str, context: Mapping[str, str]) -> bool:
        """Whether it lets its grantee do this with this encryption context. CreateGrant is `covers_grant`'s.

        The context does not bind DescribeKey. No request here says for which resource a service makes it, so that a
        grant with SourceArn, which older data folders may hold, covers none.
        AWS: KMS API Reference, CreateGrant, Constraints; Developer Guide, "Using grant constraints".
        """
        if operation not in self.operations or "SourceArn" in self.constraints:
            return False
        if operation == "DescribeKey":
            return True
        equal = self.constraints.get(EQUALS)
        subset = self.constraints.get(SUBSET)
        given = _pairs(context)
        return (equal is None or _pairs(equal) == given) and (subset is None or _pairs(subset) <= given)

    def covers_grant(self, operations: Collection[str], constraints: Mapping[str, Mapping[str, str]]) -> bool:
        """Whether its grantee may make such a grant: some or all of its operations, at least as strictly constrained.

        Pairs may be added to a subset, and a subset may become an exact context, not the reverse.
        AWS: KMS Developer Guide, "Granting CreateGrant permission".
        """
        if "CreateGrant" not in self.operations or "SourceArn" in self.constraints:
            return False
        given = {name: _pairs(constraints[name]) for name in (EQUALS, SUBSET) if name in constraints}
        mine, pairs = self.constraints.get(EQUALS), self.constraints.get(SUBSET)
        if mine is not None and given.get(EQUALS) != _pairs(mine):
            return False
        return set(operations) <= set(self.operations) and (
            pairs is None or any(_pairs(pairs) <= one for one in given.values())
        )


def _pairs(context: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """As a grant compares them: keys whatever their case, values as they are. AWS: API Reference, GrantConstraints."""
    return frozenset((name.lower(), value) for name, value in context.items())


def grant_of(row: Row) -> Grant:
    """A grant from its row."""
    return Grant(
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        id=row["id"],
        key_id=row["key_id"],
        token=row["token"],
        name=row["name"],
        grantee=row["grantee"],
        retiring=row["retiring"],
        operations=tuple(json.loads(row["operations"])),
        constraints=json.loads(row["constraints"]),
        created_at=row["created_at"],
    )
