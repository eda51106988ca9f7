"""RevisionId: a change that was decided on an older state is refused."""

from typing import Any

import pytest

from tests.unit.lambda_.conftest import OTHER_CODE, World
from undercast.core.errors import ServiceError

_READS: dict[str, tuple[str, dict[str, str]]] = {
    "UpdateAlias": ("GetAlias", {"Name": "live"}),
    "AddPermission": ("GetPolicy", {}),
    "RemovePermission": ("GetPolicy", {}),
}


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("UpdateFunctionConfiguration", {"Timeout": 9}),
        ("UpdateFunctionCode", {"ZipFile": OTHER_CODE}),
        ("PublishVersion", {}),
        ("UpdateAlias", {"Name": "live", "Description": "x"}),
        ("AddPermission", {"StatementId": "t", "Action": "lambda:InvokeFunction", "Principal": "sns.amazonaws.com"}),
        ("RemovePermission", {"StatementId": "s"}),
    ],
)
async def test_stale_revision_is_a_failed_precondition(world: World, operation: str, params: dict[str, Any]) -> None:
    """PreconditionFailedException, 412: "The RevisionId provided does not match the latest RevisionId"."""
    await world.create(Publish=True)
    await world.call("CreateAlias", FunctionName="f", Name="live", FunctionVersion="1")
    permission = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
    await world.call("AddPermission", FunctionName="f", **permission)
    read = _READS.get(operation, ("GetFunctionConfiguration", {}))
    revision = (await world.call(read[0], FunctionName="f", **read[1]))["RevisionId"]
    with pytest.raises(ServiceError) as caught:
        await world.call(operation, FunctionName="f", RevisionId="00000000-0000-4000-8000-00000000ffff", **params)
    assert (caught.value.code, caught.value.status) == ("PreconditionFailedException", 412)
    assert (await world.call(read[0], FunctionName="f", **read[1]))["RevisionId"] == revision
    await world.call(operation, FunctionName="f", RevisionId=revision, **params)
