"""Filters, order and pages of the lists.

AWS: Secrets Manager API Reference, ListSecrets; User Guide, "Find secrets in AWS Secrets Manager".
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.page_tokens import name_of, token_of
from undercast.core.service import Params
from undercast.services.secretsmanager import store
from undercast.services.secretsmanager.instance import SecretsManager
from undercast.services.secretsmanager.models import Secret
from undercast.store.database import Tx

T = TypeVar("T")
_WORDS = re.compile(r"[\s/_\-+=.@!]+")
_SORTS: Mapping[str, Callable[[Secret], Any]] = {
    "created-date": lambda secret: secret.created_at,
    "last-accessed-date": lambda secret: secret.accessed_at or 0.0,
    "last-changed-date": lambda secret: secret.changed_at,
    "name": lambda secret: secret.name,
}


async def listed(
    manager: SecretsManager, ctx: RequestContext, params: Params, *, default: int
) -> tuple[Sequence[Secret], dict[str, Any]]:
    """One page of the secrets that pass, and its NextToken."""
    deleted = params.get("IncludePlannedDeletion", False)
    conditions = params.get("Filters") or ()

    def read(tx: Tx) -> list[Secret]:
        found = [
            secret
            for secret in store.each(tx, ctx.scope)
            if (deleted or secret.deleted_at is None) and all(_passes(secret, one) for one in conditions)
        ]
        found.sort(key=_SORTS[params.get("SortBy", "created-date")], reverse=params.get("SortOrder", "desc") == "desc")
        return found

    found = await manager.database.read(read, long=True)
    return paged(found, params, default, lambda secret: secret.name)


def paged(
    found: Sequence[T], params: Params, default: int, name: Callable[[T], str]
) -> tuple[Sequence[T], dict[str, Any]]:
    """Raises InvalidNextTokenException."""
    start = 0
    if params.get("NextToken"):
        names = [name(one) for one in found]
        try:
            start = names.index(name_of(params["NextToken"])) + 1
        except ValueError:
            raise ServiceError("InvalidNextTokenException", "The NextToken is invalid.") from None
    limit = params.get("MaxResults", default)
    page = found[start : start + limit]
    if start + limit >= len(found):
        return page, {}
    return page, {"NextToken": token_of(name(page[-1]))}


def _passes(secret: Secret, given: Mapping[str, Any]) -> bool:
    """AWS: values of one filter are alternatives; "!" in front negates; names match by prefix, "all" by words."""
    values = given.get("Values") or ()
    wanted = [value for value in values if not value.startswith("!")]
    unwanted = [value[1:] for value in values if value.startswith("!")]
    texts = _texts(secret, given["Key"])
    if given["Key"] == "all":
        return any(_has_words(texts, value) for value in wanted) and not any(_has_words(texts, v) for v in unwanted)
    meets = any(text.startswith(value) for text in texts for value in wanted) if wanted else True
    return meets and not any(text.startswith(value) for text in texts for value in unwanted)


def _has_words(texts: Sequence[str], value: str) -> bool:
    words = [word.lower() for text in texts for word in _WORDS.split(text)]
    return all(any(word.startswith(part) for word in words) for part in _WORDS.split(value.lower()) if part)


def _texts(secret: Secret, key: str) -> Sequence[str]:
    by_key: Mapping[str, Sequence[str]] = {
        "name": (secret.name,),
        "description": (secret.description,),
        "tag-key": tuple(secret.tags),
        "tag-value": tuple(secret.tags.values()),
        "primary-region": (),  # no secret is replicated
        "owning-service": (),
    }
    if key == "all":
        return (secret.name, secret.description, *secret.tags, *secret.tags.values())
    return by_key[key]
