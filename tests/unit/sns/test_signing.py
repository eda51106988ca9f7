"""Signatures that are made while their messages are committed.

AWS: SNS Developer Guide, "Verifying the signatures of Amazon SNS messages" (SHA1withRSA and SHA256withRSA).
"""

import base64
import json
from pathlib import Path

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
        seal = await first.promise(letter, version)
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


async def test_signatures_that_are_not_kept_any_more_are_made_again(tmp_path: Path) -> None:
    """However many messages wait: memory is bounded, and none stays without."""
    clock = FakeClock()
    letters = [Letter(fields={**FIELDS, "MessageId": f"m-{number}"}) for number in range(200)]
    async with open_state(tmp_path, clock, schemas={"sns": SCHEMA}) as state:
        signer = Signer(state.database, FakeHostClock())
        seals = [await signer.promise(letter, "1") for letter in letters]
        assert len(signer._signatures) < len(letters)
        for letter, seal in zip(letters, seals, strict=True):
            finished = await signer.finished(delivery(envelope(letter, seal).encode(), seal.signature))
            await verify(signer, finished, letter.string_to_sign, hashes.SHA1())
        assert len(signer._signatures) < len(letters)
