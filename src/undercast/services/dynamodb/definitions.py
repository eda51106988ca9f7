"""What CreateTable and UpdateTable may say, and what it comes to.

Pure. A definition has the shape of CreateTable's input, completed with AWS's defaults.
AWS: DynamoDB API Reference, CreateTable, UpdateTable; Developer Guide, "Quotas in Amazon DynamoDB".
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from undercast.core.errors import ServiceError
from undercast.services.dynamodb.errors import invalid, invalid_value
from undercast.services.dynamodb.models import KeySchema, key_schema

MAX_LOCAL, MAX_GLOBAL = 5, 20
MAX_PROJECTED = 100
MAX_TAGS = 50
_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_KEPT = ("TableClass", "SSESpecification", "DeletionProtectionEnabled", "OnDemandThroughput", "WarmThroughput")


def checked_definition(params: Mapping[str, Any]) -> dict[str, Any]:
    """The definition of a new table. Raises ValidationException."""
    billing = _billing(params)
    definition: dict[str, Any] = {
        "AttributeDefinitions": _attributes(params.get("AttributeDefinitions") or ()),
        "KeySchema": _checked_keys(params.get("KeySchema") or ()),
        "BillingMode": billing,
    }
    if billing == "PROVISIONED":
        definition["ProvisionedThroughput"] = _throughput(params["ProvisionedThroughput"])
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        if member in params:
            definition[member] = [_index(member, one, definition) for one in params[member]]
            if not params[member]:
                raise invalid_value(f"List of {member} is empty")
    definition.update({member: params[member] for member in _KEPT if member in params})
    definition["StreamSpecification"] = checked_stream(params.get("StreamSpecification"))
    check_together(definition)
    return definition


def _billing(params: Mapping[str, Any]) -> str:
    billing = params.get("BillingMode") or "PROVISIONED"
    throughput = params.get("ProvisionedThroughput")
    if billing == "PAY_PER_REQUEST" and throughput:
        raise invalid_value(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
        )
    if billing == "PROVISIONED" and not throughput:
        if "BillingMode" not in params:
            raise invalid("No provisioned throughput specified for the table")
        raise invalid_value(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        )
    return str(billing)


def _throughput(given: Mapping[str, Any]) -> dict[str, int]:
    return {member: given[member] for member in ("ReadCapacityUnits", "WriteCapacityUnits")}


def _attributes(given: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    names = Counter(one["AttributeName"] for one in given)
    for name, count in names.items():
        if count > 1:
            raise invalid_value(f"Duplicate AttributeName {name} in AttributeDefinitions")
    return [dict(one) for one in given]


def _checked_keys(elements: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """One or two, the partition key first. Raises ValidationException."""
    if not elements:
        raise invalid_value("No KeySchema was given")
    if len(elements) > 2:
        raise invalid(
            f"1 validation error detected: Value '{[dict(one) for one in elements]}' at 'keySchema' failed to satisfy "
            "constraint: Member must have length less than or equal to 2"
        )
    if elements[0]["KeyType"] != "HASH":
        raise invalid("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if len(elements) == 2:
        if elements[1]["KeyType"] != "RANGE":
            raise invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
        if elements[0]["AttributeName"] == elements[1]["AttributeName"]:
            raise invalid("Both the Hash Key and the Range Key element in the KeySchema have the same name")
    return [{"AttributeName": one["AttributeName"], "KeyType": one["KeyType"]} for one in elements]


def _index(member: str, given: Mapping[str, Any], definition: Mapping[str, Any]) -> dict[str, Any]:
    """One index, completed. Raises ValidationException."""
    table_key = key_schema(definition["KeySchema"])
    name = given["IndexName"]
    if not _NAME.fullmatch(name):
        raise invalid_value(f"IndexName {name} is not valid")
    index = {
        "IndexName": name,
        "KeySchema": _checked_keys(given.get("KeySchema") or ()),
        "Projection": _projection(given.get("Projection") or {}),
    }
    key = key_schema(index["KeySchema"])
    if member == "LocalSecondaryIndexes":
        _check_local(name, key, table_key)
        return index
    for kept in ("OnDemandThroughput", "WarmThroughput"):
        if kept in given:
            index[kept] = given[kept]
    throughput = given.get("ProvisionedThroughput")
    if definition["BillingMode"] == "PROVISIONED":
        if not throughput:
            raise invalid_value(f"ProvisionedThroughput is not specified for index: {name}")
        index["ProvisionedThroughput"] = _throughput(throughput)
    elif throughput:
        raise invalid_value(
            f"ProvisionedThroughput should not be specified for index: {name} when BillingMode is PAY_PER_REQUEST"
        )
    return index


def _check_local(name: str, key: KeySchema, table_key: KeySchema) -> None:
    if not table_key.range:
        raise invalid_value(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"
        )
    if key.hash != table_key.hash:
        raise invalid_value(
            "Table KeySchema and index KeySchema must have the same hash key element; "
            f"IndexName: {name}, table hash key: {table_key.hash}, index hash key: {key.hash}"
        )
    if not key.range:
        raise invalid_value(f"Index KeySchema does not have a range key for index: {name}")


def _projection(given: Mapping[str, Any]) -> dict[str, Any]:
    kind, named = given.get("ProjectionType"), given.get("NonKeyAttributes")
    if kind is None:
        raise invalid_value("Unknown ProjectionType: null")
    if kind == "INCLUDE":
        if not named:
            raise invalid_value("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
        return {"ProjectionType": kind, "NonKeyAttributes": list(named)}
    if named:
        raise invalid_value(f"ProjectionType is {kind}, but NonKeyAttributes is specified")
    return {"ProjectionType": kind}


def checked_stream(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """The stream's specification; {} for none. Raises ValidationException."""
    if not given or not given.get("StreamEnabled"):
        if given and given.get("StreamViewType"):
            raise invalid_value("StreamViewType cannot be specified when StreamEnabled is false")
        return {}
    if "StreamViewType" not in given:
        raise invalid_value("StreamViewType is required when StreamEnabled is true")
    return {"StreamEnabled": True, "StreamViewType": given["StreamViewType"]}


