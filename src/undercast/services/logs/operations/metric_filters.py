"""Metric filters: put, describe, delete, test.

AWS: CloudWatch Logs API Reference, PutMetricFilter, DescribeMetricFilters, DeleteMetricFilter, TestMetricFilter.
"""

from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, refused_member
from undercast.core.service import Params, operation
from undercast.services.logs import filter_store
from undercast.services.logs.errors import invalid
from undercast.services.logs.followers import GroupName
from undercast.services.logs.instance import Logs, existing_group, offering_group
from undercast.services.logs.metric_filter import MAX_PER_GROUP, LiveMetricFilter, MetricFilter
from undercast.services.logs.operations.pages import page_of
from undercast.services.logs.pattern import compile_pattern, extracted
from undercast.store.database import Tx


@operation("PutMetricFilter")
async def put_metric_filter(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """Make metric data of what matches, from now on."""
    if params.get("applyOnTransformedLogs"):
        raise refused_member("PutMetricFilter", "applyOnTransformedLogs", "there are no log transformers")
    group = GroupName(ctx.scope, params["logGroupName"])
    wanted = MetricFilter(
        scope=ctx.scope,
        group=group.group,
        name=params["filterName"],
        created_ms=logs.now_ms(),
        pattern=params["filterPattern"],
        transformation=params["metricTransformations"][0],
    )
    await logs.journal.read(lambda tx: offering_group(tx, ctx, group.group))
    LiveMetricFilter(wanted)

    def put(tx: Tx) -> None:
        there = filter_store.metric_filters(tx, group)
        if len(there) >= MAX_PER_GROUP and all(one.name != wanted.name for one in there):
            raise ServiceError("LimitExceededException", "Resource limit exceeded.")
        filter_store.put_metric_filter(tx, wanted)
        _tell(logs, tx, group)

    async with logs.belongings:
        await logs.journal.read(lambda tx: existing_group(tx, ctx.scope, group.group))
        await logs.database.write(put)


@operation("DescribeMetricFilters")
async def describe_metric_filters(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The filters of a group, or those that feed a metric, or all."""
    name, prefix = params.get("logGroupName"), params.get("filterNamePrefix", "")
    metric, namespace = params.get("metricName"), params.get("metricNamespace")
    if (metric is None) != (namespace is None):
        raise invalid("metricName and metricNamespace must be given together.")
    if name is not None:
        await logs.journal.read(lambda tx: offering_group(tx, ctx, name))

    def read(tx: Tx) -> list[MetricFilter]:
        if name is not None:
            return filter_store.metric_filters(tx, GroupName(ctx.scope, name))
        return [one for one in filter_store.all_metric_filters(tx) if one.scope == ctx.scope]

    found = sorted(
        (f"{one.group}:{one.name}", one.output())
        for one in await logs.database.read(read)
        if one.name.startswith(prefix)
        and metric in (None, one.transformation["metricName"])
        and namespace in (None, one.transformation["metricNamespace"])
    )
    page, token = page_of(found, params)
    return {"metricFilters": page, **token}


@operation("DeleteMetricFilter")
async def delete_metric_filter(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """Make no data any more; what is there stays."""
    group = GroupName(ctx.scope, params["logGroupName"])
    await logs.journal.read(lambda tx: existing_group(tx, ctx.scope, group.group))

    def delete(tx: Tx) -> None:
        if not filter_store.delete_metric_filter(tx, group, params["filterName"]):
            raise ServiceError("ResourceNotFoundException", "The specified metric filter does not exist.")
        _tell(logs, tx, group)

    await logs.database.write(delete)


def _tell(logs: Logs, tx: Tx, group: GroupName) -> None:
    """With the commit, so that what works is what is stored, whoever waits for it."""
    found = filter_store.metric_filters(tx, group)
    tx.after_commit(lambda: logs.metric_filters.learn(group, found))


@operation("TestMetricFilter")
async def test_metric_filter(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The messages that match, each with its place and what the pattern takes out of it."""
    matches, found = compile_pattern(params["filterPattern"]), extracted(params["filterPattern"])
    return {
        "matches": [
            {"eventNumber": number, "eventMessage": message, "extractedValues": dict(found(message))}
            for number, message in enumerate(params["logEventMessages"], start=1)
            if matches(message)
        ]
    }
