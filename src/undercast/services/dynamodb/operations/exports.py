"""ExportTableToPointInTime, DescribeExport, ListExports.

AWS: DynamoDB API Reference, the operations of these names; Developer Guide, "Requesting a table export in DynamoDB".
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from undercast.core import client_tokens, page_tokens
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.dynamodb import exporting, recovery, tables, transfers
from undercast.services.dynamodb.errors import invalid, invalid_value
from undercast.services.dynamodb.exporting import FULL, INCREMENTAL
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.models import Table, named_by_arn
from undercast.services.dynamodb.transfers import EXPORT, Transfer
from undercast.store.database import Tx

_MAX_LISTED = 25
_SHORTEST_S, _LONGEST_S = 15 * 60.0, 24 * 3600.0
_AS_ASKED = ("ClientToken", "S3Bucket", "S3BucketOwner", "S3Prefix", "S3SseAlgorithm", "S3SseKmsKeyId")


@operation("ExportTableToPointInTime")
async def export_table_to_point_in_time(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Begin an export; it is IN_PROGRESS until its objects are written."""
    of, now = named_by_arn(params["TableArn"]), dynamo.clock.now()
    if params.get("ExportFormat") == "ION":
        raise invalid("Undercast does not write Amazon Ion: ExportFormat can be DYNAMODB_JSON")

    def write(tx: Tx) -> tuple[Transfer, bool]:
        asked = (params.get("ClientToken", ""), client_tokens.digest(params))
        if before := transfers.asked_before(tx, ctx.scope, EXPORT, asked, now):
            return before, False
        table = tables.find(tx, of)
        if table is None:
            raise ServiceError("TableNotFoundException", f"Table not found: {of.name}")
        if not table.recovery_days:
            raise ServiceError(
                "PointInTimeRecoveryUnavailableException",
                f"Point in time recovery is not enabled for table '{of.name}'",
            )
        description = {
            "ExportArn": transfers.new_arn(table.arn, EXPORT, ctx, now),
            "ExportStatus": "IN_PROGRESS",
            "StartTime": now,
            "TableArn": table.arn,
            "TableId": table.table_id,
            "ExportFormat": "DYNAMODB_JSON",
            "ExportType": params.get("ExportType", FULL),
            **{member: params[member] for member in _AS_ASKED if member in params},
            **_times(table, params, now),
        }
        return transfers.add(tx, ctx, EXPORT, (table.arn, asked[1]), description), True

    transfer, is_new = await dynamo.database.write(write)
    if is_new:
        dynamo.tasks.spawn(exporting.run(dynamo, transfer))
    return {"ExportDescription": dict(transfer.description)}


def _times(table: Table, params: Mapping[str, Any], now: float) -> dict[str, Any]:
    """ExportTime, or the window of an incremental export. Raises InvalidExportTimeException, ValidationException."""
    given = params.get("IncrementalExportSpecification")
    if params.get("ExportType", FULL) != INCREMENTAL:
        if given is not None:
            raise invalid_value("IncrementalExportSpecification needs ExportType INCREMENTAL_EXPORT")
        return {"ExportTime": _within(table, _seconds(params.get("ExportTime"), now), now)}
    if "ExportTime" in params:
        raise invalid_value("ExportTime cannot be specified for ExportType INCREMENTAL_EXPORT")
    if given is None or "ExportFromTime" not in given:
        raise invalid_value("ExportFromTime must be specified for ExportType INCREMENTAL_EXPORT")
    begins = _within(table, _seconds(given["ExportFromTime"], now), now)
    ends = _within(table, _seconds(given.get("ExportToTime"), now), now)
    for wrong, than in ((ends - begins < _SHORTEST_S, "less than 15 minutes"),
                        (ends - begins > _LONGEST_S, "greater than 24 hours")):  # fmt: skip
        if wrong:
            raise invalid(f"Difference between export period from time and export period to time is {than}")
    view = given.get("ExportViewType", "NEW_AND_OLD_IMAGES")
    window = {"ExportFromTime": begins, "ExportToTime": ends, "ExportViewType": view}
    return {"IncrementalExportSpecification": window}


def _seconds(given: datetime | None, default: float) -> float:
    return default if given is None else given.timestamp()


def _within(table: Table, moment: float, now: float) -> float:
    try:
        return recovery.checked(table, moment, now)
    except ServiceError as error:
        if error.code != "InvalidRestoreTimeException":
            raise
    raise ServiceError(
        "InvalidExportTimeException", "The specified ExportTime is outside of the point in time recovery window."
    )


@operation("DescribeExport")
async def describe_export(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """How far an export is."""
    found = await dynamo.database.read(lambda tx: transfers.find(tx, params["ExportArn"]))
    if found is None:
        raise ServiceError("ExportNotFoundException", f"Export not found: {params['ExportArn']}")
    return {"ExportDescription": dict(found.description)}


@operation("ListExports")
async def list_exports(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Those of the last 90 days, in reverse order of their ARNs."""
    limit = params.get("MaxResults", _MAX_LISTED)
    try:
        after = page_tokens.name_of(params.get("NextToken"))
    except ValueError:
        raise invalid("Invalid NextToken") from None
    table = params.get("TableArn", "")
    scope = named_by_arn(table).scope if table else ctx.scope
    found = await dynamo.database.read(lambda tx: transfers.listed(tx, scope, EXPORT, table, (after, limit + 1)))
    members = ("ExportArn", "ExportStatus", "ExportType")
    summaries = [{member: one.description[member] for member in members} for one in found[:limit]]
    more = {"NextToken": page_tokens.token_of(found[limit - 1].arn)} if len(found) > limit else {}
    return {"ExportSummaries": summaries, **more}
