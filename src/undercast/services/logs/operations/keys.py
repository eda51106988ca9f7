"""Keys of log groups.

AWS: CloudWatch Logs API Reference, AssociateKmsKey, DisassociateKmsKey; User Guide, "Encrypt log data in CloudWatch
Logs using AWS Key Management Service".
"""

from dataclasses import replace

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, refused_member
from undercast.core.identity import root_principal, service_principal
from undercast.core.service import Params, operation
from undercast.services.customer_keys import CustomerKey
from undercast.services.logs import store
from undercast.services.logs.errors import invalid
from undercast.services.logs.instance import Logs, existing_group
from undercast.services.logs.models import group_arn, group_of_arn
from undercast.store.database import Tx


@operation("AssociateKmsKey")
async def associate_kms_key(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """A group has one key: this one from now on."""
    name, key = _group(ctx, params), params["kmsKeyId"]
    await check_key(ctx, name, key)
    await _set(logs, ctx, name, key)


@operation("DisassociateKmsKey")
async def disassociate_kms_key(logs: Logs, ctx: RequestContext, params: Params) -> None:
    """A group has no key any more."""
    await _set(logs, ctx, _group(ctx, params), "")


async def check_key(ctx: RequestContext, group: str, key_arn: str) -> None:
    """Raises InvalidParameterException for what is no ARN of a symmetric key that is enabled, or one that its policy
    does not let CloudWatch Logs use for this group."""
    arn = group_arn(ctx.scope, group)
    text = f"The specified KMS key does not exist or is not allowed to be used with LogGroup '{arn}'"
    if not key_arn.startswith("arn:") or ":kms:" not in key_arn:
        raise invalid(text)
    try:
        described = await ctx.call("kms", "DescribeKey", {"KeyId": key_arn}, principal=root_principal(ctx.account_id))
    except ServiceError as error:
        raise invalid(text) from error
    key = described["KeyMetadata"]
    if key["KeyState"] != "Enabled" or key["KeySpec"] != "SYMMETRIC_DEFAULT":
        raise invalid(text)
    wanted = CustomerKey(id=key_arn, scope=ctx.scope, context={"aws:logs:arn": arn}, codes={})
    for host in (f"logs.{ctx.region}.amazonaws.com", "logs.amazonaws.com"):
        service = replace(ctx, principal=service_principal(host, ctx.account_id, arn))
        try:
            await wanted.check_write(service)
            await wanted.check_read(service)
        except ServiceError:
            continue
        return
    raise invalid(text)


async def _set(logs: Logs, ctx: RequestContext, name: str, key: str) -> None:
    def write(tx: Tx) -> None:
        store.set_key(tx, existing_group(tx, ctx.scope, name), key)

    await logs.journal.write(write)


def _group(ctx: RequestContext, params: Params) -> str:
    name, identifier = params.get("logGroupName"), params.get("resourceIdentifier")
    if (name is None) == (identifier is None):
        raise invalid("Exactly one of logGroupName and resourceIdentifier is required.")
    if name is not None:
        return str(name)
    if ":query-result:" in str(identifier):
        raise refused_member(ctx.operation, "resourceIdentifier", "results of queries are in memory, never encrypted")
    return group_of_arn(ctx.scope, str(identifier))