def check_together(definition: Mapping[str, Any]) -> None:
    """What holds between table, indexes and attributes. Raises ValidationException."""
    types = {one["AttributeName"]: one["AttributeType"] for one in definition["AttributeDefinitions"]}
    table_key = key_schema(definition["KeySchema"])
    indexes = tuple(_all_indexes(definition))
    defined = f"AttributeDefinitions: [{', '.join(types)}]"
    for names in (table_key.names, *(key_schema(index["KeySchema"]).names for index in indexes)):
        if not set(names) <= types.keys():
            raise invalid_value(
                "Some index key attributes are not defined in AttributeDefinitions. "
                f"Keys: [{', '.join(names)}], {defined}"
            )
    used = dict.fromkeys(name for index in indexes for name in key_schema(index["KeySchema"]).names)
    used = {**dict.fromkeys(table_key.names), **used}
    if set(types) - set(used):
        if not indexes:
            raise invalid_value(
                "Number of attributes in KeySchema does not exactly match number of attributes defined in "
                "AttributeDefinitions"
            )
        raise invalid_value(f"Some AttributeDefinitions are not used. {defined}, keys used: [{', '.join(used)}]")
    for name, count in Counter(index["IndexName"] for index in indexes).items():
        if count > 1:
            raise invalid_value(f"Duplicate index name: {name}")
    _check_limits(definition, indexes)


