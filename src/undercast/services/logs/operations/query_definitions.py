"""Saved queries.

AWS: CloudWatch Logs API Reference, PutQueryDefinition, DescribeQueryDefinitions, DeleteQueryDefinition.
"""

from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, refused_member
from undercast.core.service import Params, operation
from undercast.services.logs import filter_store
from undercast.services.logs.filter_store import QueryDefinition
from undercast.services.logs.instance import Logs
from undercast.services.logs.operations.pages import page_of
from undercast.store.database import Tx

MAX_DEFINITIONS = 1000
PAGE_ITEMS = 1000


@operation("PutQueryDefinition")
async def put_query_definition(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Make one, or change the one of this id. A repeated clientToken gives the first one's id."""
    language = params.get("queryLanguage", "CWLI")
    if language != "CWLI":
        raise refused_member("PutQueryDefinition", f"queryLanguage={language}", "only CWLI is here")
    given, token = params.get("queryDefinitionId"), params.get("clientToken", "")
    new_id = ctx.ids.uuid()

    def put(tx: Tx) -> str:
        there = filter_store.query_definitions(tx, ctx.scope)
        if given is not None and all(one.id != given for one in there):
            raise ServiceError("ResourceNotFoundException", "The specified query definition does not exist.")
        repeated = next((one.id for one in there if given is None and token and one.client_token == token), None)
        if repeated is not None:
            return repeated
        if given is None and len(there) >= MAX_DEFINITIONS:
            raise ServiceError("LimitExceededException", "Resource limit exceeded.")
        definition = QueryDefinition(
            scope=ctx.scope,
            id=given or new_id,
            name=params["name"],
            text=params["queryString"],
            groups=tuple(params.get("logGroupNames") or ()),
            modified_ms=logs.now_ms(),
            client_token=token,
        )
        filter_store.put_query_definition(tx, definition)
        return definition.id

    return {"queryDefinitionId": await logs.database.write(put)}


@operation("DescribeQueryDefinitions")
async def describe_query_definitions(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """By name, those with a prefix where one is given."""
    prefix, language = params.get("queryDefinitionNamePrefix", ""), params.get("queryLanguage", "CWLI")
    there = await logs.database.read(lambda tx: filter_store.query_definitions(tx, ctx.scope))
    found = sorted((f"{one.name}\n{one.id}", one.output()) for one in there if one.name.startswith(prefix))
    page, token = page_of(found if language == "CWLI" else [], params, params.get("maxResults") or PAGE_ITEMS)
    return {"queryDefinitions": page, **token}


@operation("DeleteQueryDefinition")
async def delete_query_definition(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Forget it."""
    deleted = await logs.database.write(
        lambda tx: filter_store.delete_query_definition(tx, ctx.scope, params["queryDefinitionId"])
    )
    if not deleted:
        raise ServiceError("ResourceNotFoundException", "The specified query definition does not exist.")
    return {"success": True}
