"""The policy simulator: the decision that the gateway would take, with the statements that led to it.

AWS: IAM API Reference, "SimulatePrincipalPolicy", "SimulateCustomPolicy".
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.identity import Principal, root_principal
from undercast.core.record import record
from undercast.core.service import operation
from undercast.policy.document import Policy, parse_policy
from undercast.policy.evaluate import AuthorizationRequest, RequestKeys, evaluate, matching
from undercast.services.iam import entities, errors
from undercast.services.iam.context_entries import conditions
from undercast.services.iam.entities import Entity
from undercast.services.iam.iam import Iam
from undercast.services.iam.kinds import KINDS, ROLE, USER
from undercast.services.iam.knowledge import user_principal
from undercast.services.iam.pages import page_of_numbers
from undercast.store.database import Tx

Params = Mapping[str, Any]
_POLICIES = frozenset({"PolicyInputList", "PermissionsBoundaryPolicyInputList", "ResourcePolicy"})


@record
class Source:
    """One policy of the simulation."""

    type: str
    id: str
    policy: Policy


@record
class Setting:
    """Everything but action and resource."""

    caller: Principal
    identity: tuple[Source, ...]
    boundary: tuple[Policy, ...]
    resource: Policy | None
    resource_owner: str | None
    conditions: Mapping[str, tuple[str, ...]]


@operation("SimulateCustomPolicy")
async def simulate_custom_policy(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """With the policies of the request alone."""
    # The account's root would have every permission; asked for is what the given policies allow.
    caller = Principal(kind="assumed-role", account_id=ctx.account_id, arn=root_principal(ctx.account_id).arn)
    if "CallerArn" in params:
        caller = await iam.read(lambda tx: _principal(_entity(tx, ctx, params["CallerArn"])))
    return await _simulated(params, caller, (), ())


@operation("SimulatePrincipalPolicy")
async def simulate_principal_policy(iam: Iam, ctx: RequestContext, params: Params) -> Params:
    """With the policies of a user, group or role, and those of the request."""

    def read(tx: Tx) -> tuple[Principal, tuple[Source, ...], tuple[Policy, ...]]:
        entity = _entity(tx, ctx, params["PolicySourceArn"])
        caller = _entity(tx, ctx, params["CallerArn"]) if "CallerArn" in params else entity
        sources = tuple(
            Source(type=kind, id=name, policy=iam.knowledge.compiled(document))
            for kind, name, document in iam.knowledge.sources(tx, entity)
        )
        boundary = iam.knowledge.document(tx, entity.account_id, entity.boundary_arn) if entity.boundary_arn else None
        return _principal(caller), sources, (iam.knowledge.compiled(boundary),) if boundary else ()

    caller, sources, boundary = await iam.read(read)
    return await _simulated(params, caller, sources, boundary)


async def _simulated(
    params: Params, caller: Principal, sources: tuple[Source, ...], boundary: tuple[Policy, ...]
) -> Params:
    """One action on one resource at once: services ask so for each message. In a thread what can take seconds: a page
    of a thousand results of large policies, or policies that are not compiled yet."""

    def simulated() -> Params:
        return _results(_setting(params, caller, sources, boundary), params)

    is_one = len(params["ActionNames"]) == 1 and len(params.get("ResourceArns") or ()) <= 1
    if is_one and _POLICIES.isdisjoint(params):
        return simulated()
    return await asyncio.to_thread(simulated)


def _setting(params: Params, caller: Principal, sources: tuple[Source, ...], boundary: tuple[Policy, ...]) -> Setting:
    given = tuple(
        Source(type="none", id=f"PolicyInputList.{number}", policy=parse_policy(text, "inline"))
        for number, text in enumerate(params.get("PolicyInputList", ()), 1)
    )
    if len(params.get("PermissionsBoundaryPolicyInputList", ())) > 1:
        raise errors.invalid_input("Only one permissions boundary policy can be simulated.")  # text ours
    bounds = tuple(parse_policy(text, "inline") for text in params.get("PermissionsBoundaryPolicyInputList", ()))
    return Setting(
        caller=caller,
        identity=sources + given,
        boundary=bounds or boundary,
        resource=parse_policy(params["ResourcePolicy"], "resource") if "ResourcePolicy" in params else None,
        resource_owner=_account(params["ResourceOwner"]) if "ResourceOwner" in params else None,
        conditions=conditions(params.get("ContextEntries", ())),
    )


def _results(setting: Setting, params: Params) -> Params:
    actions, arns = params["ActionNames"], params.get("ResourceArns") or ["*"]
    numbers, rest = page_of_numbers(range(len(actions) * len(arns)), params)
    pairs = ((actions[number // len(arns)], arns[number % len(arns)]) for number in numbers)
    return {"EvaluationResults": [_result(setting, *pair) for pair in pairs], **rest}


def _result(setting: Setting, action: str, resource: str) -> dict[str, Any]:
    request = AuthorizationRequest(
        principal=setting.caller,
        action=action,
        resource=resource,
        resource_account_id=setting.resource_owner,
        conditions=setting.conditions,
    )
    identity = [source.policy for source in setting.identity]
    boundary = setting.boundary[0] if setting.boundary else None
    decision = evaluate(request, identity, setting.resource, (), boundary)
    word = "allowed" if decision.allowed else "explicitDeny" if decision.explicit_deny else "implicitDeny"
    policies = [*identity, *([setting.resource] if setting.resource else [])]
    result: dict[str, Any] = {
        "EvalActionName": action,
        "EvalResourceName": resource,
        "EvalDecision": word,
        "MatchedStatements": _matched(setting, request),
        "MissingContextValues": _missing(policies, request),
    }
    if boundary is not None:
        allowed = evaluate(request, [boundary]).allowed
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": allowed}
    return result


def _matched(setting: Setting, request: AuthorizationRequest) -> list[dict[str, str]]:
    found = [
        {"SourcePolicyId": source.id, "SourcePolicyType": source.type}
        for source in setting.identity
        for _ in matching(source.policy, request)
    ]
    if setting.resource is not None:
        found += [
            {"SourcePolicyId": "ResourcePolicy", "SourcePolicyType": "resource"}
            for _ in matching(setting.resource, request)
        ]
    return found


def _missing(policies: Sequence[Policy], request: AuthorizationRequest) -> list[str]:
    """Condition keys that the statements ask for and the request lacks."""
    keys = RequestKeys(request)
    wanted = {
        condition.key
        for policy in policies
        for statement in policy.about(request.action)
        for condition in statement.conditions
    }
    return sorted(key for key in wanted if keys(key.lower()) is None)


def _entity(tx: Tx, ctx: RequestContext, arn: str) -> Entity:
    """One of the account. Raises NoSuchEntity and InvalidInput."""
    fields = arn.split(":", 5)
    name = arn.rpartition("/")[2]
    kinds = {kind.name: kind for kind in KINDS}
    kind = kinds.get(fields[5].partition("/")[0]) if len(fields) == 6 and fields[2] == "iam" else None
    if kind is None:
        raise errors.invalid_input(f"Invalid Entity Arn: {arn} does not clearly define entity type and name.")
    if fields[4] != ctx.account_id:
        raise errors.no_such(kind.name, name)
    return entities.find(tx, ctx.account_id, kind, name)


def _principal(entity: Entity) -> Principal:
    if entity.kind is USER:
        return user_principal(entity)
    arn = entity.arn
    if entity.kind is ROLE:
        session = f"arn:aws:sts::{entity.account_id}:assumed-role/{entity.name}/simulation"
        return Principal(
            kind="assumed-role", account_id=entity.account_id, arn=session, user_id=entity.id, role_arn=arn
        )
    return Principal(kind="user", account_id=entity.account_id, arn=arn, user_id=entity.id)


def _account(arn: str) -> str:
    return arn.split(":")[4] if arn.count(":") >= 5 else arn
