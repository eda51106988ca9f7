"""Asymmetric key pairs: made, used to encrypt and to sign. Loaded late (`core/late.py`).

Everything here belongs into a thread: RSA_4096 takes seconds to make and 8 ms to sign.
AWS: KMS Developer Guide, "Key spec reference"; API Reference, Encrypt (sizes), Sign (digests).
"""

from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

_HASHES: Mapping[str, type[hashes.HashAlgorithm]] = {
    "1": hashes.SHA1,
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}
_CURVES: Mapping[str, Callable[[], ec.EllipticCurve]] = {
    "ECC_NIST_P256": ec.SECP256R1,
    "ECC_NIST_P384": ec.SECP384R1,
    "ECC_NIST_P521": ec.SECP521R1,
    "ECC_SECG_P256K1": ec.SECP256K1,
}


class KeyPair:
    """Read from PKCS 8 (DER), in which it is kept."""

    def __init__(self, secret: bytes) -> None:
        # All are made by `generate`. To prove that an RSA key is one takes 60 times as long as to sign with it.
        self._private: Any = load_der_private_key(secret, None, unsafe_skip_rsa_key_validation=True)

    @staticmethod
    def generate(spec: str) -> bytes:
        """A new one, in PKCS 8."""
        private: Any
        if spec.startswith("RSA_"):
            private = rsa.generate_private_key(public_exponent=65537, key_size=int(spec.removeprefix("RSA_")))
        elif spec == "ECC_NIST_EDWARDS25519":
            private = ed25519.Ed25519PrivateKey.generate()
        else:
            private = ec.generate_private_key(_CURVES[spec]())
        der: bytes = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        return der

    def public_key(self) -> bytes:
        """DER-encoded SubjectPublicKeyInfo."""
        der: bytes = self._private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return der

    def encrypt(self, algorithm: str, plaintext: bytes) -> bytes:
        """Raises ValueError when the text is too long for the key."""
        sealed: bytes = self._private.public_key().encrypt(plaintext, _oaep(algorithm))
        return sealed

    def decrypt(self, algorithm: str, ciphertext: bytes) -> bytes:
        """Raises ValueError for what was not encrypted for this key."""
        plaintext: bytes = self._private.decrypt(ciphertext, _oaep(algorithm))
        return plaintext

    def sign(self, algorithm: str, message: bytes, *, is_digest: bool) -> bytes:
        """A signature in AWS's encoding: DER for ECDSA."""
        signature: bytes = self._private.sign(message, *_scheme(algorithm, is_digest))
        return signature

    def verify(self, algorithm: str, message: bytes, signature: bytes, *, is_digest: bool) -> bool:
        """Whether the signature is one of this key over this message."""
        try:
            self._private.public_key().verify(signature, message, *_scheme(algorithm, is_digest))
        except InvalidSignature:
            return False
        return True


def _oaep(algorithm: str) -> padding.OAEP:
    digest = _HASHES[algorithm.rpartition("_")[2]]
    return padding.OAEP(mgf=padding.MGF1(digest()), algorithm=digest(), label=None)


def _scheme(algorithm: str, is_digest: bool) -> tuple[Any, ...]:
    """What `sign` and `verify` want beside the message."""
    if algorithm == "ED25519_SHA_512":
        return ()
    digest: Any = _HASHES[algorithm.rpartition("_")[2]]()
    hashed = utils.Prehashed(digest) if is_digest else digest
    if algorithm.startswith("ECDSA"):
        return (ec.ECDSA(hashed),)
    if "PSS" in algorithm:
        return padding.PSS(mgf=padding.MGF1(digest), salt_length=padding.PSS.DIGEST_LENGTH), hashed
    return padding.PKCS1v15(), hashed
