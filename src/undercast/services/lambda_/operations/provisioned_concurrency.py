"""Provisioned concurrency of published versions and aliases.

AWS: Lambda API Reference, PutProvisionedConcurrencyConfig, GetProvisionedConcurrencyConfig,
ListProvisionedConcurrencyConfigs, DeleteProvisionedConcurrencyConfig.
"""

from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, Reply, operation
from undercast.services.lambda_ import snapstart, store
from undercast.services.lambda_.concurrency import ACCOUNT_LIMIT, MIN_UNRESERVED
from undercast.services.lambda_.errors import invalid, not_in_state, user_error
from undercast.services.lambda_.instance import Lambda, existing_function, existing_qualifier, existing_version
from undercast.services.lambda_.models import ACTIVE
from undercast.services.lambda_.names import LATEST, Reference, number_of, parse_reference
from undercast.services.lambda_.paging import marker, page_size, position
from undercast.services.lambda_.provisioned import Config, read, wanted
from undercast.store.database import Tx


@operation("PutProvisionedConcurrencyConfig")
async def put_provisioned_concurrency_config(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Ask for environments that are initialised ahead. They are made behind the answer."""
    reference = parse_reference(ctx.scope, params["FunctionName"], params["Qualifier"])
    config = Config(str(reference.qualifier), params["ProvisionedConcurrentExecutions"], ctx.clock.now())

    def put(tx: Tx) -> None:
        function = existing_function(tx, reference)
        _check_target(tx, reference)
        total = _total(tx, reference, config)
        if function.reserved_concurrency is not None:
            if total > function.reserved_concurrency:
                raise invalid(
                    "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution "
                    "for function"
                )
        elif ACCOUNT_LIMIT - store.claimed_elsewhere(tx, reference.scope, reference.name) - total < MIN_UNRESERVED:
            raise invalid(
                "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
                f"its minimum value of [{MIN_UNRESERVED}]."
            )
        store.put_provisioned(tx, store.key_of(reference.scope, reference.name), *config)
        functions.changed(tx)
        functions.provisioning.follow(tx, reference.scope, reference.name)

    await functions.database.write(put)
    output = {
        "RequestedProvisionedConcurrentExecutions": config.requested,
        "AllocatedProvisionedConcurrentExecutions": 0,
        "Status": "IN_PROGRESS",
        "LastModified": _output(functions, reference, config)["LastModified"],
    }
    return Reply(output=output, status=202)


@operation("GetProvisionedConcurrencyConfig")
async def get_provisioned_concurrency_config(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What was asked for and what there is."""
    reference = _published(parse_reference(ctx.scope, params["FunctionName"], params["Qualifier"]))

    def find(tx: Tx) -> Config:
        existing_qualifier(tx, reference)
        for config in read(tx, reference.scope, reference.name)[0]:
            if config.qualifier == reference.qualifier:
                return config
        text = "No Provisioned Concurrency Config found for this function"
        raise user_error("ProvisionedConcurrencyConfigNotFoundException", text, 404)

    return _output(functions, reference, functions.database.read_now(find))


@operation("ListProvisionedConcurrencyConfigs")
async def list_provisioned_concurrency_configs(
    functions: Lambda, ctx: RequestContext, params: Params
) -> dict[str, Any]:
    """All of a function, by qualifier."""
    reference = parse_reference(ctx.scope, params["FunctionName"])
    limit, after = page_size(params), position(params)

    def find(tx: Tx) -> list[Config]:
        existing_function(tx, reference)
        return [config for config in read(tx, reference.scope, reference.name)[0] if config.qualifier > after]

    found = functions.database.read_now(find)
    listed = []
    for config in found[:limit]:
        named = Reference(reference.scope, reference.name, config.qualifier)
        listed.append({"FunctionArn": named.arn, **_output(functions, named, config)})
    return {"ProvisionedConcurrencyConfigs": listed, **marker(found, limit, lambda config: config.qualifier)}


@operation("DeleteProvisionedConcurrencyConfig")
async def delete_provisioned_concurrency_config(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Give the environments up. No error when there is no configuration."""
    reference = _published(parse_reference(ctx.scope, params["FunctionName"], params["Qualifier"]))

    def delete(tx: Tx) -> None:
        existing_qualifier(tx, reference)
        store.delete_provisioned(tx, store.key_of(reference.scope, reference.name), str(reference.qualifier))
        functions.changed(tx)
        functions.provisioning.follow(tx, reference.scope, reference.name)

    await functions.database.write(delete)
    return Reply(output={}, status=204)


def _published(reference: Reference) -> Reference:
    if reference.qualifier in (None, LATEST):
        raise invalid("The function resource provided must be an alias or a published version.")
    return reference


def _check_target(tx: Tx, reference: Reference) -> None:
    """A published version that nothing else is provisioned for, or an alias of one, without routing."""
    version = existing_version(tx, reference)
    if not version.number:
        raise invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
    snapstart.refuse_provisioned(version.configuration, version.number)
    if version.state != ACTIVE:
        raise not_in_state(version.state)
    configs, aliases = read(tx, reference.scope, reference.name)
    others = {config.qualifier for config in configs} - {reference.qualifier}
    if number_of(str(reference.qualifier)) is not None:
        if any(aliases[name].version == version.version for name in others if name in aliases):
            raise invalid("Version is pointed to by a Provisioned Concurrency alias")
        return
    if aliases[str(reference.qualifier)].weights:
        raise invalid("Alias with weights can not be used with Provisioned Concurrency")
    provisioned = {aliases[name].version if name in aliases else name for name in others}
    if version.version in provisioned:
        raise invalid("Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version")


def _total(tx: Tx, reference: Reference, config: Config) -> int:
    """What the function has provisioned once this configuration is written."""
    configs, aliases = read(tx, reference.scope, reference.name)
    others = [other for other in configs if other.qualifier != config.qualifier]
    return sum(wanted([*others, config], aliases).values())


def _output(functions: Lambda, reference: Reference, config: Config) -> dict[str, Any]:
    aliases = functions.database.read_now(lambda tx: read(tx, reference.scope, reference.name)[1])
    return functions.provisioning.output(reference.scope, reference.name, config, aliases)
