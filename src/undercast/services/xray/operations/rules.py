"""Sampling rules, the targets that programs ask for, and what they told.

AWS: X-Ray API Reference, CreateSamplingRule, GetSamplingTargets, GetSamplingStatisticSummaries.
"""

from typing import Any

from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.xray import store
from undercast.services.xray.errors import invalid, only_page
from undercast.services.xray.instance import XRay, arn_of
from undercast.services.xray.sampling import DEFAULT, INTERVAL_S, MAX_RULES, changed, checked, default_rule
from undercast.services.xray.store import Rule
from undercast.store.database import Tx

_STATISTICS_S = 3600.0


@operation("CreateSamplingRule")
async def create_sampling_rule(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A rule with a name of its own."""
    wanted, now = checked(params["SamplingRule"]), ctx.clock.now()
    tags = {one["Key"]: one["Value"] for one in params.get("Tags", ())}
    made = Rule(name=wanted["RuleName"], rule=wanted, tags=tags, created_at=now, modified_at=now)

    def write(tx: Tx) -> None:
        known = store.rules(tx, ctx.scope)
        if any(one.name == made.name for one in known):
            raise invalid(f"A sampling rule with the name {made.name} exists already.")
        if len(known) >= MAX_RULES:
            raise ServiceError("RuleLimitExceededException", f"An account has at most {MAX_RULES} sampling rules.")
        store.put_rule(tx, ctx.scope, made)

    await xray.database.write(write)
    return {"SamplingRuleRecord": told(ctx, made)}


@operation("UpdateSamplingRule")
async def update_sampling_rule(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Change members of a rule, the default one's too."""
    update = params["SamplingRuleUpdate"]

    def write(tx: Tx) -> Rule:
        rule = _named(tx, ctx, update)
        after = Rule(
            name=rule.name,
            rule=changed(rule.rule, update),
            tags=rule.tags,
            created_at=rule.created_at,
            modified_at=ctx.clock.now(),
        )
        store.put_rule(tx, ctx.scope, after)
        return after

    return {"SamplingRuleRecord": told(ctx, await xray.database.write(write))}


@operation("DeleteSamplingRule")
async def delete_sampling_rule(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Not the default one."""

    def write(tx: Tx) -> Rule:
        rule = _named(tx, ctx, params)
        if rule.name == DEFAULT:
            raise invalid("The default sampling rule cannot be deleted.")
        store.delete_rule(tx, ctx.scope, rule.name)
        return rule

    return {"SamplingRuleRecord": told(ctx, await xray.database.write(write))}


@operation("GetSamplingRules")
async def get_sampling_rules(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """All rules by priority; there are few enough for one page."""
    only_page(params)
    found = await xray.database.read(lambda tx: _all(tx, ctx))
    return {"SamplingRuleRecords": [told(ctx, one) for one in found]}


@operation("GetSamplingTargets")
async def get_sampling_targets(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """This program's part of each rule's reservoir, for what it tells of its requests."""
    found = await xray.database.read(lambda tx: _all(tx, ctx))
    by_name, now = {one.name: one for one in found}, ctx.clock.now()
    given = params["SamplingStatisticsDocuments"]
    known = [one for one in given if one["RuleName"] in by_name]
    if known:
        await xray.journal.write(lambda tx: store.add_statistics(tx, ctx.scope, known))
    targets = []
    for one in known:
        rule = by_name[one["RuleName"]].rule
        key = (ctx.account_id, ctx.region, one["RuleName"])
        quota, until = xray.reservoirs.quota(key, one["ClientID"], rule["ReservoirSize"], now)
        targets.append(
            {
                "RuleName": one["RuleName"],
                "FixedRate": rule["FixedRate"],
                "ReservoirQuota": quota,
                "ReservoirQuotaTTL": moment(until),
                "Interval": INTERVAL_S,
            }
        )
    missing = [one["RuleName"] for one in given if one["RuleName"] not in by_name]
    return {
        "SamplingTargetDocuments": targets,
        "LastRuleModification": moment(max(one.modified_at for one in found)),
        "UnprocessedStatistics": [
            {"RuleName": name, "ErrorCode": "404", "Message": "There is no sampling rule of this name."}
            for name in missing
        ],
    }


@operation("GetSamplingStatisticSummaries")
async def get_statistics(xray: XRay, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What programs told of their sampling within the last hour, by rule."""
    only_page(params)
    since = ctx.clock.now() - _STATISTICS_S
    rows = await xray.journal.read(lambda tx: store.statistics(tx, ctx.scope, since))
    return {
        "SamplingStatisticSummaries": [
            {
                "RuleName": row["rule"],
                "Timestamp": moment(row["at"]),
                "RequestCount": row["requests"],
                "BorrowCount": row["borrowed"],
                "SampledCount": row["sampled"],
            }
            for row in rows
        ]
    }


def _all(tx: Tx, ctx: RequestContext) -> list[Rule]:
    made = store.rules(tx, ctx.scope)
    return made if any(one.name == DEFAULT for one in made) else [*made, default_rule()]


def _named(tx: Tx, ctx: RequestContext, params: Params) -> Rule:
    """By RuleName or RuleARN. Raises InvalidRequestException."""
    name, arn = params.get("RuleName"), params.get("RuleARN")
    for one in _all(tx, ctx):
        if one.name == name or (name is None and arn_of(ctx, f"sampling-rule/{one.name}") == arn):
            return one
    raise invalid("Sampling rule does not exist.")


def told(ctx: RequestContext, rule: Rule) -> dict[str, Any]:
    """A SamplingRuleRecord."""
    return {
        "SamplingRule": {**rule.rule, "RuleARN": arn_of(ctx, f"sampling-rule/{rule.name}")},
        "CreatedAt": moment(rule.created_at),
        "ModifiedAt": moment(rule.modified_at),
    }
