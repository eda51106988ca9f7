"""Every input member of every operation that Secrets Manager serves, in one of three classes (I9)."""

from collections.abc import Mapping

_ID = frozenset({"SecretId"})
_PAGE = frozenset({"MaxResults", "NextToken"})
_VALUE = frozenset({"ClientRequestToken", "SecretBinary", "SecretString"})
_REPLICAS = frozenset({"AddReplicaRegions"})

EFFECTIVE: Mapping[str, frozenset[str]] = {
    "CreateSecret": _VALUE | {"Name", "Description", "KmsKeyId", "Tags"},
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
    "ReplicateSecretToRegions": _ID,
    "RemoveRegionsFromReplication": _ID | {"RemoveReplicaRegions"},
    "RotateSecret": _ID | {"ClientRequestToken", "RotationLambdaARN", "RotationRules", "RotateImmediately"},
    "CancelRotateSecret": _ID,
}  # fmt: skip

_NOTED = "replica regions are noted and shown; no secret appears there"
_OVERWRITTEN = "there is no replica that could be in the way"
_EXTERNAL = "secrets of partners' services are not supported"
_ONE_POLICY = "a secret has one policy"

STORED: Mapping[str, Mapping[str, str]] = {
    "CreateSecret": {"AddReplicaRegions": _NOTED, "ForceOverwriteReplicaSecret": _OVERWRITTEN},
    "ReplicateSecretToRegions": {"AddReplicaRegions": _NOTED, "ForceOverwriteReplicaSecret": _OVERWRITTEN},
    "PutSecretValue": {"RotationToken": "the rotating function is known by its role"},
}

REFUSED: Mapping[str, Mapping[str, str]] = {
    "CreateSecret": {"Type": _EXTERNAL, "CrossAccountPrimaryARN": "replicas across accounts are not supported"},
    "UpdateSecret": {"Type": _EXTERNAL},
    "RotateSecret": {"ExternalSecretRotationMetadata": _EXTERNAL, "ExternalSecretRotationRoleArn": _EXTERNAL},
    "GetResourcePolicy": {"PolicyName": _ONE_POLICY},
    "PutResourcePolicy": {"PolicyName": _ONE_POLICY},
    "DeleteResourcePolicy": {"PolicyName": _ONE_POLICY},
}
