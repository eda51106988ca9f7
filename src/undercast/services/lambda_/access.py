"""What each Lambda request needs: the IAM action, the function's ARN, and the function's own policy.

AWS: Service Authorization Reference, "Actions, resources, and condition keys for AWS Lambda".
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.late_keys import Keys
from undercast.core.service import Access, Params
from undercast.services.lambda_ import layer_store, mapping_store, urls
from undercast.services.lambda_ import store as function_store
from undercast.services.lambda_.instance import PRINCIPAL, Lambda
from undercast.services.lambda_.layers import LayerReference, parse_layer, parse_layer_arn
from undercast.services.lambda_.names import Reference, function_arn, parse_function_arn, parse_reference
from undercast.services.roles import passed_role

_ACTIONS = {
    "Invoke": "lambda:InvokeFunction",
    "InvokeAsync": "lambda:InvokeFunction",
    "InvokeWithResponseStream": "lambda:InvokeFunction",
}
_NO_RESOURCE = frozenset({
    "ListFunctions", "GetAccountSettings", "ListLayers", "CreateCodeSigningConfig", "ListCodeSigningConfigs",
})  # fmt: skip
_CONFIGURING = frozenset({"CreateFunction", "UpdateFunctionConfiguration"})


async def access(functions: Lambda, ctx: RequestContext, operation: str, params: Params) -> tuple[Access, ...]:
    """See `core.service.Manifest.access`."""
    action = _ACTIONS.get(operation) or f"lambda:{operation}"
    if operation == "Invoke":
        key = ctx.scope, params["FunctionName"], params.get("Qualifier")
        return functions.catalog.guard(key, lambda: _on_function(functions, ctx, action, params))
    if operation in _NO_RESOURCE:
        return (Access(action=action, resource="*"),)
    if "EventSourceMapping" in operation:
        return (_on_mapping(functions, ctx, action, params),)
    if "LayerName" in params or operation == "GetLayerVersionByArn":
        return (_on_layer(functions, ctx, action, params),)
    if "FunctionName" not in params and "CodeSigningConfigArn" in params:
        return (_on_arn(action, params["CodeSigningConfigArn"]),)
    needed = [_on_function(functions, ctx, action, params)]
    if operation in _CONFIGURING:
        needed += _on_what_it_uses(functions, ctx, params)
    return tuple(needed)


def _on_what_it_uses(functions: Lambda, ctx: RequestContext, params: Params) -> Iterator[Access]:
    """The role that is passed on, and the layers: their own account or their policy must let the caller have them."""
    if params.get("Role"):
        yield passed_role(ctx, params["Role"], PRINCIPAL)
    for arn in params.get("Layers") or ():
        reference = parse_layer_arn(arn)
        if reference is not None and (needed := _layer_access(functions, "lambda:GetLayerVersion", reference)):
            yield needed


def _on_mapping(functions: Lambda, ctx: RequestContext, action: str, params: Params) -> Access:
    """Service Authorization Reference: the mapping itself, where it exists; the function is a condition key."""
    function = params.get("FunctionName", "")
    if function:
        with suppress(ServiceError):
            function = parse_reference(ctx.scope, function).arn
    resource = "*"
    if "UUID" in params:
        resource = mapping_store.mapping_arn(ctx.scope, params["UUID"])
        found = functions.database.read_row(lambda tx: mapping_store.find(tx, ctx.scope, params["UUID"]))
        function = function or (found.function_arn if found is not None else "")
    conditions = {"lambda:FunctionArn": function} if function else {}
    return Access(action=action, resource=resource, conditions=conditions)


def _on_layer(functions: Lambda, ctx: RequestContext, action: str, params: Params) -> Access:
    if action == "lambda:GetLayerVersionByArn":
        reference, action = parse_layer_arn(params["Arn"]), "lambda:GetLayerVersion"
    else:
        try:
            reference = parse_layer(ctx.scope, params["LayerName"], params.get("VersionNumber", 0))
        except ServiceError:
            reference = None  # the operation answers with the reason
    if reference is None:
        return Access(action=action, resource="*")
    return _layer_access(functions, action, reference) or Access(
        action=action,
        resource=reference.arn if reference.version else reference.layer_arn,
        resource_account_id=reference.scope.account_id,
    )


def _layer_access(functions: Lambda, action: str, reference: LayerReference) -> Access | None:
    """None for a version that is not there: the operation says so."""
    version = functions.database.read_now(lambda tx: layer_store.find(tx, reference))
    if version is None:
        return None
    return Access(
        action=action,
        resource=reference.arn,
        resource_policy=version.policy,
        resource_account_id=reference.scope.account_id,
    )


def _on_function(functions: Lambda, ctx: RequestContext, action: str, params: Params) -> Access:
    if (arn := params.get("Resource") or params.get("ResourceArn")) is not None:
        return _on_arn(action, arn)
    try:
        reference = parse_reference(ctx.scope, params["FunctionName"], params.get("Qualifier"))
    except ServiceError:
        # The operation answers with the reason; nothing is there to be guarded.
        return Access(action=action, resource=function_arn(ctx.scope, "*"))
    return Access(
        action=action,
        resource=reference.arn,
        conditions=_conditions(functions, action, params, reference),
        resource_policy=functions.catalog.policy(reference),
        resource_account_id=reference.scope.account_id,
    )


def _on_arn(action: str, arn: str) -> Access:
    """On a function or a code signing configuration, neither of which lets another account in at these operations."""
    fields = arn.split(":")
    return Access(action=action, resource=arn, resource_account_id=fields[4] if len(fields) > 5 else None)


def _conditions(functions: Lambda, action: str, params: Params, reference: Reference) -> Keys:
    """The condition keys that Lambda has for what a function is to use, for its URL and for whom it lets in."""
    found: Keys = {}
    if action == "lambda:AddPermission":
        found["lambda:Principal"] = params["Principal"]
        if params.get("FunctionUrlAuthType"):
            found["lambda:FunctionUrlAuthType"] = params["FunctionUrlAuthType"]
    elif action == "lambda:RemovePermission":
        found = _of_statement(functions.catalog.policy(reference), params["StatementId"])
    elif action.endswith("FunctionUrlConfig"):
        url = functions.database.read_now(lambda tx: urls.find(tx, reference))
        if auth_type := params.get("AuthType") or (url.configuration["AuthType"] if url is not None else None):
            found["lambda:FunctionUrlAuthType"] = auth_type
    for member, key in (("SubnetIds", "lambda:SubnetIds"), ("SecurityGroupIds", "lambda:SecurityGroupIds")):
        if ids := (params.get("VpcConfig") or {}).get(member):
            found[key] = tuple(ids)
    if params.get("Layers"):
        found["lambda:Layer"] = tuple(params["Layers"])
    if params.get("CodeSigningConfigArn"):
        found["lambda:CodeSigningConfigArn"] = params["CodeSigningConfigArn"]
    return found


def _of_statement(policy: Mapping[str, Any] | None, sid: str) -> Keys:
    """Of the statement that is to go: whom it lets in, and by which URLs."""
    found: Keys = {}
    statement = next((one for one in (policy or {}).get("Statement", ()) if one.get("Sid") == sid), None)
    if statement is None:
        return found
    principal = statement.get("Principal", "*")
    names = [principal] if isinstance(principal, str) else list(principal.values())
    found["lambda:Principal"] = tuple(text for one in names for text in ([one] if isinstance(one, str) else one))
    equals = statement.get("Condition", {}).get("StringEquals", {})
    if "lambda:FunctionUrlAuthType" in equals:
        found["lambda:FunctionUrlAuthType"] = equals["lambda:FunctionUrlAuthType"]
    return found


async def policy_of(functions: Lambda, resource_arn: str) -> Mapping[str, Any] | None:
    """See `core.service.Manifest.policy_of`."""
    reference = parse_function_arn(resource_arn)
    return functions.catalog.policy(reference) if reference is not None else None


def tags_of(functions: Lambda, arn: str) -> Mapping[str, str]:
    """See `core.service.Manifest.tags_of`."""
    reference = parse_function_arn(arn)
    if reference is None:
        mapping = functions.database.read_now(lambda tx: mapping_store.by_arn(tx, arn))
        return mapping.tags if mapping is not None else {}
    function = functions.database.read_now(lambda tx: function_store.function(tx, reference.scope, reference.name))
    return function.tags if function is not None else {}
