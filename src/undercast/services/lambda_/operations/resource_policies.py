"""The resource policy of a function, version or alias as one document, past AddPermission's statements.

AWS: Lambda API Reference, PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy.
"""

import json
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, Reply, operation
from undercast.policy.document import parse_policy
from undercast.services.lambda_.errors import invalid, not_found, policy_not_found
from undercast.services.lambda_.instance import Lambda
from undercast.services.lambda_.names import LATEST, Reference, parse_function_arn
from undercast.services.lambda_.operations.policies import current_policy, policy_text, write_policy
from undercast.store.database import Tx


@operation("PutResourcePolicy")
async def put_resource_policy(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Replace the whole policy, statements of AddPermission included."""
    reference = _reference(ctx, params["ResourceArn"])
    document = _parsed(params["Policy"], reference)

    def put(tx: Tx) -> str:
        current_policy(tx, reference, params)
        return write_policy(functions, tx, reference, document)

    revision_id = await functions.database.write(put)
    return {"Policy": policy_text(document), "RevisionId": revision_id}


@operation("GetResourcePolicy")
async def get_resource_policy(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The policy as text, and its revision."""
    reference = _reference(ctx, params["ResourceArn"])
    found = functions.database.read_now(lambda tx: current_policy(tx, reference, {}))
    if found is None:
        raise policy_not_found()
    return {"Policy": policy_text(found[0]), "RevisionId": found[1]}


@operation("DeleteResourcePolicy")
async def delete_resource_policy(functions: Lambda, ctx: RequestContext, params: Params) -> Reply:
    """Remove the whole policy."""
    reference = _reference(ctx, params["ResourceArn"])

    def delete(tx: Tx) -> None:
        if current_policy(tx, reference, params) is None:
            raise policy_not_found()
        write_policy(functions, tx, reference, None)

    await functions.database.write(delete)
    return Reply(output={}, status=204)


def _reference(ctx: RequestContext, arn: str) -> Reference:
    reference = parse_function_arn(arn)
    if reference is None or reference.scope.region != ctx.region:
        raise not_found(f"The resource {arn} does not exist.")
    if reference.qualifier == LATEST:
        raise invalid("We currently do not support adding policies for $LATEST.")
    return reference


def _parsed(text: str, reference: Reference) -> dict[str, Any]:
    """The document, with statements that are about this resource alone. The texts are ours."""
    try:
        parse_policy(text, "resource")
    except ServiceError as error:
        raise invalid(f"The policy is invalid: {error.message}") from error
    document: dict[str, Any] = json.loads(text)
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    for statement in statements:
        resources = statement.get("Resource")
        if (resources if isinstance(resources, list) else [resources]) != [reference.arn]:
            raise invalid(f"Each statement of the policy must have the Resource {reference.arn}.")
    return {**document, "Statement": statements}
