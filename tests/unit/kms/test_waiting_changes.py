"""Changes of a key that wait for their turn to write: each is decided by the key as it is then.

AWS: KMS Developer Guide, "Key states of AWS KMS keys"; API Reference, TagResource, RotateKeyOnDemand, UpdateAlias.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import CountingIds, FakeClock
from tests.state import held, open_state
from tests.unit.auth.requests import context
from undercast.core.arn import AccountId
from undercast.core.errors import ServiceError
from undercast.core.identity import root_principal
from undercast.services.kms import store
from undercast.services.kms.instance import Kms, new_key
from undercast.services.kms.models import Key, Named
from undercast.services.kms.schema import SCHEMA
from undercast.services.kms.service import MANIFEST
from undercast.services.kms.specs import ENCRYPT, SYMMETRIC
from undercast.services.kms.upkeep import Upkeep

CTX = context(root_principal(AccountId("111111111111")))
KEY = new_key(CTX.scope, "11111111-2222-3333-4444-555555555555", SYMMETRIC, ENCRYPT, 0.0)
HMAC = new_key(CTX.scope, "66666666-2222-3333-4444-555555555555", "HMAC_256", "GENERATE_VERIFY_MAC", 0.0)
SCHEDULE = ("ScheduleKeyDeletion", {"PendingWindowInDays": 7})
INVALID_STATE = "KMSInvalidStateException"


@pytest.fixture
async def kms(tmp_path: Path) -> AsyncIterator[Kms]:
    """With an enabled key."""
    clock = FakeClock()
    async with open_state(tmp_path, clock, schemas={"kms": SCHEMA}) as opened:
        database = opened.database
        await database.write(lambda tx: store.add_key(tx, KEY, b"first"))
        yield Kms(database=database, upkeep=Upkeep(database, clock), clock=clock, ids=CountingIds())


async def run(kms: Kms, operation: str, params: dict[str, Any]) -> str:
    """The code of its error, or "ok"."""
    try:
        await MANIFEST.operations[operation](kms, CTX, {"KeyId": KEY.id, **params})
    except ServiceError as error:
        return error.code
    return "ok"


async def together(kms: Kms, *requests: tuple[str, dict[str, Any]]) -> list[str]:
    """How requests are answered that were all begun while a long write went on; they write in this order."""
    async with held(kms.database):
        asked = []
        for operation, params in requests:
            asked.append(asyncio.create_task(run(kms, operation, params)))
            await asyncio.sleep(0)
    return [await task for task in asked]


def found(kms: Kms) -> Key:
    """The key as it is kept."""
    key = kms.find(Named(scope=KEY.scope, key_id=KEY.id))
    assert key is not None
    return key


async def test_tags_of_requests_that_wait_are_all_kept(kms: Kms) -> None:
    """TagResource adds and UntagResource removes what they name, and no more."""
    await run(kms, "TagResource", {"Tags": [{"TagKey": "old", "TagValue": "v"}]})
    adding = [("TagResource", {"Tags": [{"TagKey": f"t{n}", "TagValue": "v"}]}) for n in range(10)]
    assert await together(kms, *adding, ("UntagResource", {"TagKeys": ["old"]})) == ["ok"] * 11
    assert sorted(found(kms).tags) == [f"t{n}" for n in range(10)]


async def test_the_fifty_first_tag_is_refused_also_among_requests_that_wait(kms: Kms) -> None:
    """A key has 50 tags at most."""
    adding = [
        ("TagResource", {"Tags": [{"TagKey": f"{n}-{of}", "TagValue": "v"} for n in range(30)]}) for of in ("a", "b")
    ]
    assert await together(kms, *adding) == ["ok", "LimitExceededException"]
    assert len(found(kms).tags) == 30


REFUSED_WHEN_PENDING: dict[str, dict[str, Any]] = {
    "EnableKey": {},
    "DisableKey": {},
    "ScheduleKeyDeletion": {},
    "UpdateKeyDescription": {"Description": "d"},
    "TagResource": {"Tags": [{"TagKey": "k", "TagValue": "v"}]},
    "UntagResource": {"TagKeys": ["k"]},
    "EnableKeyRotation": {},
    "DisableKeyRotation": {},
    "CreateAlias": {"AliasName": "alias/a", "TargetKeyId": KEY.id},
    "CreateGrant": {"GranteePrincipal": "arn:aws:iam::111111111111:user/bob", "Operations": ["Encrypt"]},
}


@pytest.mark.parametrize("operation", REFUSED_WHEN_PENDING)
async def test_a_key_that_is_to_be_deleted_by_now_is_not_changed(kms: Kms, operation: str) -> None:
    """ "Key states of AWS KMS keys": these fail for a key that is pending deletion."""
    answers = await together(kms, SCHEDULE, (operation, REFUSED_WHEN_PENDING[operation]))
    assert answers == ["ok", INVALID_STATE]
    deletion_at = CTX.clock.now() + 7 * 86_400
    assert found(kms) == replace(KEY, state="PendingDeletion", deletion_at=deletion_at)


async def test_a_deletion_is_cancelled_once(kms: Kms) -> None:
    """What is begun when it is cancelled already fails: the key may be enabled by then."""
    await run(kms, *SCHEDULE)
    answers = await together(kms, ("CancelKeyDeletion", {}), ("EnableKey", {}), ("CancelKeyDeletion", {}))
    assert answers == ["ok", "ok", INVALID_STATE]
    assert found(kms) == KEY


@pytest.mark.parametrize("state", ["Enabled", "Disabled"])
async def test_a_key_that_is_not_to_be_deleted_outlasts_its_date(kms: Kms, state: str) -> None:
    """Older versions may have left such a row."""
    await kms.database.write(lambda tx: store.change(tx, KEY, state=state, deletion_at=0.0))
    await kms.upkeep.round()
    assert found(kms).state == state


async def test_a_key_that_was_disabled_meanwhile_keeps_the_schedule_that_it_was_given(kms: Kms) -> None:
    """DisableKey changes the state alone."""
    assert await together(kms, ("EnableKeyRotation", {}), ("DisableKey", {})) == ["ok", "ok"]
    key = found(kms)
    assert (key.state, key.rotation_days, key.rotates_at) == ("Disabled", 365, CTX.clock.now() + 365 * 86_400)


async def test_keys_are_rotated_25_times_on_demand_also_by_requests_that_wait(kms: Kms) -> None:
    """RotateKeyOnDemand: at most 25 of each key."""
    async with held(kms.database):
        asked = [asyncio.create_task(run(kms, "RotateKeyOnDemand", {})) for _ in range(27)]
        while kms.database._writer._waiters is None or len(kms.database._writer._waiters) < 27:
            await asyncio.sleep(0)
    assert sorted([await task for task in asked]) == ["LimitExceededException"] * 2 + ["ok"] * 25


async def test_an_alias_that_went_meanwhile_is_not_made_again(kms: Kms) -> None:
    """UpdateAlias: NotFoundException; of another kind than the alias has by now: ValidationException."""
    await kms.database.write(lambda tx: store.add_key(tx, HMAC, b"second"))
    alias = {"AliasName": "alias/a"}
    of_key, of_hmac = {**alias, "TargetKeyId": KEY.id}, {**alias, "TargetKeyId": HMAC.id}
    await run(kms, "CreateAlias", of_key)
    answers = await together(
        kms,
        ("DeleteAlias", alias),
        ("UpdateAlias", of_key),
        ("CreateAlias", of_hmac),
        ("UpdateAlias", of_key),
    )
    assert answers == ["ok", "NotFoundException", "ok", "ValidationException"]
