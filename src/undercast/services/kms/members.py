"""Every input member of every operation that KMS serves, in one of three classes (I9)."""

from collections.abc import Mapping

_KEY = frozenset({"KeyId"})
_PAGE = frozenset({"Limit", "Marker"})
_DRY = frozenset({"DryRun"})

EFFECTIVE: Mapping[str, frozenset[str]] = {
    "CreateKey": frozenset(
        {"Policy", "Description", "KeyUsage", "CustomerMasterKeySpec", "KeySpec", "Origin", "Tags", "MultiRegion"}
    ),
    "DescribeKey": _KEY,
    "ListKeys": _PAGE,
    "EnableKey": _KEY,
    "DisableKey": _KEY,
    "ScheduleKeyDeletion": _KEY | {"PendingWindowInDays"},
    "CancelKeyDeletion": _KEY,
    "UpdateKeyDescription": _KEY | {"Description"},
    "GetKeyPolicy": _KEY | {"PolicyName"},
    "PutKeyPolicy": _KEY | {"PolicyName", "Policy"},
    "ListKeyPolicies": _KEY,
    "TagResource": _KEY | {"Tags"},
    "UntagResource": _KEY | {"TagKeys"},
    "ListResourceTags": _KEY | _PAGE,
    "CreateAlias": frozenset({"AliasName", "TargetKeyId"}),
    "UpdateAlias": frozenset({"AliasName", "TargetKeyId"}),
    "DeleteAlias": frozenset({"AliasName"}),
    "ListAliases": _KEY | _PAGE,
    "Encrypt": _KEY | _DRY | {"Plaintext", "EncryptionContext", "EncryptionAlgorithm"},
    "Decrypt": _KEY | _DRY | {"CiphertextBlob", "EncryptionContext", "EncryptionAlgorithm", "DryRunModifiers"},
    "ReEncrypt": _DRY | {
        "CiphertextBlob", "SourceEncryptionContext", "SourceKeyId", "DestinationKeyId", "DestinationEncryptionContext",
        "SourceEncryptionAlgorithm", "DestinationEncryptionAlgorithm", "DryRunModifiers",
    },
    "GenerateDataKey": _KEY | _DRY | {"EncryptionContext", "NumberOfBytes", "KeySpec"},
    "GenerateDataKeyWithoutPlaintext": _KEY | _DRY | {"EncryptionContext", "NumberOfBytes", "KeySpec"},
    "GenerateDataKeyPair": _KEY | _DRY | {"EncryptionContext", "KeyPairSpec"},
    "GenerateDataKeyPairWithoutPlaintext": _KEY | _DRY | {"EncryptionContext", "KeyPairSpec"},
    "GenerateRandom": frozenset({"NumberOfBytes"}),
    "Sign": _KEY | _DRY | {"Message", "MessageType", "SigningAlgorithm"},
    "Verify": _KEY | _DRY | {"Message", "MessageType", "Signature", "SigningAlgorithm"},
    "GetPublicKey": _KEY,
    "GenerateMac": _KEY | _DRY | {"Message", "MacAlgorithm"},
    "VerifyMac": _KEY | _DRY | {"Message", "MacAlgorithm", "Mac"},
    "CreateGrant": _KEY | _DRY | {"GranteePrincipal", "RetiringPrincipal", "Operations", "Constraints", "Name"},
    "ListGrants": _KEY | _PAGE | {"GrantId", "GranteePrincipal"},
    "ListRetirableGrants": _PAGE | {"RetiringPrincipal"},
    "RevokeGrant": _KEY | _DRY | {"GrantId"},
    "RetireGrant": _KEY | _DRY | {"GrantToken", "GrantId"},
    "EnableKeyRotation": _KEY | {"RotationPeriodInDays"},
    "DisableKeyRotation": _KEY,
    "GetKeyRotationStatus": _KEY,
    "RotateKeyOnDemand": _KEY,
    "ListKeyRotations": _KEY | _PAGE,
}  # fmt: skip

_TOKENS = {"GrantTokens": "a grant holds at once here, so its token adds nothing"}
_ONE_POLICY = {"Limit": "a key has one policy", "Marker": "a key has one policy"}

_WITH_TOKENS = (
    *("DescribeKey", "Encrypt", "Decrypt", "ReEncrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"),
    *("GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "Sign", "Verify", "GetPublicKey"),
    *("GenerateMac", "VerifyMac", "CreateGrant"),
)

STORED: Mapping[str, Mapping[str, str]] = {
    **dict.fromkeys(_WITH_TOKENS, _TOKENS),
    "CreateKey": {"BypassPolicyLockoutSafetyCheck": "no policy is refused for locking its author out"},
    "PutKeyPolicy": {"BypassPolicyLockoutSafetyCheck": "no policy is refused for locking its author out"},
    "ListKeyPolicies": _ONE_POLICY,
}  # fmt: skip

_STORE = "there are no custom key stores"
_ENCLAVE = {"Recipient": "there are no Nitro enclaves"}
_SERVICE = "grants to services are not supported"

REFUSED: Mapping[str, Mapping[str, str]] = {
    "CreateKey": {"CustomKeyStoreId": _STORE, "XksKeyId": _STORE},
    "ListKeys": {"ResourceOwners": "keys that others share are not listed"},
    "ListKeyRotations": {"IncludeKeyMaterial": "there is no imported key material"},
    "Decrypt": _ENCLAVE,
    "GenerateDataKey": _ENCLAVE,
    "GenerateDataKeyPair": _ENCLAVE,
    "GenerateRandom": {**_ENCLAVE, "CustomKeyStoreId": _STORE},
    "CreateGrant": {"GranteeServicePrincipal": _SERVICE, "RetiringServicePrincipal": _SERVICE},
    "ListGrants": {"GranteeServicePrincipal": _SERVICE},
    "ListRetirableGrants": {"RetiringServicePrincipal": _SERVICE},
}
