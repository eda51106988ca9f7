"""The resource policy of a function, version or alias.

AWS: Lambda API Reference, AddPermission, GetPolicy, RemovePermission.
"""

import json
from collections.abc import Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, Reply, operation
from undercast.services.lambda_ import store
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
from undercast.services.lambda_.permissions import MAX_POLICY_BYTES, policy_document, statement
from undercast.store.database import Tx


@operation("AddPermission")
async def add_permission(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Add one statement."""
    reference = parse_reference(ctx.scope, params["FunctionName"], params.get("Qualifier"))
    if reference.qualifier == LATEST:
        raise invalid("We currently do not support adding policies for $LATEST.")
    added = statement(params, reference.arn)

    def add(tx: Tx) -> None:
        found = current_policy(tx, reference, params)
        document = found[0] if found is not None else policy_document(())
        statements = document["Statement"]
        if any(one.get("Sid") == added["Sid"] for one in statements):
            raise conflict(
                f"The statement id ({added['Sid']}) provided already exists. "
                "Please provide a new statement id, or remove the existing statement."
            )
        changed = {**document, "Statement": [*statements, added]}
        size = len(policy_text(changed))
        if size > MAX_POLICY_BYTES:
            raise user_error(
                "PolicyLengthExceededException",
                f"The final policy size ({size}) is bigger than the limit ({MAX_POLICY_BYTES}).",
            )
        write_policy(functions, tx, reference, changed)

    await functions.database.write(add)
    return {"Statement": json.dumps(added, separators=(",", ":"))}


@operation("GetPolicy")
async def get_policy(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The policy as text, and its revision."""
    reference = parse_reference(ctx.scope, params["FunctionName"], params.get("Qualifier"))
    found = functions.database.read_now(lambda tx: current_policy(tx, reference, {}))
    if found is None:
        raise policy_not_found()
    return {"Policy": policy_text(found[0]), "RevisionId": found[1]}


@operation("RemovePermission")
async def remove_permission(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Remove the statement with this id."""
    reference = parse_reference(ctx.scope, params["FunctionName"], params.get("Qualifier"))

    def remove(tx: Tx) -> None:
        found = current_policy(tx, reference, params)
        if found is None:
            raise not_found("No policy is associated with the given resource.")
        left = [one for one in found[0]["Statement"] if one.get("Sid") != params["StatementId"]]
        if len(left) == len(found[0]["Statement"]):
            raise not_found(f"Statement {params['StatementId']} is not found in resource policy.")
        write_policy(functions, tx, reference, {**found[0], "Statement": left})

    await functions.database.write(remove)
    return Reply(output={}, status=204)


def current_policy(tx: Tx, reference: Reference, params: Params) -> tuple[dict[str, Any], str] | None:
    """(document, revision id). Raises ResourceNotFoundException, or PreconditionFailedException by RevisionId."""
    existing_qualifier(tx, reference)
    found = store.policy(tx, reference.scope, reference.name, _row(reference))
    if params.get("RevisionId") not in (None, found[1] if found else None):
        raise stale_revision("GetPolicy")
    return found


def write_policy(functions: Lambda, tx: Tx, reference: Reference, document: Mapping[str, Any] | None) -> str:
    """Write or remove it; its new revision id."""
    key, revision_id = store.key_of(reference.scope, reference.name), functions.ids.uuid()
    store.put_policy(tx, key, _row(reference), document, revision_id)
    functions.changed(tx)
    return revision_id


def _row(reference: Reference) -> str:
    return "" if reference.qualifier in (None, LATEST) else str(reference.qualifier)


def policy_text(document: Mapping[str, Any]) -> str:
    """As GetPolicy gives it."""
    return json.dumps(document, separators=(",", ":"))
