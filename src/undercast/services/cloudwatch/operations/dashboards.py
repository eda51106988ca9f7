"""Dashboards: kept and given back. They belong to the account, in every region.

AWS: CloudWatch API Reference, PutDashboard, GetDashboard, ListDashboards, DeleteDashboards; "Dashboard body
structure and syntax".
"""

import json
import re
from typing import Any

from undercast.core import json_values
from undercast.core.arn import Arn
from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.page_tokens import name_of, token_of
from undercast.core.service import Params, operation
from undercast.services.cloudwatch.errors import invalid_value, missing
from undercast.services.cloudwatch.instance import CloudWatch
from undercast.services.cloudwatch.operations.tags import DASHBOARD_PREFIX, checked_tags
from undercast.store.database import Row, Tx

MAX_LISTED = 1000
MAX_DELETED = 100
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_WIDGETS = frozenset({"alarm", "custom", "explorer", "log", "metric", "text"})


def dashboard_arn(account_id: str, name: str) -> str:
    """arn:aws:cloudwatch::ACCOUNT:dashboard/NAME"""
    return str(Arn(service="cloudwatch", account_id=account_id, resource=f"{DASHBOARD_PREFIX}{name}"))


@operation("PutDashboard")
async def put_dashboard(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Make or replace it. A body that is no dashboard is refused; what is only doubtful is told."""
    name, body = params["DashboardName"], params["DashboardBody"]
    if not _NAME.fullmatch(name):
        raise _wrong([("/", f"The value {name} for field DashboardName contains invalid characters.")])
    problems = _problems(body)
    if problems:
        raise _wrong(problems)
    tags = json.dumps(checked_tags(params.get("Tags")))

    def write(tx: Tx) -> None:
        tx.execute(
            "INSERT INTO cloudwatch_dashboard (account_id, name, body, modified_at, tags) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (account_id, name) DO UPDATE SET body = excluded.body, modified_at = excluded.modified_at",
            (ctx.account_id, name, body, ctx.clock.now(), tags),
        )

    await cloudwatch.database.write(write)
    return {"DashboardValidationMessages": []}


def _problems(body: str) -> list[tuple[str, str]]:
    try:
        document = json_values.parse(body)
    except ValueError:
        return [("/", "The field DashboardBody must be a valid JSON object")]
    if not isinstance(document, dict):
        return [("/", "The field DashboardBody must be a valid JSON object")]
    widgets = document.get("widgets")
    if not isinstance(widgets, list):
        return [("/widgets", "The field widgets must be an array")]
    found: list[tuple[str, str]] = []
    for place, widget in enumerate(widgets):
        if not isinstance(widget, dict) or widget.get("type") not in _WIDGETS:
            found.append((f"/widgets/{place}/type", "The field type must be one of the widget types"))
        elif not isinstance(widget.get("properties"), dict):
            found.append((f"/widgets/{place}/properties", "The field properties is required"))
    return found


def _wrong(problems: list[tuple[str, str]]) -> ServiceError:
    told = [{"DataPath": path, "Message": text} for path, text in problems]
    listed = json.dumps([{"dataPath": path, "message": text} for path, text in problems])
    message = f"The dashboard body is invalid, there are {len(told)} validation errors: {listed}"
    members = {"dashboardValidationMessages": told}
    return ServiceError("DashboardInvalidInputError", message, members=members)


@operation("GetDashboard")
async def get_dashboard(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The body as it was put."""
    name = params["DashboardName"]

    def read(tx: Tx) -> Row | None:
        return tx.one("SELECT * FROM cloudwatch_dashboard WHERE account_id = ? AND name = ?", (ctx.account_id, name))

    row = await cloudwatch.database.read(read)
    if row is None:
        raise _none(name)
    return {
        "DashboardArn": dashboard_arn(ctx.account_id, name),
        "DashboardBody": row["body"],
        "DashboardName": name,
    }


def _none(name: str) -> ServiceError:
    return ServiceError("DashboardNotFoundError", f"Dashboard {name} does not exist", 404)


@operation("ListDashboards")
async def list_dashboards(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """By name."""
    try:
        after = name_of(params.get("NextToken"))
    except ValueError:
        raise invalid_value("The NextToken is invalid.") from None
    prefix = params.get("DashboardNamePrefix") or ""

    def read(tx: Tx) -> list[Row]:
        return tx.all(
            "SELECT * FROM cloudwatch_dashboard WHERE account_id = ? AND name > ? AND substr(name, 1, ?) = ?"
            " ORDER BY name LIMIT ?",
            (ctx.account_id, after, len(prefix), prefix, MAX_LISTED + 1),
        )

    found = await cloudwatch.database.read(read)
    entries = [
        {
            "DashboardName": row["name"],
            "DashboardArn": dashboard_arn(ctx.account_id, row["name"]),
            "LastModified": moment(row["modified_at"]),
            "Size": len(row["body"].encode()),
        }
        for row in found[:MAX_LISTED]
    ]
    more = {"NextToken": token_of(found[MAX_LISTED - 1]["name"])} if len(found) > MAX_LISTED else {}
    return {"DashboardEntries": entries, **more}


@operation("DeleteDashboards")
async def delete_dashboards(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """All of them, or, when one is not there, none."""
    names = params["DashboardNames"]
    if not names:
        raise missing("The parameter DashboardNames is required.")
    if len(names) > MAX_DELETED:
        raise invalid_value(f"At most {MAX_DELETED} dashboards can be deleted at once.")

    def write(tx: Tx) -> None:
        for name in dict.fromkeys(names):
            where = "account_id = ? AND name = ?"
            if not tx.execute(f"DELETE FROM cloudwatch_dashboard WHERE {where}", (ctx.account_id, name)):
                raise _none(name)

    await cloudwatch.database.write(write)
    return {}
