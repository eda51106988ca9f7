"""Keys that change while a round of their upkeep is under way, and who may give a grant back.

AWS: KMS Developer Guide, "Rotating AWS KMS keys" (disabled keys and keys pending deletion are not rotated), "Retiring
and revoking grants".
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import CountingIds, FakeClock
from tests.state import open_state
from tests.unit.auth.requests import context
from tests.unit.kms.test_grants import GRANT
from undercast.core.arn import AccountId
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal, root_principal
from undercast.services.kms import material, store
from undercast.services.kms.instance import Kms, new_key
from undercast.services.kms.operations.grants import retire_grant
from undercast.services.kms.schema import SCHEMA
from undercast.services.kms.specs import ENCRYPT, SYMMETRIC
from undercast.services.kms.upkeep import Upkeep

ACCOUNT = AccountId("111111111111")
CTX = context(root_principal(ACCOUNT))
KEY = replace(
    new_key(CTX.scope, "11111111-2222-3333-4444-555555555555", SYMMETRIC, ENCRYPT, 0.0),
    rotation_days=365,
    rotates_at=FakeClock().now() - 1,
)


@pytest.fixture
async def kms(tmp_path: Path) -> AsyncIterator[Kms]:
    """With a key whose rotation is due."""
    clock = FakeClock()
    async with open_state(tmp_path, clock, schemas={"kms": SCHEMA}) as opened:
        database = opened.database
        await database.write(lambda tx: store.add_key(tx, KEY, b"first"))
        yield Kms(database=database, upkeep=Upkeep(database, clock), clock=clock, ids=CountingIds())


@pytest.mark.parametrize(
    ("change", "generations"),
    [
        ({}, 2),
        ({"state": "Disabled"}, 1),
        ({"state": "PendingDeletion", "deletion_at": FakeClock().now() + 9e6}, 1),
        ({"rotates_at": None, "rotation_days": 0}, 1),
        ({"rotates_at": FakeClock().now() + 9e6}, 1),
    ],
)
async def test_a_key_that_changes_during_a_round_is_not_rotated(
    kms: Kms, change: dict[str, Any], generations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its being read and its new material, which is made in a thread."""
    loop, generate = asyncio.get_running_loop(), material.generate

    async def changed() -> None:
        if change:
            await kms.database.write(lambda tx: store.change(tx, KEY, **change))

    def slowly(spec: str) -> bytes:
        asyncio.run_coroutine_threadsafe(changed(), loop).result(10)
        return generate(spec)

    monkeypatch.setattr(material, "generate", slowly)
    await kms.upkeep.round()
    assert len(await kms.database.read(lambda tx: store.materials(tx, KEY))) == generations
    found = await kms.database.read(lambda tx: store.find_in_region(tx, KEY.id, KEY.scope.region))
    moved: dict[str, Any] = {} if change else {"rotates_at": (KEY.rotates_at or 0) + 365 * 86_400}
    assert found == replace(KEY, **change, **moved)


@pytest.mark.parametrize(("operations", "refused"), [(("Encrypt",), True), (("Encrypt", "RetireGrant"), False)])
async def test_a_grantee_retires_a_grant_that_lets_it(kms: Kms, operations: tuple[str, ...], refused: bool) -> None:
    """AWS: KMS API Reference, RetireGrant: "the grantee principal, if RetireGrant is an operation in the grant"."""
    grant = replace(GRANT, scope=CTX.scope, key_id=KEY.id, operations=operations)
    await kms.database.write(lambda tx: store.add_grant(tx, grant))
    ctx = replace(CTX, principal=Principal(kind="user", account_id=ACCOUNT, arn=grant.grantee))
    if refused:
        with pytest.raises(ServiceError) as caught:
            await retire_grant(kms, ctx, {"GrantToken": grant.token})
        assert caught.value.code == "AccessDeniedException"
    else:
        await retire_grant(kms, ctx, {"GrantToken": grant.token})
    assert await kms.database.read(lambda tx: store.grants_of(tx, KEY.id, "", 9)) == ([grant] if refused else [])
