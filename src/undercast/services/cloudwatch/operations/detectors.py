"""Anomaly detectors: put, describe, delete.

A band is computed with or without one; a detector says for which metrics it is wanted, and how far its training is.
AWS: CloudWatch API Reference, PutAnomalyDetector, DescribeAnomalyDetectors, DeleteAnomalyDetector.
"""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from undercast.core.arn import Scope
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.page_tokens import name_of, token_of
from undercast.core.service import Params, operation
from undercast.services.cloudwatch.bands import HOUR_S, LEAST, TRAINING_S
from undercast.services.cloudwatch.errors import bad_token, invalid_combination, invalid_value, missing
from undercast.services.cloudwatch.expressions import Evaluation, Query
from undercast.services.cloudwatch.instance import CloudWatch
from undercast.services.cloudwatch.queries import Source, dimensions_of, queries_of
from undercast.services.cloudwatch.statistics import statistic
from undercast.services.cloudwatch.trial import try_detector
from undercast.store.database import Row, Tx

SINGLE, MATH = "SingleMetricAnomalyDetector", "MetricMathAnomalyDetector"
_TYPES: Mapping[str, str] = {"SINGLE_METRIC": SINGLE, "METRIC_MATH": MATH}
_OF_METRIC = ("Namespace", "MetricName", "Dimensions", "Stat")
_PERIOD_S = 300
"""At which a single metric is looked at, to say how far its training is."""
_LOOKED_AT_S = (HOUR_S, TRAINING_S)
"""The last hour mostly tells enough."""
_MOST_LISTED = 100


