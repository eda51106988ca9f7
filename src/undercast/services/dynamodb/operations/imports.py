"""ImportTable, DescribeImport, ListImports.

AWS: DynamoDB API Reference, the operations of these names; Developer Guide, "Requesting a table import in DynamoDB".
"""

from collections.abc import Mapping
from typing import Any

from undercast.core import client_tokens
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, refused_member
from undercast.core.service import Params, operation
from undercast.services.dynamodb import importing, tables, transfers
from undercast.services.dynamodb.definitions import checked_definition
from undercast.services.dynamodb.errors import in_use, invalid, invalid_value
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.models import named, named_by_arn
from undercast.services.dynamodb.transfers import IMPORT, Transfer
from undercast.store.database import Tx

_MAX_LISTED = 25
_TOKEN_DIGITS = 112
"""The shortest that AWS's model allows."""
_AS_ASKED = ("ClientToken", "S3BucketSource", "InputFormat", "InputFormatOptions", "TableCreationParameters")


@operation("ImportTable")
async def import_table(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Make a table and begin to fill it; it is CREATING until that has ended."""
    _check_source(params)
    wanted, now = params["TableCreationParameters"], dynamo.clock.now()
    of = named(ctx.scope, wanted["TableName"])
    definition = checked_definition(wanted)

    def write(tx: Tx) -> tuple[Transfer, bool]:
        asked = (params.get("ClientToken", ""), client_tokens.digest(params))
        if before := transfers.asked_before(tx, ctx.scope, IMPORT, asked, now):
            return before, False
        if tables.find(tx, of) is not None:
            raise in_use(f"Table already exists: {of.name}")
        arn = transfers.new_arn(of.arn, IMPORT, ctx, now)
        table = tables.add(tx, of, ctx.ids.uuid(), {**definition, "ImportArn": arn}, ("{}", now))
        dynamo.tables.changed(tx, of)
        description = {
            "ImportArn": arn,
            "ImportStatus": "IN_PROGRESS",
            "TableArn": of.arn,
            "TableId": table.table_id,
            "CloudWatchLogGroupArn": f"arn:aws:logs:{of.scope.region}:{of.scope.account_id}:log-group:"
            f"{importing.LOG_GROUP}:*",
            "InputCompressionType": params.get("InputCompressionType", "NONE"),
            "StartTime": now,
            "ErrorCount": 0,
            "ProcessedSizeBytes": 0,
            "ProcessedItemCount": 0,
            "ImportedItemCount": 0,
            **{member: params[member] for member in _AS_ASKED if member in params},
        }
        return transfers.add(tx, ctx, IMPORT, (of.arn, asked[1]), description), True

    transfer, is_new = await dynamo.database.write(write)
    if is_new:
        dynamo.tasks.spawn(importing.run(dynamo, transfer))
    return {"ImportTableDescription": dict(transfer.description)}


def _check_source(params: Mapping[str, Any]) -> None:
    """Raises ValidationException."""
    if params["InputFormat"] == "ION":
        raise invalid("Undercast does not read Amazon Ion: InputFormat can be DYNAMODB_JSON or CSV")
    if params.get("InputCompressionType") == "ZSTD":
        raise invalid("Undercast does not read Zstandard: InputCompressionType can be GZIP or NONE")
    if "InputFormatOptions" in params and params["InputFormat"] != "CSV":
        raise invalid_value("InputFormatOptions can only be specified for InputFormat CSV")
    if "VectorIndexes" in params["TableCreationParameters"]:
        raise refused_member("ImportTable", "TableCreationParameters.VectorIndexes", "vector indexes are not here")


@operation("DescribeImport")
async def describe_import(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """How far an import is."""
    found = await dynamo.database.read(lambda tx: transfers.find(tx, params["ImportArn"]))
    if found is None:
        raise ServiceError("ImportNotFoundException", f"Import not found: {params['ImportArn']}")
    return {"ImportTableDescription": dict(found.description)}


@operation("ListImports")
async def list_imports(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Those of the last 90 days, the newest first."""
    limit = params.get("PageSize", _MAX_LISTED)
    table = params.get("TableArn", "")
    scope = named_by_arn(table).scope if table else ctx.scope
    after = _arn_of(params.get("NextToken", ""))
    found = await dynamo.database.read(lambda tx: transfers.listed(tx, scope, IMPORT, table, (after, limit + 1)))
    members = (
        "ImportArn", "ImportStatus", "TableArn", "S3BucketSource", "CloudWatchLogGroupArn", "InputFormat",
        "StartTime", "EndTime",
    )  # fmt: skip
    summaries = [
        {member: one.description[member] for member in members if member in one.description} for one in found[:limit]
    ]
    more = {"NextToken": _token_of(found[limit - 1].arn)} if len(found) > limit else {}
    return {"ImportSummaryList": summaries, **more}


def _token_of(arn: str) -> str:
    """In hexadecimal digits, sixteen by sixteen, as the model wants it."""
    text = arn.encode().hex()
    length = max(_TOKEN_DIGITS, -(-len(text) // 16) * 16)
    return text.rjust(length, "0")


def _arn_of(token: str) -> str:
    digits = token.lstrip("0")
    try:
        return bytes.fromhex(digits if len(digits) % 2 == 0 else f"0{digits}").decode()
    except ValueError:
        raise invalid("Invalid NextToken") from None
