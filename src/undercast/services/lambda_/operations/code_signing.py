"""Code signing configurations.

AWS: Lambda API Reference, CreateCodeSigningConfig and its companions, PutFunctionCodeSigningConfig,
ListFunctionsByCodeSigningConfig.
"""

from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, Reply, operation
from undercast.services.lambda_ import code_signing
from undercast.services.lambda_.code_signing import CodeSigningConfig
from undercast.services.lambda_.configuration import check_tags
from undercast.services.lambda_.errors import conflict
from undercast.services.lambda_.instance import Lambda, existing_function, existing_version, unqualified
from undercast.services.lambda_.names import parse_reference
from undercast.services.lambda_.paging import marker, page_size, position
from undercast.store.database import Tx

_MEMBERS = ("Description", "AllowedPublishers", "CodeSigningPolicies")


@operation("CreateCodeSigningConfig")
async def create_code_signing_config(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Keep a list of publishers; the policy is Warn unless it says Enforce."""
    tags = params.get("Tags") or {}
    check_tags(tags)
    config = CodeSigningConfig(
        scope=ctx.scope,
        id=f"csc-{ctx.ids.hex(17)}",
        configuration={
            "CodeSigningPolicies": {"UntrustedArtifactOnDeployment": "Warn"},
            **{member: params[member] for member in _MEMBERS if params.get(member)},
        },
        tags=tags,
        modified_at=ctx.clock.now(),
    )
    await functions.database.write(lambda tx: code_signing.put(tx, config))
    return Reply(output={"CodeSigningConfig": config.output()}, status=201)


@operation("GetCodeSigningConfig")
async def get_code_signing_config(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """One, by ARN."""
    arn = params["CodeSigningConfigArn"]
    return {"CodeSigningConfig": functions.database.read_now(lambda tx: code_signing.existing(tx, arn)).output()}


@operation("UpdateCodeSigningConfig")
async def update_code_signing_config(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Change what is given and leave the rest."""

    def update(tx: Tx) -> CodeSigningConfig:
        current = code_signing.existing(tx, params["CodeSigningConfigArn"])
        given = {member: params[member] for member in _MEMBERS if member in params}
        changed = replace(current, configuration={**current.configuration, **given}, modified_at=ctx.clock.now())
        code_signing.put(tx, changed)
        return changed

    return {"CodeSigningConfig": (await functions.database.write(update)).output()}


@operation("DeleteCodeSigningConfig")
async def delete_code_signing_config(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Only one that no function has."""

    def delete(tx: Tx) -> None:
        config = code_signing.existing(tx, params["CodeSigningConfigArn"])
        if code_signing.users(tx, config.arn):
            raise conflict("You cannot delete a code signing configuration that is in use by a function.")
        code_signing.delete(tx, config)

    await functions.database.write(delete)
    return Reply(output={}, status=204)


@operation("ListCodeSigningConfigs")
async def list_code_signing_configs(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Those of the account and region."""
    limit, after = page_size(params), position(params)
    found = functions.database.read_now(lambda tx: code_signing.configs(tx, ctx.scope, after, limit + 1))
    listed = [config.output() for config in found[:limit]]
    return {"CodeSigningConfigs": listed, **marker(found, limit, lambda config: config.id)}


@operation("PutFunctionCodeSigningConfig")
async def put_function_code_signing_config(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Give one to a function."""
    reference = unqualified(parse_reference(ctx.scope, params["FunctionName"]))
    arn = params["CodeSigningConfigArn"]

    def put(tx: Tx) -> None:
        existing_function(tx, reference)
        code_signing.check_signable(existing_version(tx, reference).image is not None)
        code_signing.assign(tx, reference.scope, reference.name, code_signing.usable(tx, reference.scope, arn).arn)

    await functions.database.write(put)
    return {"CodeSigningConfigArn": arn, "FunctionName": reference.name}


@operation("GetFunctionCodeSigningConfig")
async def get_function_code_signing_config(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What a function has; only its name when it has none."""
    reference = parse_reference(ctx.scope, params["FunctionName"])

    def find(tx: Tx) -> str:
        existing_function(tx, reference)
        return code_signing.assigned(tx, reference.scope, reference.name)

    arn = functions.database.read_now(find)
    return {"FunctionName": reference.name, **({"CodeSigningConfigArn": arn} if arn else {})}


@operation("DeleteFunctionCodeSigningConfig")
async def delete_function_code_signing_config(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Take it away from a function."""
    reference = unqualified(parse_reference(ctx.scope, params["FunctionName"]))

    def delete(tx: Tx) -> None:
        existing_function(tx, reference)
        code_signing.assign(tx, reference.scope, reference.name, "")

    await functions.database.write(delete)
    return Reply(output={}, status=204)


@operation("ListFunctionsByCodeSigningConfig")
async def list_functions_by_code_signing_config(
    functions: Lambda, ctx: RequestContext, params: Params
) -> dict[str, Any]:
    """The functions that have one."""
    limit, after = page_size(params), position(params)

    def find(tx: Tx) -> list[str]:
        config = code_signing.existing(tx, params["CodeSigningConfigArn"])
        return [arn for arn in code_signing.users(tx, config.arn) if arn > after]

    found = functions.database.read_now(find)
    return {"FunctionArns": found[:limit], **marker(found, limit, lambda arn: arn)}
