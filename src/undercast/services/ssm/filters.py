"""ParameterFilters and the older Filters.

Pure but for labels, which are looked up in the caller's transaction.
AWS: Systems Manager API Reference, ParameterStringFilter, ParametersFilter.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from undercast.core.errors import ServiceError
from undercast.core.service import Params
from undercast.services.ssm import store
from undercast.services.ssm.models import Version
from undercast.store.database import Tx

Condition = Callable[[Version, Mapping[str, str]], bool]
Filter = Mapping[str, Any]
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "Name": ("Equals", "BeginsWith", "Contains"),
    "Path": ("OneLevel", "Recursive"),
    "Type": ("Equals", "BeginsWith"),
    "KeyId": ("Equals", "BeginsWith"),
    "Tier": ("Equals", "BeginsWith"),
    "DataType": ("Equals", "BeginsWith"),
}
_COLUMNS: Mapping[str, Callable[[Version], str]] = {
    "Name": lambda version: version.name,
    "Type": lambda version: version.type,
    "KeyId": lambda version: version.key_id,
    "Tier": lambda version: version.tier,
    "DataType": lambda version: version.data_type,
}


def described(params: Params) -> list[Condition]:
    """The conditions of DescribeParameters. Raises InvalidFilterKey, InvalidFilterOption, InvalidFilterValue."""
    older = [
        {"Key": one["Key"], "Option": "BeginsWith", "Values": one["Values"]} for one in params.get("Filters") or ()
    ]
    return [_condition(one) for one in (*older, *(params.get("ParameterFilters") or ()))]


def _condition(given: Filter) -> Condition:
    key, values = given["Key"], tuple(given.get("Values") or ())
    if key.startswith("tag:"):
        name = key.removeprefix("tag:")
        return lambda version, tags: name in tags and (not values or tags[name] in values)
    options = _OPTIONS.get(key)
    if options is None:
        raise ServiceError("InvalidFilterKey", f"The specified key isn't valid: {key}.")
    option = given.get("Option", options[0])
    if option not in options:
        raise _bad_option(option)
    if not values:
        raise ServiceError("InvalidFilterValue", f"The filter {key} has no values.")
    if key == "Path":
        return lambda version, tags: any(_is_below(version.name, value, option == "Recursive") for value in values)
    column = _COLUMNS[key]
    return lambda version, tags: any(_fits(column(version), value, option) for value in values)


def _fits(text: str, value: str, option: str) -> bool:
    if option == "Equals":
        return text in (value, f"/{value}") if not value.startswith("/") else text == value
    return value in text if option == "Contains" else text.startswith((value, f"/{value}"))


def _is_below(name: str, path: str, recursive: bool) -> bool:
    prefix = path if path.endswith("/") else f"{path}/"
    return name.startswith(prefix) and (recursive or "/" not in name[len(prefix) :])


def by_path(given: Sequence[Filter]) -> Sequence[Filter]:
    """The filters of GetParametersByPath, checked: Type, KeyId and Label."""
    for one in given:
        if one["Key"] not in ("Type", "KeyId", "Label"):
            text = (
                f"The following filter key is not valid: {one['Key']}. Valid filter keys include: [Type, KeyId, Label]."
            )
            raise ServiceError("InvalidFilterKey", text)
        allowed = ("Equals",) if one["Key"] == "Label" else ("Equals", "BeginsWith")
        if one.get("Option", "Equals") not in allowed:
            raise _bad_option(one["Option"])
        if not one.get("Values"):
            raise ServiceError("InvalidFilterValue", f"The filter {one['Key']} has no values.")
    return given


def labelled(tx: Tx, version: Version, given: Sequence[Filter]) -> Version | None:
    """The version of a parameter that passes: the newest, or the one with a label that is asked for."""
    for one in given:
        if one["Key"] == "Label":
            versions = store.versions(tx, version.scope, version.name)
            chosen = next((other for other in versions if set(other.labels) & set(one["Values"])), None)
            if chosen is None:
                return None
            version = chosen
        elif not _condition(one)(version, {}):
            return None
    return version


def _bad_option(option: str) -> ServiceError:
    return ServiceError("InvalidFilterOption", f"The specified filter option isn't valid: {option}.")
