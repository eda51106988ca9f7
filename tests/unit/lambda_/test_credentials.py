"""The session that an execution environment gets."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.lambda_.conftest import ROLE, SCOPE, World
from undercast.core.arn import Scope
from undercast.core.context import EXTERNAL, Cause, RequestContext
from undercast.core.identity import Principal
from undercast.sandbox.model import EnvironmentCredentials, FunctionVersion
from undercast.services.lambda_.credentials import RoleCredentials

FUNCTION = FunctionVersion(
    arn="arn:aws:lambda:us-west-2:111122223333:function:f",
    name="f",
    version="$LATEST",
    revision="1",
    account_id=SCOPE.account_id,
    region=SCOPE.region,
    runtime="python3.12",
    handler="app.handler",
    code_dir=Path("/code"),
    role_arn=ROLE,
    log_group="/aws/lambda/f",
)


def issued(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """STS's answer."""
    return {
        "Credentials": {
            "AccessKeyId": "ASIA",
            "SecretAccessKey": "secret",
            "SessionToken": f"{params['RoleArn']} {params['RoleSessionName']}",
            "Expiration": datetime.fromtimestamp(1_700_043_200, UTC),
        }
    }


@pytest.mark.parametrize(("decision", "warnings"), [("allowed", 0), ("implicitDeny", 1)])
async def test_session_is_of_the_role_and_a_missing_log_permission_is_told_once(
    world: World, caplog: pytest.LogCaptureFixture, decision: str, warnings: int
) -> None:
    """RoleSessionName is the function's name; the cause is the environment; the log is written all the same."""
    causes: list[Cause] = []

    def internal(scope: Scope, principal: Principal, cause: Cause = EXTERNAL) -> RequestContext:
        causes.append(cause)
        assert (scope, principal.arn) == (SCOPE, "lambda.amazonaws.com")
        return world.context()

    world.services["sts:AssumeRole"] = issued
    world.services["iam:SimulatePrincipalPolicy"] = lambda _: {"EvaluationResults": [{"EvalDecision": decision}]}
    ended: list[str] = []

    async def end(access_key_id: str) -> None:
        ended.append(access_key_id)

    source = RoleCredentials(internal, end)
    for _ in range(2):
        assert await source.issue(FUNCTION, "env") == EnvironmentCredentials(
            access_key_id="ASIA",
            secret_access_key="secret",
            session_token=f"{ROLE} f",
            expires_at=1_700_043_200.0,
        )
    assert causes[0] == Cause(kind="init", id="env", environment_id="env")
    await asyncio.sleep(0.3)  # the look is behind the start
    assert len([record for record in caplog.records if "AWS would drop" in record.message]) == warnings
    for _ in range(2):
        await source.end("env")
    assert ended == ["ASIA"]


async def test_a_look_that_fails_is_told_and_one_that_is_not_over_ends_with_its_environment(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The look at the role's log permission is behind the start; nothing of it outlives `end`."""

    def broken(params: Mapping[str, Any]) -> Mapping[str, Any]:
        raise OSError("disk I/O error")

    async def end(access_key_id: str) -> None:
        """STS forgets it."""

    world.services["sts:AssumeRole"] = issued
    world.services["iam:SimulatePrincipalPolicy"] = broken
    source = RoleCredentials(lambda scope, principal, cause=EXTERNAL: world.context(), end)
    await source.issue(FUNCTION, "env")
    await asyncio.sleep(0.3)
    assert [record.message for record in caplog.records if "disk I/O error" in record.message] != []
    assert source._looks == {}
    await source.issue(replace(FUNCTION, log_group="/aws/lambda/g"), "other")
    (look,) = source._looks.values()
    await source.end("other")
    assert look.cancelled()
    assert source._looks == {}
