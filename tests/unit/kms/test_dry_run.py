"""What services ask KMS with each message: whether a key could be used."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes import CountingIds, FakeClock
from tests.state import open_state
from tests.unit.auth.requests import context
from undercast.core.arn import AccountId
from undercast.core.errors import ServiceError
from undercast.core.identity import root_principal
from undercast.services.kms import store
from undercast.services.kms.instance import Kms, new_key
from undercast.services.kms.operations.encryption import generate_data_key
from undercast.services.kms.schema import SCHEMA
from undercast.services.kms.specs import ENCRYPT, SYMMETRIC
from undercast.services.kms.upkeep import Upkeep

KEY_ID = "11111111-2222-3333-4444-555555555555"


@pytest.mark.parametrize(
    ("state", "code"), [("Enabled", "DryRunOperationException"), ("Disabled", "DisabledException")]
)
async def test_a_dry_run_encrypts_nothing(tmp_path: Path, state: str, code: str) -> None:
    """AWS: KMS API Reference, GenerateDataKey, DryRun. Here the key's material could encrypt nothing."""
    clock = FakeClock()
    async with open_state(tmp_path, clock, schemas={"kms": SCHEMA}) as opened:
        database = opened.database
        kms = Kms(database=database, upkeep=Upkeep(database, clock), clock=clock, ids=CountingIds())
        ctx = context(root_principal(AccountId("111111111111")))
        key = replace(new_key(ctx.scope, KEY_ID, SYMMETRIC, ENCRYPT, 0.0), state=state)
        await database.write(lambda tx: store.add_key(tx, key, b""))
        with pytest.raises(ServiceError) as caught:
            await generate_data_key(kms, ctx, {"KeyId": KEY_ID, "KeySpec": "AES_256", "DryRun": True})
        assert caught.value.code == code
        if state == "Enabled":
            with pytest.raises(ValueError):
                await generate_data_key(kms, ctx, {"KeyId": KEY_ID, "KeySpec": "AES_256"})
