"""Every input member of every operation that Pipes serves, in one of three classes (I9)."""

from collections.abc import Mapping

_NAME = frozenset({"Name"})
_PIPE = _NAME | {
    "Description", "DesiredState", "SourceParameters", "Enrichment", "EnrichmentParameters", "Target",
    "TargetParameters", "RoleArn", "LogConfiguration",
}  # fmt: skip
_ARN = frozenset({"resourceArn"})

EFFECTIVE: Mapping[str, frozenset[str]] = {
    "CreatePipe": _PIPE | {"Source", "Tags"},
    "UpdatePipe": _PIPE,
    "StartPipe": _NAME,
    "StopPipe": _NAME,
    "DeletePipe": _NAME,
    "DescribePipe": _NAME,
    "ListPipes": frozenset(
        {"NamePrefix", "DesiredState", "CurrentState", "SourcePrefix", "TargetPrefix", "NextToken", "Limit"}
    ),
    "TagResource": _ARN | {"tags"},
    "UntagResource": _ARN | {"tagKeys"},
    "ListTagsForResource": _ARN,
}

_ON_DISK = "pipes are not encrypted on disk"
STORED: Mapping[str, Mapping[str, str]] = {
    "CreatePipe": {"KmsKeyIdentifier": _ON_DISK},
    "UpdatePipe": {"KmsKeyIdentifier": _ON_DISK},
}

REFUSED: Mapping[str, Mapping[str, str]] = {}
