"""PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy: of tables, whose indexes they cover, and of streams.

AWS: DynamoDB API Reference, the operations of these names; Developer Guide, "Using resource-based policies for
DynamoDB".
"""

from typing import Any, NamedTuple

from undercast.core import json_values
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.policy.document import parse_policy
from undercast.policy.evaluate import AuthorizationRequest, evaluate
from undercast.services import table_streams
from undercast.services.dynamodb import tables
from undercast.services.dynamodb.errors import invalid, no_resource
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.models import named_by_arn
from undercast.store.database import Tx

MAX_BYTES = 20 * 1024
_NONE_YET = "NO_POLICY"


class Kept(NamedTuple):
    """A policy as it was put; both are "" where there is none."""

    text: str
    revision: str


@operation("PutResourcePolicy")
async def put_resource_policy(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Replace it. The same document keeps its revision."""
    arn, text, now = params["ResourceArn"], params["Policy"], dynamo.clock.now()
    checked_policy(text)
    if not params.get("ConfirmRemoveSelfResourceAccess") and _locks_out(ctx, arn, text):
        raise invalid(
            "The policy denies you to change the policy of this resource in the future. Set "
            "ConfirmRemoveSelfResourceAccess to confirm it."
        )

    def write(tx: Tx) -> str:
        kept = _kept(tx, arn)
        _check_revision(kept, params.get("ExpectedRevisionId"), arn)
        if kept.text == text:
            return kept.revision
        made = new_policy(text, kept.revision, now)
        _set(dynamo, tx, arn, Kept(text, made["RevisionId"]))
        return made["RevisionId"]

    return {"RevisionId": await dynamo.database.write(write)}


@operation("GetResourcePolicy")
async def get_resource_policy(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """As it was put."""
    arn = params["ResourceArn"]
    kept = await dynamo.database.read(lambda tx: _kept(tx, arn))
    if not kept.text:
        raise _no_policy(arn)
    return {"Policy": kept.text, "RevisionId": kept.revision}


@operation("DeleteResourcePolicy")
async def delete_resource_policy(dynamo: Dynamo, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Take it away, if there is one."""
    arn = params["ResourceArn"]

    def write(tx: Tx) -> str:
        kept = _kept(tx, arn)
        _check_revision(kept, params.get("ExpectedRevisionId"), arn)
        if kept.text:
            _set(dynamo, tx, arn, Kept("", ""))
        return kept.revision

    revision = await dynamo.database.write(write)
    return {"RevisionId": revision} if revision else {}


def checked_policy(text: str) -> None:
    """Raises ValidationException for what is no policy."""
    if len(text.encode()) > MAX_BYTES:
        raise invalid(f"Resource-based policy size cannot exceed {MAX_BYTES} bytes")
    try:
        parse_policy(json_values.parse(text), "resource")
    except ServiceError as error:
        raise invalid(f"Invalid policy document: {error.message}") from error
    except (ValueError, RecursionError):
        raise invalid("Invalid policy document: it is no JSON") from None


def new_policy(text: str, before: str, now: float) -> dict[str, str]:
    """The member ResourcePolicy of a table's definition; `before` is the revision that it follows."""
    return {"Policy": text, "RevisionId": str(max(int(now * 1000), int(before or 0) + 1))}


def _locks_out(ctx: RequestContext, arn: str, text: str) -> bool:
    request = AuthorizationRequest(
        principal=ctx.principal,
        action="dynamodb:PutResourcePolicy",
        resource=arn,
        resource_account_id=named_by_arn(arn).scope.account_id,
    )
    return evaluate(request, (), parse_policy(text)).explicit_deny


def _kept(tx: Tx, arn: str) -> Kept:
    """Raises ResourceNotFoundException, ValidationException."""
    if "/stream/" in arn:
        row = table_streams.find(tx, arn)
        if row is None or row["disabled_at"] is not None:
            raise no_resource()
        return Kept(row["policy"], row["policy_revision"])
    of = named_by_arn(arn)
    if arn != of.arn:
        raise invalid(f"Invalid ResourceArn: {arn} is neither a table nor a stream")
    found = tables.existing(tx, of).definition.get("ResourcePolicy") or {}
    return Kept(found.get("Policy", ""), found.get("RevisionId", ""))


def _set(dynamo: Dynamo, tx: Tx, arn: str, kept: Kept) -> None:
    if "/stream/" in arn:
        table_streams.set_policy(tx, arn, *kept)
        return
    of = named_by_arn(arn)
    table = tables.existing(tx, of)
    definition = {name: value for name, value in table.definition.items() if name != "ResourcePolicy"}
    if kept.text:
        definition["ResourcePolicy"] = {"Policy": kept.text, "RevisionId": kept.revision}
    tables.set_definition(tx, table, definition)
    dynamo.tables.changed(tx, of)


def _check_revision(kept: Kept, expected: str | None, arn: str) -> None:
    """Raises PolicyNotFoundException where the policy is another one than expected."""
    if expected is not None and expected != (kept.revision or _NONE_YET):
        raise _no_policy(arn)


def _no_policy(arn: str) -> ServiceError:
    return ServiceError(
        "PolicyNotFoundException", f"Resource-based policy not found for the provided ResourceArn: {arn}"
    )
