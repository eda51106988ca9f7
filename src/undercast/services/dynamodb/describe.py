"""A table as DescribeTable shows it.

Pure. AWS: DynamoDB API Reference, TableDescription.
"""

from collections.abc import Mapping
from typing import Any

from undercast.services.dynamodb.models import Table

_ACTIVE = "ACTIVE"


def described(table: Table, counts: tuple[int, int], status: str = _ACTIVE) -> dict[str, Any]:
    """`counts` are items and bytes; `status` that of the table."""
    definition = table.definition
    items, size = counts
    if table.is_importing:
        status = "CREATING"
    found: dict[str, Any] = {
        "TableName": table.of.name,
        "TableArn": table.arn,
        "TableId": table.table_id,
        "TableStatus": status,
        "CreationDateTime": table.created_at,
        "AttributeDefinitions": definition["AttributeDefinitions"],
        "KeySchema": table.key.described(),
        "ProvisionedThroughput": _throughput(definition),
        "ItemCount": items,
        "TableSizeBytes": size,
        "DeletionProtectionEnabled": definition.get("DeletionProtectionEnabled", False),
        "WarmThroughput": _warm(definition),
    }
    if table.is_on_demand:
        found["BillingModeSummary"] = {
            "BillingMode": "PAY_PER_REQUEST",
            "LastUpdateToPayPerRequestDateTime": definition.get("OnDemandSince", table.created_at),
        }
    if "TableClass" in definition:
        found["TableClassSummary"] = {"TableClass": definition["TableClass"]}
    if "OnDemandThroughput" in definition:
        found["OnDemandThroughput"] = definition["OnDemandThroughput"]
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        if definition.get(member):
            found[member] = [_index(table, one, member, counts) for one in definition[member]]
    if "RestoreSummary" in definition:
        found["RestoreSummary"] = dict(definition["RestoreSummary"])
    _add_stream(found, definition)
    _add_encryption(found, table)
    return found


def _throughput(definition: Mapping[str, Any]) -> dict[str, Any]:
    given = definition.get("ProvisionedThroughput") or {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
    return {"NumberOfDecreasesToday": 0, **given}


def _warm(definition: Mapping[str, Any]) -> dict[str, Any]:
    given = definition.get("WarmThroughput") or {}
    throughput = definition.get("ProvisionedThroughput") or {"ReadCapacityUnits": 12000, "WriteCapacityUnits": 4000}
    return {
        "ReadUnitsPerSecond": given.get("ReadUnitsPerSecond", throughput["ReadCapacityUnits"]),
        "WriteUnitsPerSecond": given.get("WriteUnitsPerSecond", throughput["WriteCapacityUnits"]),
        "Status": _ACTIVE,
    }


def _index(table: Table, given: Mapping[str, Any], member: str, counts: tuple[int, int]) -> dict[str, Any]:
    found = {
        "IndexName": given["IndexName"],
        "IndexArn": f"{table.arn}/index/{given['IndexName']}",
        "KeySchema": given["KeySchema"],
        "Projection": given["Projection"],
        "ItemCount": counts[0],
        "IndexSizeBytes": counts[1],
    }
    if member == "GlobalSecondaryIndexes":
        found["IndexStatus"] = _ACTIVE
        found["ProvisionedThroughput"] = _throughput(given)
        found["WarmThroughput"] = _warm(given)
        if "OnDemandThroughput" in given:
            found["OnDemandThroughput"] = given["OnDemandThroughput"]
    return found


def _add_stream(found: dict[str, Any], definition: Mapping[str, Any]) -> None:
    if definition.get("StreamSpecification"):
        found["StreamSpecification"] = definition["StreamSpecification"]
    if "LatestStreamArn" in definition:
        found["LatestStreamArn"] = definition["LatestStreamArn"]
        found["LatestStreamLabel"] = definition["LatestStreamLabel"]


def _add_encryption(found: dict[str, Any], table: Table) -> None:
    given = table.definition.get("SSESpecification") or {}
    if not given.get("Enabled"):
        return
    scope = table.of.scope
    key = given.get("KMSMasterKeyId", "alias/aws/dynamodb")
    if not key.startswith("arn:"):
        name = key if key.startswith("alias/") else f"key/{key}"
        key = f"arn:aws:kms:{scope.region}:{scope.account_id}:{name}"
    found["SSEDescription"] = {"Status": "ENABLED", "SSEType": given.get("SSEType", "KMS"), "KMSMasterKeyArn": key}
