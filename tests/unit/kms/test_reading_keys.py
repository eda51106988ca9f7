"""Keys that the platform made itself are read without the proof that they are keys.

cryptography, "Key Serialization": `unsafe_skip_rsa_key_validation` is for keys of one's own. The proof tests the
primes, which takes as long as 60 signatures.
"""

import time
from collections.abc import Callable

import pytest

from undercast.services.kms.key_pair import KeyPair
from undercast.services.sns.signing_key import SigningKey


def kms() -> tuple[Callable[[], object], Callable[[], object]]:
    """Read, sign."""
    secret = KeyPair.generate("RSA_2048")
    pair = KeyPair(secret)
    return lambda: KeyPair(secret), lambda: pair.sign("RSASSA_PKCS1_V1_5_SHA_256", b"x", is_digest=False)


def sns() -> tuple[Callable[[], object], Callable[[], object]]:
    """Read, sign."""
    secret, _ = SigningKey.make(0)
    key = SigningKey(secret)
    return lambda: SigningKey(secret), lambda: key.sign(bytes(32), "2")


def least_s(call: Callable[[], object]) -> float:
    """Of this thread's processor time."""
    taken = []
    for _ in range(7):
        begun = time.thread_time()
        call()
        taken.append(time.thread_time() - begun)
    return min(taken)


@pytest.mark.parametrize("made", [kms, sns])
def test_an_rsa_key_is_read_in_less_time_than_it_signs(
    made: Callable[[], tuple[Callable[[], object], Callable[[], object]]],
) -> None:
    """SNS reads its key on the event loop, KMS one for each Sign and Decrypt."""
    read, sign = made()
    assert least_s(read) < least_s(sign)
