"""Every input member of every operation that Parameter Store serves, in one of three classes (I9)."""

from collections.abc import Mapping

_PAGE = frozenset({"MaxResults", "NextToken"})
_DECRYPT = frozenset({"WithDecryption"})
_RESOURCE = frozenset({"ResourceType", "ResourceId"})

EFFECTIVE: Mapping[str, frozenset[str]] = {
    "PutParameter": frozenset({
        "Name", "Description", "Value", "Type", "KeyId", "Overwrite", "AllowedPattern", "Tags", "Tier", "Policies",
        "DataType",
    }),
    "GetParameter": _DECRYPT | {"Name"},
    "GetParameters": _DECRYPT | {"Names"},
    "GetParametersByPath": _DECRYPT | _PAGE | {"Path", "Recursive", "ParameterFilters"},
    "GetParameterHistory": _DECRYPT | _PAGE | {"Name"},
    "DescribeParameters": _PAGE | {"Filters", "ParameterFilters"},
    "DeleteParameter": frozenset({"Name"}),
    "DeleteParameters": frozenset({"Names"}),
    "LabelParameterVersion": frozenset({"Name", "ParameterVersion", "Labels"}),
    "UnlabelParameterVersion": frozenset({"Name", "ParameterVersion", "Labels"}),
    "AddTagsToResource": _RESOURCE | {"Tags"},
    "RemoveTagsFromResource": _RESOURCE | {"TagKeys"},
    "ListTagsForResource": _RESOURCE,
}  # fmt: skip

REFUSED: Mapping[str, Mapping[str, str]] = {
    "DescribeParameters": {"Shared": "parameters of other accounts are not shared"},
}
