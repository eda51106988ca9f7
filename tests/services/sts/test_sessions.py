"""What outlives a restart, and what expires: STS on a real database, without a platform."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeClock
from tests.unit.auth.requests import context
from tests.unit.policy.callers import ROOT
from undercast.core.access_keys import TEMPORARY, account_of_key
from undercast.core.context import Cause, RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import service_principal
from undercast.policy.document import Policy
from undercast.services.sts.access import access
from undercast.services.sts.operations import assume_role
from undercast.services.sts.schema import SCHEMA
from undercast.services.sts.sts import Sts
from undercast.store.database import Database
from undercast.store.migrations import migrate

ROLE = "arn:aws:iam::111111111111:role/worker"
NARROW = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}'


def opened(tmp_path: Path, clock: FakeClock, **options: Any) -> tuple[Sts, Database]:
    """STS on the file of the test."""
    database = Database.open(tmp_path / "state.db")
    migrate(database, "sts", SCHEMA)
    return Sts(database, clock.host, options.get("mode", "enforce")), database


def caller(principal: Any, environment_id: str | None = None) -> RequestContext:
    """A context in which IAM knows no role."""

    async def unknown_role(*_: Any, **__: Any) -> dict[str, Any]:
        raise ServiceError("NoSuchEntity", "The role with name worker cannot be found.", 404)

    cause = Cause(kind="init", id="e", environment_id=environment_id)
    return replace(context(principal), caller=unknown_role, cause=cause)


async def assumed(sts: Sts, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer of AssumeRole."""
    answer = await assume_role(sts, ctx, params)
    assert isinstance(answer, Mapping)
    return answer


async def test_a_session_survives_a_restart(tmp_path: Path) -> None:
    """Running environments stay who they are: principal, policies, tags, token, environment and expiry."""
    clock = FakeClock()
    sts, database = opened(tmp_path, clock)
    ctx = caller(service_principal("lambda.amazonaws.com", ROOT.account_id), "environment-1")
    params = {"RoleArn": ROLE, "RoleSessionName": "f", "Policy": NARROW, "Tags": [{"Key": "a", "Value": "1"}]}
    answer = await assumed(sts, ctx, params)
    key = answer["Credentials"]["AccessKeyId"]
    before = sts.session(key)
    await database.close()
    again, database = opened(tmp_path, clock)
    await again.clean()
    after = again.session(key)
    assert before is not None
    assert after is not None
    assert after.principal.session_policies == before.principal.session_policies
    assert isinstance(after.principal.session_policies[0], Policy)
    assert replace(after, principal=before.principal) == before
    assert (after.environment_id, after.principal.known, after.principal.session_tags) == (
        "environment-1",
        False,
        {"a": "1"},
    )
    await database.close()


async def test_an_expired_session_is_remembered_without_its_secrets(tmp_path: Path) -> None:
    """So that it is refused, and never taken for a foreign key."""
    clock = FakeClock()
    sts, database = opened(tmp_path, clock)
    answer = await assumed(sts, caller(ROOT), {"RoleArn": ROLE, "RoleSessionName": "one", "DurationSeconds": 900})
    clock.tick(901)
    await sts.clean()
    sts.forget()
    session = sts.session(answer["Credentials"]["AccessKeyId"])
    assert session is not None
    assert (session.secret_access_key, session.session_token) == ("", "")
    assert session.expires_at is not None
    assert session.expires_at < clock.host.now()
    await database.close()


async def test_expiry_follows_the_host_clock(tmp_path: Path) -> None:
    """I5: moving the platform clock by hours ends no session."""
    clock = FakeClock()
    sts, database = opened(tmp_path, clock)
    ctx = replace(caller(ROOT), clock=clock, host_clock=clock.host)
    clock.advance(6 * 3600)
    answer = await assumed(sts, ctx, {"RoleArn": ROLE, "RoleSessionName": "one"})
    assert answer["Credentials"]["Expiration"].timestamp() == clock.host.now() + 3600
    await database.close()


async def test_keys_that_were_never_issued_are_unknown(tmp_path: Path) -> None:
    """They are for the other sources of credentials."""
    sts, database = opened(tmp_path, FakeClock())
    assert sts.session("ASIAIOSFODNN7EXAMPLE") is None
    assert sts.session("AKIAIOSFODNN7EXAMPLE") is None
    await database.close()


async def test_a_key_id_carries_its_account(tmp_path: Path) -> None:
    """As AWS's key ids do."""
    sts, database = opened(tmp_path, FakeClock())
    answer = await assumed(sts, caller(ROOT), {"RoleArn": ROLE, "RoleSessionName": "one"})
    key = answer["Credentials"]["AccessKeyId"]
    assert (key[:4], len(key), account_of_key(key)) == (TEMPORARY, 20, "111111111111")
    assert account_of_key("not a key") is None
    await database.close()


@pytest.mark.parametrize(("mode", "needed"), [("enforce", 0), ("off", 0), ("strict", 1)])
async def test_strict_lets_nobody_assume_an_unknown_role(tmp_path: Path, mode: str, needed: int) -> None:
    """Under --iam strict the role must exist, for Lambda as well."""
    sts, database = opened(tmp_path, FakeClock(), mode=mode)
    params = {"RoleArn": ROLE, "RoleSessionName": "one"}
    ctx = caller(service_principal("lambda.amazonaws.com", ROOT.account_id))
    accesses = await access(sts, ctx, "AssumeRole", params)
    assert len(accesses) == needed
    assert all(one.needs_resource_policy and one.resource_policy for one in accesses)
    await database.close()


async def test_a_day_after_its_end_a_session_is_gone(tmp_path: Path) -> None:
    """The table does not grow for ever; the host clock counts."""
    clock = FakeClock()
    sts, database = opened(tmp_path, clock)
    await assumed(sts, caller(ROOT), {"RoleArn": ROLE, "RoleSessionName": "one", "DurationSeconds": 900})
    clock.tick(900 + 86_000)
    await sts.clean()
    assert _rows(database) == 1
    clock.tick(1000)
    await sts.clean()
    assert _rows(database) == 0
    await database.close()


async def test_session_that_is_ended_is_refused(tmp_path: Path) -> None:
    """An environment's credentials end with it; its key is never taken for a foreign one."""
    clock = FakeClock()
    sts, database = opened(tmp_path, clock)
    answer = await assumed(sts, caller(ROOT), {"RoleArn": ROLE, "RoleSessionName": "one"})
    key = answer["Credentials"]["AccessKeyId"]
    assert sts.session(key) is not None
    await sts.end(key)
    session = sts.session(key)
    assert session is not None
    assert (session.secret_access_key, session.expires_at) == ("", clock.host.now())
    await database.close()


async def test_sessions_are_cleaned_at_the_start_and_the_task_ends_with_the_platform(tmp_path: Path) -> None:
    """What `stop` leaves behind would write to a closed store."""
    clock = FakeClock()
    sts, database = opened(tmp_path, clock)
    await assumed(sts, caller(ROOT), {"RoleArn": ROLE, "RoleSessionName": "one", "DurationSeconds": 900})
    clock.tick(10 * 86_400)
    await sts.start()
    assert _rows(database) == 0
    await sts.stop()
    assert len(asyncio.all_tasks()) == 1
    await database.close()


def _rows(database: Database) -> int:
    return len(database.read_now(lambda tx: tx.all("SELECT access_key_id FROM sts_session")))
