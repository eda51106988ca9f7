"""Which encryption context each part of a request is judged by.

AWS: KMS API Reference, ReEncrypt; Developer Guide, "kms:EncryptionContext:context-key" (both contexts of ReEncrypt).
"""

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.kms.test_grants import GRANT
from tests.unit.kms.test_upkeep import CTX, KEY, kms
from undercast.services.kms import store
from undercast.services.kms.access import access
from undercast.services.kms.instance import Kms
from undercast.services.kms.models import Grant, grant_of
from undercast.services.kms.service import MANIFEST
from undercast.store.database import Row, Tx

__all__ = ("kms",)
BOTH: dict[str, Any] = {
    "SourceKeyId": KEY.arn,
    "SourceEncryptionContext": {"team": "a"},
    "DestinationKeyId": KEY.arn,
    "DestinationEncryptionContext": {"team": "b"},
}


async def test_both_ends_of_a_re_encryption_have_the_context_of_their_own(kms: Kms) -> None:
    """kms:ReEncryptFrom the source's, kms:ReEncryptTo the destination's."""
    asked = await access(kms, CTX, "ReEncrypt", BOTH)
    found = [(one.action, one.conditions["kms:EncryptionContext:team"]) for one in asked]
    assert found == [("kms:ReEncryptFrom", "a"), ("kms:ReEncryptTo", "b")]


async def test_a_grant_for_one_context_covers_one_end_of_a_re_encryption(kms: Kms) -> None:
    """AWS: KMS API Reference, GrantConstraints: ReEncryptFrom and ReEncryptTo are among those that a context binds."""
    bound = replace(
        GRANT, scope=CTX.scope, key_id=KEY.id, grantee=CTX.principal.arn,
        operations=("ReEncryptFrom", "ReEncryptTo"), constraints={"EncryptionContextEquals": {"team": "a"}},
    )  # fmt: skip
    await kms.database.write(lambda tx: store.add_grant(tx, bound))
    statements = [len((one.resource_policy or {})["Statement"]) for one in await access(kms, CTX, "ReEncrypt", BOTH)]
    assert statements == [2, 1]


@pytest.mark.parametrize("operation", ["Encrypt", "RevokeGrant", "ListGrants", "CreateGrant", "ListRetirableGrants"])
async def test_of_a_key_with_many_grants_those_are_read_that_matter(
    kms: Kms, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS lets a key have 50,000: https://docs.aws.amazon.com/kms/latest/developerguide/resource-limits.html."""
    others = [replace(GRANT, scope=CTX.scope, key_id=KEY.id, id=f"g{number:03}") for number in range(300)]
    mine = replace(others[0], id="mine", grantee=CTX.principal.arn, retiring=CTX.principal.arn, token="own")

    def add(tx: Tx) -> None:
        for grant in (*others, mine):
            store.add_grant(tx, grant)

    await kms.database.write(add)
    read: list[str] = []

    def noted(row: Row) -> Grant:
        read.append(row["id"])
        return grant_of(row)

    monkeypatch.setattr(store, "grant_of", noted)
    asked: dict[str, dict[str, Any]] = {
        "Encrypt": {"KeyId": KEY.arn},
        "RevokeGrant": {"KeyId": KEY.arn, "GrantId": "mine"},
        "ListGrants": {"KeyId": KEY.arn, "GranteePrincipal": mine.grantee},
        "CreateGrant": {"KeyId": KEY.arn, "GranteePrincipal": mine.grantee, "Operations": ["Encrypt"], "Name": "n"},
        "ListRetirableGrants": {"RetiringPrincipal": mine.retiring},
    }
    params = asked[operation]
    if operation == "Encrypt":
        await access(kms, CTX, operation, params)
    else:
        await MANIFEST.operations[operation](kms, CTX, params)
    assert set(read) == {"mine"}
