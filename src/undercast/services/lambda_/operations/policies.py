"""The resource policy of a function, version or alias.

AWS: Lambda API Reference, AddPermission, GetPolicy, RemovePermission.
"""

import json
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, Reply, operation
from undercast.services.lambda_ import store
from undercast.services.lambda_.catalog import document
from undercast.services.lambda_.errors import (
    conflict,
    invalid,
    not_found,
    policy_not_found,
    stale_revision,
    user_error,
)
from undercast.services.lambda_.instance import Lambda, existing_qualifier
from undercast.services.lambda_.names import LATEST, Reference, parse_reference
from undercast.services.lambda_.permissions import MAX_POLICY_BYTES, statement
from undercast.store.database import Tx


@operation("AddPermission")
async def add_permission(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Add one statement."""
    reference = parse_reference(ctx.scope, params["FunctionName"], params.get("Qualifier"))
    if reference.qualifier == LATEST:
        raise invalid("We currently do not support adding policies for $LATEST.")
    added = statement(params, reference.arn)

    def add(tx: Tx) -> None:
        statements, _ = _current(tx, reference, params) or ([], "")
        if any(one["Sid"] == added["Sid"] for one in statements):
            raise conflict(
                f"The statement id ({added['Sid']}) provided already exists. "
                "Please provide a new statement id, or remove the existing statement."
            )
        size = len(_text([*statements, added]))
        if size > MAX_POLICY_BYTES:
            raise user_error(
                "PolicyLengthExceededException",
                f"The final policy size ({size}) is bigger than the limit ({MAX_POLICY_BYTES}).",
            )
        _put(functions, tx, reference, [*statements, added])

    await functions.database.write(add)
    return {"Statement": json.dumps(added, separators=(",", ":"))}


@operation("GetPolicy")
async def get_policy(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The policy as text, and its revision."""
    reference = parse_reference(ctx.scope, params["FunctionName"], params.get("Qualifier"))
    found = functions.database.read_now(lambda tx: _current(tx, reference, {}))
    if found is None:
        raise policy_not_found()
    return {"Policy": _text(found[0]), "RevisionId": found[1]}


@operation("RemovePermission")
async def remove_permission(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Remove the statement with this id."""
    reference = parse_reference(ctx.scope, params["FunctionName"], params.get("Qualifier"))

    def remove(tx: Tx) -> None:
        found = _current(tx, reference, params)
        if found is None:
            raise not_found("No policy is associated with the given resource.")
        left = [one for one in found[0] if one["Sid"] != params["StatementId"]]
        if len(left) == len(found[0]):
            raise not_found(f"Statement {params['StatementId']} is not found in resource policy.")
        _put(functions, tx, reference, left)

    await functions.database.write(remove)
    return Reply(output={}, status=204)


def _current(tx: Tx, reference: Reference, params: Params) -> tuple[list[dict[str, Any]], str] | None:
    existing_qualifier(tx, reference)
    found = store.policy(tx, reference.scope, reference.name, _row(reference))
    if params.get("RevisionId") not in (None, found[1] if found else None):
        raise stale_revision("GetPolicy")
    return found


def _put(functions: Lambda, tx: Tx, reference: Reference, statements: list[dict[str, Any]]) -> None:
    key = store.key_of(reference.scope, reference.name)
    store.put_policy(tx, key, _row(reference), statements, functions.ids.uuid())
    functions.changed(tx)


def _row(reference: Reference) -> str:
    return "" if reference.qualifier in (None, LATEST) else str(reference.qualifier)


def _text(statements: list[dict[str, Any]]) -> str:
    return json.dumps(document(statements), separators=(",", ":"))
