"""Groups by pattern and by tags.

AWS: CloudWatch Logs API Reference, ListLogGroups, TagFilter.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.logs import store
from undercast.services.logs.classes import alike
from undercast.services.logs.instance import Logs
from undercast.services.logs.models import Group
from undercast.services.logs.operations.pages import page_of
from undercast.store.database import Tx


@operation("ListLogGroups")
async def list_log_groups(logs: Logs, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Name, ARN and class of those that pass every filter."""

    def read(tx: Tx) -> list[Group]:
        return [group for group in store.groups(tx, ctx.scope, "") if _is_wanted(group, params)]

    found = await logs.journal.read(read)
    page, token = page_of([(group.name, _summary(group)) for group in found], params)
    return {"logGroups": page, **token}


def _is_wanted(group: Group, params: Params) -> bool:
    pattern, wanted_class = params.get("logGroupNamePattern"), params.get("logGroupClass")
    return (
        (not pattern or any(_fits(group.name, one) for one in pattern.split("|")))
        and (not wanted_class or group.group_class in alike(wanted_class))
        and all(_is_tagged(group.tags, one) for one in params.get("logGroupTags") or ())
    )


def _fits(name: str, pattern: str) -> bool:
    """A text in the name, or behind ^ its beginning; the model lets nothing else of a regular expression in."""
    return name.startswith(pattern[1:]) if pattern.startswith("^") else pattern in name


def _is_tagged(tags: Mapping[str, str], wanted: Mapping[str, Any]) -> bool:
    if wanted["key"] not in tags:
        return False
    values: Sequence[str] = wanted.get("values") or ()
    return not values or any(_has(tags[wanted["key"]], one) for one in values)


def _has(value: str, wanted: str) -> bool:
    """AWS: ! negates; * at an end stands for any text (the model has it nowhere else), and then case does not count."""
    if wanted.startswith("!"):
        return not _has(value, wanted[1:])
    text, value_text = wanted.strip("*").lower(), value.lower()
    if wanted.startswith("*"):
        return text in value_text if wanted.endswith("*") else value_text.endswith(text)
    return value_text.startswith(text) if wanted.endswith("*") else value == wanted


def _summary(group: Group) -> dict[str, Any]:
    return {"logGroupName": group.name, "logGroupArn": group.arn, "logGroupClass": group.group_class}
