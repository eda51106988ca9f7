"""Signatures that are made while their messages are committed.

AWS: SNS Developer Guide, "Verifying the signatures of Amazon SNS messages" (SHA1withRSA and SHA256withRSA).
"""

import asyncio
import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.fakes import FakeClock, FakeHostClock
from tests.state import open_state
from undercast.core.arn import AccountId, Region, Scope
from undercast.events.delivery import UNFINISHED, Delivery
from undercast.services.sns.envelope import Letter, envelope
from undercast.services.sns.schema import SCHEMA
from undercast.services.sns.signing import Signer

FIELDS = {"Type": "Notification", "MessageId": "m-1", "TopicArn": "arn:t", "Message": "hé", "Timestamp": "now"}


def delivery(payload: bytes, mark: str) -> Delivery:
    """One that lacks its signature."""
    scope = Scope(AccountId("111111111111"), Region("eu-west-1"))
    return Delivery(id="1", kind="sqs", target_arn="arn:q", payload=payload, scope=scope, created_at=1.0,
                    attributes={UNFINISHED: mark, "more": "stays"})  # fmt: skip


async def verify(signer: Signer, finished: Delivery, text: str, algorithm: hashes.HashAlgorithm) -> None:
    """Raises InvalidSignature."""
    key = x509.load_pem_x509_certificate((await signer.ready()).certificate).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    signature = base64.b64decode(json.loads(finished.payload)["Signature"])
    key.verify(signature, text.encode(), padding.PKCS1v15(), algorithm)


@pytest.mark.parametrize(("version", "algorithm"), [("1", hashes.SHA1()), ("2", hashes.SHA256())])
async def test_a_message_that_was_committed_unsigned_gets_its_signature_after_a_restart(
    tmp_path: Path, version: str, algorithm: hashes.HashAlgorithm
) -> None:
    """The row has a mark in its place; the key of the data folder gives the same signature before and after."""
    clock, letter = FakeClock(), Letter(fields=FIELDS)
    async with open_state(tmp_path, clock, schemas={"sns": SCHEMA}) as state:
        first = Signer(state.database, FakeHostClock())
        seal = await first.promise(letter, version, 1)
        row = delivery(envelope(letter, seal).encode(), seal.signature)
        before = await first.finished(row)
        with pytest.raises(InvalidSignature):
            await verify(first, before, "another text", algorithm)
    async with open_state(tmp_path, clock, schemas={"sns": SCHEMA}) as state:
        second = Signer(state.database, FakeHostClock())
        after = await second.finished(row)
        await verify(second, after, letter.string_to_sign, algorithm)
    assert after == before
    assert after.attributes == {"more": "stays"}
    assert {**json.loads(after.payload), "Signature": seal.signature} == json.loads(row.payload)


class Counting(ThreadPoolExecutor):
    """Threads that count what they are given."""

    given = 0

    def submit(self, *args: Any, **more: Any) -> Any:
        self.given += 1
        return super().submit(*args, **more)


@pytest.mark.parametrize("deliveries", [1, 3])
async def test_however_many_messages_wait_each_is_signed_once(tmp_path: Path, deliveries: int) -> None:
    """Those that find no room ahead are signed when they are delivered."""
    letters = [Letter(fields={**FIELDS, "MessageId": f"m-{number}"}) for number in range(400)]
    async with open_state(tmp_path, FakeClock(), schemas={"sns": SCHEMA}) as state:
        signer = Signer(state.database, FakeHostClock())
        await signer.ready()
        asyncio.get_running_loop().set_default_executor(threads := Counting())
        seals = [await signer.promise(letter, "1", deliveries) for letter in letters]
        ahead = threads.given
        for letter, seal in zip(letters, seals, strict=True):
            for _ in range(deliveries):
                finished = await signer.finished(delivery(envelope(letter, seal).encode(), seal.signature))
            await verify(signer, finished, letter.string_to_sign, hashes.SHA1())
        assert (ahead, threads.given) == (128, len(letters))
        await signer.promise(letters[0], "1", 1)
        assert threads.given == len(letters) + 1  # all are delivered, so there is room again


async def test_messages_that_were_never_committed_make_room_after_a_while(tmp_path: Path) -> None:
    """Nobody comes for their signatures."""
    async with open_state(tmp_path, FakeClock(), schemas={"sns": SCHEMA}) as state:
        signer = Signer(state.database, clock := FakeHostClock())
        await signer.ready()
        asyncio.get_running_loop().set_default_executor(threads := Counting())
        for number in range(200):
            await signer.promise(Letter(fields={**FIELDS, "MessageId": f"m-{number}"}), "1", 1)
        clock.tick(61)
        await signer.promise(Letter(fields={**FIELDS, "MessageId": "m-200"}), "1", 1)
        assert threads.given == 129
