"""What each key spec is for and which algorithms it has.

Pure. AWS: KMS Developer Guide, "Key spec reference".
"""

from collections.abc import Mapping

from undercast.core.record import record

ENCRYPT, SIGN, MAC = "ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC"
SYMMETRIC = "SYMMETRIC_DEFAULT"
_RSA_SIGNING = tuple(f"RSASSA_{scheme}_SHA_{bits}" for scheme in ("PSS", "PKCS1_V1_5") for bits in (256, 384, 512))
_OAEP = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")


@record
class KeySpec:
    """One spec: its usages with their algorithms, in AWS's order."""

    name: str
    algorithms: Mapping[str, tuple[str, ...]]

    @property
    def is_asymmetric(self) -> bool:
        """Whether there is a public key."""
        return self.name.startswith(("RSA", "ECC"))


def _spec(name: str, **algorithms: tuple[str, ...]) -> KeySpec:
    return KeySpec(name=name, algorithms=algorithms)


SPECS: Mapping[str, KeySpec] = {
    spec.name: spec
    for spec in (
        _spec(SYMMETRIC, ENCRYPT_DECRYPT=(SYMMETRIC,)),
        *(_spec(f"RSA_{bits}", ENCRYPT_DECRYPT=_OAEP, SIGN_VERIFY=_RSA_SIGNING) for bits in (2048, 3072, 4096)),
        _spec("ECC_NIST_P256", SIGN_VERIFY=("ECDSA_SHA_256",)),
        _spec("ECC_NIST_P384", SIGN_VERIFY=("ECDSA_SHA_384",)),
        _spec("ECC_NIST_P521", SIGN_VERIFY=("ECDSA_SHA_512",)),
        _spec("ECC_SECG_P256K1", SIGN_VERIFY=("ECDSA_SHA_256",)),
        _spec("ECC_NIST_EDWARDS25519", SIGN_VERIFY=("ED25519_SHA_512",)),
        *(_spec(f"HMAC_{bits}", GENERATE_VERIFY_MAC=(f"HMAC_SHA_{bits}",)) for bits in (224, 256, 384, 512)),
    )
}
_ANY_KEY = frozenset({"CreateGrant", "DescribeKey", "RetireGrant"})
_ENCRYPTION = frozenset({"Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"})
_DATA_KEYS = frozenset(f"GenerateDataKey{kind}" for kind in ("", "WithoutPlaintext", "Pair", "PairWithoutPlaintext"))
ALGORITHM_MEMBERS: Mapping[str, str] = {
    ENCRYPT: "EncryptionAlgorithms",
    SIGN: "SigningAlgorithms",
    MAC: "MacAlgorithms",
}


def grant_operations(spec: str, usage: str) -> frozenset[str]:
    """What a grant may allow on such a key.

    AWS: KMS API Reference, CreateGrant, Operations; Developer Guide, "Grant operations".
    """
    if spec == SYMMETRIC:
        return _ANY_KEY | _ENCRYPTION | _DATA_KEYS
    if usage == MAC:
        return _ANY_KEY | {"GenerateMac", "VerifyMac"}
    return _ANY_KEY | {"GetPublicKey"} | ({"Sign", "Verify"} if usage == SIGN else _ENCRYPTION)