@operation("PutAnomalyDetector")
async def put_anomaly_detector(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A detector for a metric and statistic, or for an expression; one that is there stays."""
    kind, definition = _checked(ctx.scope, params)
    text = _text(definition)

    def write(tx: Tx) -> str:
        known = _find(tx, ctx.scope, kind, text)
        if known is not None:
            return str(known["id"])
        made = ctx.ids.uuid()
        tx.execute(
            "INSERT INTO cloudwatch_detector (account_id, region, id, kind, definition) VALUES (?, ?, ?, ?, ?)",
            (*ctx.scope, made, kind, text),
        )
        return made

    return {"AnomalyDetectorId": await cloudwatch.database.write(write)}


def _checked(scope: Scope, params: Params) -> tuple[str, dict[str, Any]]:
    """(kind, definition) of what a request means. Raises AWS's errors."""
    flat = {name: params[name] for name in _OF_METRIC if params.get(name) is not None}
    given = [name for name in (SINGLE, MATH) if params.get(name) is not None]
    if len(given) + bool(flat) > 1:
        raise invalid_combination(f"{' and '.join([*given, *flat])} cannot be specified together.")
    if not given and not flat:
        raise missing(f"One of {SINGLE} and {MATH} must be specified.")
    if given == [MATH]:
        queries = params[MATH].get("MetricDataQueries") or ()
        read = queries_of(scope, queries, f"{MATH}.MetricDataQueries")
        returned = [query for query in read if query.returns]
        if len(returned) != 1:
            raise invalid_value(f"Exactly one element of {MATH}.MetricDataQueries should return data.")
        try_detector(read, returned[0])
        return MATH, {"MetricDataQueries": list(queries)}
    metric = params[SINGLE] if given else flat
    for name in ("Namespace", "MetricName", "Stat"):
        if not metric.get(name):
            raise missing(f"The parameter {name} is required.")
    if metric.get("AccountId", scope.account_id) != scope.account_id:
        raise invalid_value(f"The value {metric['AccountId']} for parameter AccountId is no linked account.")
    if statistic(metric["Stat"]) is None:
        raise invalid_value(f"The value {metric['Stat']} for parameter Stat is not supported.")
    dimensions = [{"Name": name, "Value": value} for name, value in sorted(dimensions_of(metric.get("Dimensions")))]
    return SINGLE, {**{name: metric[name] for name in ("Namespace", "MetricName", "Stat")}, "Dimensions": dimensions}


def _text(definition: Mapping[str, Any]) -> str:
    return json.dumps(definition, sort_keys=True)


def _find(tx: Tx, scope: Scope, kind: str, text: str) -> Row | None:
    return tx.one(
        "SELECT id FROM cloudwatch_detector WHERE account_id = ? AND region = ? AND kind = ? AND definition = ?",
        (*scope, kind, text),
    )


@operation("DeleteAnomalyDetector")
async def delete_anomaly_detector(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """By its id, or by what it is for."""
    by_id = params.get("AnomalyDetectorId")
    if by_id is not None and len(params) > 1:
        raise invalid_combination("AnomalyDetectorId cannot be specified together with other parameters.")
    wanted = None if by_id is not None else _checked(ctx.scope, params)

    def write(tx: Tx) -> None:
        found = by_id
        if wanted is not None:
            row = _find(tx, ctx.scope, wanted[0], _text(wanted[1]))
            found = None if row is None else row["id"]
        gone = tx.execute(
            "DELETE FROM cloudwatch_detector WHERE account_id = ? AND region = ? AND id = ?", (*ctx.scope, found)
        )
        if not gone:
            raise ServiceError("ResourceNotFoundException", "The anomaly detector does not exist.", 404)

    await cloudwatch.database.write(write)
    return {}


@operation("DescribeAnomalyDetectors")
async def describe_anomaly_detectors(cloudwatch: CloudWatch, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Those of single metrics unless METRIC_MATH is asked for, page by page; of some ids, or of some metrics."""
    limit = min(params.get("MaxResults") or _MOST_LISTED, _MOST_LISTED)
    kinds = [_TYPES[one] for one in params.get("AnomalyDetectorTypes") or ("SINGLE_METRIC",)]
    ids = params.get("AnomalyDetectorIds")
    try:
        after = name_of(params.get("NextToken"))
    except ValueError:
        raise bad_token() from None

    def rows(tx: Tx) -> list[Row]:
        found = tx.all(
            "SELECT * FROM cloudwatch_detector WHERE account_id = ? AND region = ? AND id > ? ORDER BY id",
            (*ctx.scope, after),
        )
        return [row for row in found if (row["id"] in ids if ids else row["kind"] in kinds and _is_wanted(row, params))]

    found = await cloudwatch.database.read(rows)
    page = found[:limit]
    now_s = int(cloudwatch.clock.now())

    await cloudwatch.read(lambda _: None)  # once behind what was measured; then a read for each, not to hold others up
    trained = [
        await cloudwatch.journal.database.read(partial(_state, scope=ctx.scope, row=row, now_s=now_s), long=True)
        for row in page
    ]
    result: dict[str, Any] = {
        "AnomalyDetectors": [_shown(row, state) for row, state in zip(page, trained, strict=True)]
    }
    return {**result, "NextToken": token_of(page[-1]["id"])} if len(found) > limit else result


def _is_wanted(row: Row, params: Params) -> bool:
    definition = json.loads(row["definition"])
    wanted = {name: params[name] for name in ("Namespace", "MetricName") if name in params}
    if params.get("Dimensions"):
        wanted["Dimensions"] = [
            {"Name": name, "Value": value} for name, value in sorted(dimensions_of(params["Dimensions"]))
        ]
    return all(definition.get(name) == value for name, value in wanted.items())


def _state(tx: Tx, scope: Scope, row: Row, now_s: int) -> str:
    definition = json.loads(row["definition"])
    given = definition.get("MetricDataQueries")
    if given is None:
        metric = {name: definition[name] for name in ("Namespace", "MetricName", "Dimensions")}
        given = [{"Id": "m1", "MetricStat": {"Metric": metric, "Stat": definition["Stat"], "Period": _PERIOD_S}}]
    queries = queries_of(scope, given, "MetricDataQueries")
    (watched,) = [query for query in queries if query.returns]
    is_trained = any(_has_values(tx, scope, queries, watched, (now_s - span_s, now_s)) for span_s in _LOOKED_AT_S)
    return "TRAINED" if is_trained else "TRAINED_INSUFFICIENT_DATA"


def _has_values(tx: Tx, scope: Scope, queries: Sequence[Query], watched: Query, span: tuple[int, int]) -> bool:
    source = Source(tx, scope, span, span[1])
    if watched.metric is not None:
        return source.has(watched.metric, LEAST)
    try:
        lines = Evaluation(queries, source.reader(counts=True), source.budget, is_past=True).result(watched)
    except ServiceError:
        return False
    return len(lines) == 1 and len(lines[0].values) >= LEAST


def _shown(row: Row, state: str) -> dict[str, Any]:
    definition = json.loads(row["definition"])
    shown = {"AnomalyDetectorId": row["id"], "StateValue": state, row["kind"]: definition}
    return {**definition, **shown} if row["kind"] == SINGLE else shown