def _check_limits(definition: Mapping[str, Any], indexes: Sequence[Mapping[str, Any]]) -> None:
    for member, limit, what in (
        ("LocalSecondaryIndexes", MAX_LOCAL, "LocalSecondaryIndex"),
        ("GlobalSecondaryIndexes", MAX_GLOBAL, "GlobalSecondaryIndex"),
    ):
        if len(definition.get(member) or ()) > limit:
            raise invalid_value(f"{what} count exceeds the per-table limit of {limit}")
    named = sum(len(index["Projection"].get("NonKeyAttributes") or ()) for index in indexes)
    if named > MAX_PROJECTED:
        raise invalid_value(f"The total number of projected attributes is larger than the limit of {MAX_PROJECTED}")


def _all_indexes(definition: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        yield from definition.get(member) or ()


def updated_definition(old: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """The definition that UpdateTable leaves. Raises ValidationException."""
    definition = dict(old)
    billing = params.get("BillingMode") or old["BillingMode"]
    throughput = params.get("ProvisionedThroughput")
    if billing == "PAY_PER_REQUEST":
        if throughput:
            raise invalid_value(
                "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
            )
        definition.pop("ProvisionedThroughput", None)
    elif throughput:
        if _throughput(throughput) == old.get("ProvisionedThroughput") and "BillingMode" not in params:
            raise _same_throughput(throughput)
        definition["ProvisionedThroughput"] = _throughput(throughput)
    elif old["BillingMode"] != billing:
        raise invalid_value(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        )
    definition["BillingMode"] = billing
    definition.update({member: params[member] for member in _KEPT if member in params})
    if "AttributeDefinitions" in params:
        known = {one["AttributeName"]: dict(one) for one in old["AttributeDefinitions"]}
        known.update({one["AttributeName"]: one for one in _attributes(params["AttributeDefinitions"])})
        definition["AttributeDefinitions"] = list(known.values())
    _update_indexes(definition, params.get("GlobalSecondaryIndexUpdates") or (), billing)
    check_together(definition)
    return definition


def _same_throughput(given: Mapping[str, Any]) -> ServiceError:
    units = f"{given['ReadCapacityUnits']} reads and {given['WriteCapacityUnits']} writes"
    return invalid(
        f"The provisioned throughput for the table will not change. The requested value equals the current value. "
        f"Current throughput: {units}"
    )


def _update_indexes(definition: dict[str, Any], updates: Sequence[Mapping[str, Any]], billing: str) -> None:
    indexes = {one["IndexName"]: dict(one) for one in definition.get("GlobalSecondaryIndexes") or ()}
    if sum("Create" in one or "Delete" in one for one in updates) > 1:
        raise ServiceError(
            "LimitExceededException",
            "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table",
        )
    for update in updates:
        if len(update) != 1:
            raise invalid_value("One of GlobalSecondaryIndexUpdate's actions must be given")
        ((action, given),) = update.items()
        name = given["IndexName"]
        if action == "Create":
            if name in indexes:
                raise invalid_value(f"Duplicate index name: {name}")
            indexes[name] = _index("GlobalSecondaryIndexes", given, definition)
        elif name not in indexes:
            raise ServiceError("ResourceNotFoundException", "Requested resource not found")
        elif action == "Delete":
            del indexes[name]
        elif "ProvisionedThroughput" in given:
            indexes[name]["ProvisionedThroughput"] = _throughput(given["ProvisionedThroughput"])
    for one in indexes.values():
        if billing == "PAY_PER_REQUEST":
            one.pop("ProvisionedThroughput", None)
        elif "ProvisionedThroughput" not in one:
            raise invalid_value(f"ProvisionedThroughput is not specified for index: {one['IndexName']}")
    definition["GlobalSecondaryIndexes"] = list(indexes.values())
    _drop_unused(definition)


def _drop_unused(definition: dict[str, Any]) -> None:
    """Attributes that only a deleted index needed are not shown any more."""
    names = set(key_schema(definition["KeySchema"]).names)
    for index in _all_indexes(definition):
        names.update(key_schema(index["KeySchema"]).names)
    definition["AttributeDefinitions"] = [
        one for one in definition["AttributeDefinitions"] if one["AttributeName"] in names
    ]
