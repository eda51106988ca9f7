"""Which encryption context each part of a request is judged by.

AWS: KMS API Reference, ReEncrypt; Developer Guide, "kms:EncryptionContext:context-key" (both contexts of ReEncrypt).
"""

from dataclasses import replace
from typing import Any

from tests.unit.kms.test_grants import GRANT
from tests.unit.kms.test_upkeep import CTX, KEY, kms
from undercast.services.kms import store
from undercast.services.kms.access import access
from undercast.services.kms.instance import Kms

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
