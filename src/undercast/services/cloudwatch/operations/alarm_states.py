"""States of alarms by hand, their actions on and off, their history.

AWS: CloudWatch API Reference, SetAlarmState, EnableAlarmActions, DisableAlarmActions, DescribeAlarmHistory.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.json_text import is_json
from undercast.core.page_tokens import number_of, token_of
from undercast.core.service import Params, operation
from undercast.services.cloudwatch import alarm_store
from undercast.services.cloudwatch.alarms import METRIC, HistoryItem
from undercast.services.cloudwatch.errors import bad_token, no_alarms
from undercast.services.cloudwatch.instance import CloudWatch
from undercast.services.cloudwatch.transitions import Change, item_of
from undercast.store.database import Tx

MAX_RECORDS = 100


@operation("SetAlarmState")
async def set_alarm_state(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> None:
    """Until the next evaluation says otherwise. A value that differs takes the actions of the new state."""
    data = params.get("StateReasonData") or ""
    if data and not is_json(data):
        raise ServiceError("InvalidFormat", "StateReasonData is not valid JSON", 400)

    def write(tx: Tx) -> None:
        alarm = alarm_store.find(tx, ctx.scope, params["AlarmName"])
        if alarm is None:
            raise no_alarms([params["AlarmName"]])
        change = Change(value=params["StateValue"], reason=params["StateReason"], data=data, at=ctx.clock.now())
        cloudwatch.composites.change(tx, alarm, change)

    await cloudwatch.database.write(write, long=True)


@operation("EnableAlarmActions")
async def enable_alarm_actions(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> None:
    """From the next change of state on."""
    await _switch(cloudwatch, ctx, params, enabled=True)


@operation("DisableAlarmActions")
async def disable_alarm_actions(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> None:
    """States go on changing; nothing is done."""
    await _switch(cloudwatch, ctx, params, enabled=False)


async def _switch(cloudwatch: CloudWatch, ctx: RequestContext, params: Params, *, enabled: bool) -> None:
    def write(tx: Tx) -> None:
        for name in params["AlarmNames"]:
            alarm = alarm_store.find(tx, ctx.scope, name)
            if alarm is None or alarm.actions_enabled == enabled:
                continue
            alarm_store.put(tx, replace(alarm, actions_enabled=enabled))
            what = "enabled" if enabled else "disabled"
            data = json.dumps({"version": "1.0", "type": "Update", "actionsEnabled": enabled})
            summary = f'Alarm actions for "{name}" {what}'
            alarm_store.note(tx, item_of(alarm, ctx.clock.now(), "ConfigurationUpdate", summary, data))

    await cloudwatch.database.write(write)


@operation("DescribeAlarmHistory")
async def describe_alarm_history(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What happened in the last 30 days, newest first unless asked; of metric alarms alone unless asked."""
    limit = params.get("MaxRecords") or MAX_RECORDS
    try:
        skipped = number_of(params.get("NextToken"))
    except ValueError:
        raise bad_token() from None
    newest_first = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
    since = ctx.clock.now() - alarm_store.HISTORY_S

    def read(tx: Tx) -> list[HistoryItem]:
        items = alarm_store.history(tx, ctx.scope, since, newest_first=newest_first)
        return list(islice(_wanted(items, params), skipped, skipped + limit + 1))

    found = await cloudwatch.database.read(read, long=True)
    result: dict[str, Any] = {"AlarmHistoryItems": [item.shown() for item in found[:limit]]}
    if len(found) > limit:
        result["NextToken"] = token_of(str(skipped + limit))
    return result


def _wanted(items: Iterator[HistoryItem], params: Params) -> Iterator[HistoryItem]:
    types = params.get("AlarmTypes") or (METRIC,)
    start, end = params.get("StartDate"), params.get("EndDate")
    for item in items:
        if (
            item.kind in types
            and params.get("AlarmName", item.name) == item.name
            and params.get("HistoryItemType", item.type) == item.type
            and (start is None or item.at >= start.timestamp())
            and (end is None or item.at <= end.timestamp())
        ):
            yield item
