"""Key material: made, used to encrypt, sign and authenticate.

Pure but for the operating system's randomness inside `cryptography`. Secrets are raw bytes (symmetric, HMAC) or PKCS 8.
AWS: KMS Developer Guide, "Key spec reference"; API Reference, Encrypt (sizes), Sign (digests).
"""

import hashlib
import hmac
import os
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

from undercast.services.kms.specs import SYMMETRIC

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


def generate(spec: str) -> bytes:
    """New material. Slow for large RSA keys: call it in a thread."""
    if spec == SYMMETRIC:
        return os.urandom(32)
    if spec.startswith("HMAC_"):
        return os.urandom(int(spec.removeprefix("HMAC_")) // 8)
    private: Any
    if spec.startswith("RSA_"):
        private = rsa.generate_private_key(public_exponent=65537, key_size=int(spec.removeprefix("RSA_")))
    elif spec == "ECC_NIST_EDWARDS25519":
        private = ed25519.Ed25519PrivateKey.generate()
    else:
        private = ec.generate_private_key(_CURVES[spec]())
    der: bytes = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return der


def public_key(secret: bytes) -> bytes:
    """DER-encoded SubjectPublicKeyInfo of an asymmetric key."""
    der: bytes = _private(secret).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return der


def _private(secret: bytes) -> Any:
    return load_der_private_key(secret, None)


def rsa_encrypt(secret: bytes, algorithm: str, plaintext: bytes) -> bytes:
    """Raises ValueError when the text is too long for the key."""
    sealed: bytes = _private(secret).public_key().encrypt(plaintext, _oaep(algorithm))
    return sealed


def rsa_decrypt(secret: bytes, algorithm: str, ciphertext: bytes) -> bytes:
    """Raises ValueError for what was not encrypted for this key."""
    plaintext: bytes = _private(secret).decrypt(ciphertext, _oaep(algorithm))
    return plaintext


def _oaep(algorithm: str) -> padding.OAEP:
    digest = _HASHES[algorithm.rpartition("_")[2]]
    return padding.OAEP(mgf=padding.MGF1(digest()), algorithm=digest(), label=None)


def digest_size(algorithm: str) -> int:
    """Bytes that a message of MessageType DIGEST must have."""
    return int(algorithm.rpartition("_")[2]) // 8


def sign(secret: bytes, algorithm: str, message: bytes, *, is_digest: bool) -> bytes:
    """A signature in AWS's encoding: DER for ECDSA."""
    private = _private(secret)
    if algorithm == "ED25519_SHA_512":
        signature: bytes = private.sign(message)
    else:
        signature = private.sign(message, *_scheme(algorithm, is_digest))
    return signature


def verify(secret: bytes, algorithm: str, message: bytes, signature: bytes, *, is_digest: bool) -> bool:
    """Whether the signature is one of this key over this message."""
    public = _private(secret).public_key()
    try:
        if algorithm == "ED25519_SHA_512":
            public.verify(signature, message)
        else:
            public.verify(signature, message, *_scheme(algorithm, is_digest))
    except InvalidSignature:
        return False
    return True


def _scheme(algorithm: str, is_digest: bool) -> tuple[Any, ...]:
    digest: Any = _HASHES[algorithm.rpartition("_")[2]]()
    hashed = utils.Prehashed(digest) if is_digest else digest
    if algorithm.startswith("ECDSA"):
        return (ec.ECDSA(hashed),)
    if "PSS" in algorithm:
        return padding.PSS(mgf=padding.MGF1(digest), salt_length=padding.PSS.DIGEST_LENGTH), hashed
    return padding.PKCS1v15(), hashed


def mac(secret: bytes, algorithm: str, message: bytes) -> bytes:
    """HMAC."""
    return hmac.digest(secret, message, hashlib.new(f"sha{algorithm.rpartition('_')[2]}").name)
