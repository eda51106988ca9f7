"""Lists of roles, users and groups: the same operation three times.

AWS: IAM API Reference, "ListRoles", "ListUsers", "ListGroups": under a path, in pages.
"""

from collections.abc import Callable, Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import OperationFunction, operation
from undercast.services.iam import entities, shapes
from undercast.services.iam.entities import Entity
from undercast.services.iam.iam import Iam
from undercast.services.iam.kinds import GROUP, ROLE, USER, Kind
from undercast.services.iam.pages import page

Params = Mapping[str, Any]


def _list(kind: Kind, shape: Callable[[Entity], Params]) -> OperationFunction:
    async def in_order_of_names(iam: Iam, ctx: RequestContext, params: Params) -> Params:
        prefix = params.get("PathPrefix", "/")
        found = await iam.read(lambda tx: entities.every(tx, ctx.account_id, kind, prefix))
        shown, rest = page(found, lambda entity: entity.name, params)
        return {f"{kind.label}s": [shape(entity) for entity in shown], **rest}

    return in_order_of_names


list_roles = operation("ListRoles")(_list(ROLE, shapes.role))
list_users = operation("ListUsers")(_list(USER, shapes.entity))
list_groups = operation("ListGroups")(_list(GROUP, shapes.entity))
