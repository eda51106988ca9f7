"""Published versions: numbered, immutable copies of $LATEST.

AWS: Lambda API Reference, PublishVersion, ListVersionsByFunction; Developer Guide, "Manage Lambda function versions".
"""

from dataclasses import replace
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import Params, operation
from undercast.services.lambda_ import snapstart, store
from undercast.services.lambda_.errors import invalid
from undercast.services.lambda_.hot_reload import check_publishable
from undercast.services.lambda_.instance import Lambda, existing_function, unqualified
from undercast.services.lambda_.models import PENDING, Version, output, summary
from undercast.services.lambda_.names import parse_reference
from undercast.services.lambda_.operations.functions import add_version, check_code_storage
from undercast.services.lambda_.operations.updates import changeable
from undercast.services.lambda_.paging import marker, page_size, position
from undercast.store.database import Tx


@operation("PublishVersion")
async def publish_version(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Copy $LATEST under the next number. When nothing changed since the last version, that one is returned."""
    reference = unqualified(parse_reference(ctx.scope, params["FunctionName"]))

    def publish(tx: Tx) -> Version:
        latest = changeable(tx, reference, params)
        check_publishable(latest)
        digest = latest.shown_digest
        if params.get("CodeSha256") not in (None, "", digest):
            raise invalid(
                f"CodeSHA256 ({params['CodeSha256']}) is different from current CodeSHA256 in $LATEST ({digest}). "
                "Please try again with the CodeSHA256 in $LATEST."
            )
        earlier = store.versions(tx, reference.scope, reference.name)[-1]
        if earlier.number and _same(earlier, latest):
            return earlier
        description = params.get("Description")
        published = replace(
            latest,
            number=store.next_number(tx, reference.scope, reference.name),
            configuration={**latest.configuration, **({"Description": description} if description else {})},
            revision_id=ctx.ids.uuid(),
            modified_at=ctx.clock.now(),
        )
        if snapstart.is_on(published.configuration, published.number):
            published = replace(published, state=PENDING, update_status="")
            tx.after_commit(lambda: functions.deployments.begin((published,)))
        functions.blobs.acquire_id(tx, published.code_sha256)
        add_version(functions, tx, published)
        check_code_storage(tx, published.scope)
        functions.changed(tx)
        return published

    version = await functions.database.write(publish)
    return output(version, version.version)


def _same(one: Version, other: Version) -> bool:
    ours = {**one.configuration, "Description": ""}
    theirs = {**other.configuration, "Description": ""}
    return (one.code_sha256, one.layers, ours) == (other.code_sha256, other.layers, theirs)


@operation("ListVersionsByFunction")
async def list_versions_by_function(functions: Lambda, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """$LATEST and the published versions, oldest first."""
    reference = parse_reference(ctx.scope, params["FunctionName"])
    limit = page_size(params)
    after = _after(params)

    def read(tx: Tx) -> list[Version]:
        existing_function(tx, reference)
        return store.versions(tx, reference.scope, reference.name, after, limit + 1)

    found = functions.database.read_now(read)
    page = found[:limit]
    listed = [summary(version, version.version) for version in page]
    return {"Versions": listed, **marker(found, limit, lambda version: str(version.number))}


def _after(params: Params) -> int:
    try:
        return int(position(params) or -1)
    except ValueError as error:
        raise invalid("Invalid Marker.") from error
