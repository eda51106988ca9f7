"""Every input member of every operation that Secrets Manager serves, in one of three classes (I9)."""

from collections.abc import Mapping

_ID = frozenset({"SecretId"})
_PAGE = frozenset({"MaxResults", "NextToken"})
_VALUE = frozenset({"ClientRequestToken", "SecretBinary", "SecretString"})

EFFECTIVE: Mapping[str, frozenset[str]] = {
    "CreateSecret": _VALUE | {
        "Name", "Description", "KmsKeyId", "Tags", "AddReplicaRegions", "ForceOverwriteReplicaSecret",
    },
    "UpdateSecret": _ID | _VALUE | {"Description", "KmsKeyId"},
    "PutSecretValue": _ID | _VALUE | {"VersionStages"},
    "GetSecretValue": _ID | {"VersionId", "VersionStage"},
    "BatchGetSecretValue": _PAGE | {"SecretIdList", "Filters"},
    "DescribeSecret": _ID,
    "ListSecrets": _PAGE | {"IncludePlannedDeletion", "Filters", "SortOrder", "SortBy"},
    "ListSecretVersionIds": _ID | _PAGE | {"IncludeDeprecated"},
    "UpdateSecretVersionStage": _ID | {"VersionStage", "RemoveFromVersionId", "MoveToVersionId"},
    "DeleteSecret": _ID | {"RecoveryWindowInDays", "ForceDeleteWithoutRecovery"},
    "RestoreSecret": _ID,
    "TagResource": _ID | {"Tags"},
    "UntagResource": _ID | {"TagKeys"},
    "GetRandomPassword": frozenset({
        "PasswordLength", "ExcludeCharacters", "ExcludeNumbers", "ExcludePunctuation", "ExcludeUppercase",
        "ExcludeLowercase", "IncludeSpace", "RequireEachIncludedType",
    }),
    "GetResourcePolicy": _ID,
    "PutResourcePolicy": _ID | {"ResourcePolicy", "BlockPublicPolicy"},
    "DeleteResourcePolicy": _ID,
    "ValidateResourcePolicy": _ID | {"ResourcePolicy"},
    "ReplicateSecretToRegions": _ID | {"AddReplicaRegions", "ForceOverwriteReplicaSecret"},
    "RemoveRegionsFromReplication": _ID | {"RemoveReplicaRegions"},
    "StopReplicationToReplica": _ID,
    "RotateSecret": _ID | {"ClientRequestToken", "RotationLambdaARN", "RotationRules", "RotateImmediately"},
    "CancelRotateSecret": _ID,
}  # fmt: skip

_EXTERNAL = "secrets of partners' services are not supported"
_ONE_POLICY = "a secret has one policy"

STORED: Mapping[str, Mapping[str, str]] = {
    "PutSecretValue": {"RotationToken": "the rotating function is known by its role"},
}

REFUSED: Mapping[str, Mapping[str, str]] = {
    "CreateSecret": {
        "CrossAccountPrimaryARN": "secrets are not replicated to other accounts",
        "Type": _EXTERNAL,
    },
    "UpdateSecret": {"Type": _EXTERNAL},
    "RotateSecret": {"ExternalSecretRotationMetadata": _EXTERNAL, "ExternalSecretRotationRoleArn": _EXTERNAL},
    "GetResourcePolicy": {"PolicyName": _ONE_POLICY},
    "PutResourcePolicy": {"PolicyName": _ONE_POLICY},
    "DeleteResourcePolicy": {"PolicyName": _ONE_POLICY},
}
