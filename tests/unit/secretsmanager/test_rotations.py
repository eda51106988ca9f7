"""The schedule of rotations over a real file, with a fake clock and nobody behind the calls.

AWS: Secrets Manager User Guide, "Schedule expressions in Secrets Manager rotation".
"""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from tests.fakes import START, CountingIds, FakeClock
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.context import RequestContext
from undercast.core.identity import Principal
from undercast.services.secretsmanager import store
from undercast.services.secretsmanager.models import secret_of
from undercast.services.secretsmanager.rotation import STEPS, Rotations, next_rotation
from undercast.services.secretsmanager.schema import SCHEMA
from undercast.store.database import Database, Tx
from undercast.store.migrations import migrate

SCOPE = Scope(AccountId("000000000000"), Region("us-east-1"))
FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:rotate"


class Outside:
    """What a rotation sees of a context: it notes which steps the function was asked for."""

    def __init__(self) -> None:
        self.ids = CountingIds()
        self.steps: list[str] = []

    def internal(self, scope: Scope, principal: Principal, cause: Any = None) -> RequestContext:
        """See `services.parts.Internal`."""
        return cast(RequestContext, self)

    async def permits(self, *_: Any) -> bool:
        """See `core.context.Permits`."""
        return True

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """See `RequestContext.call`."""
        self.steps.append(json.loads(params["Payload"])["Step"])
        return {}


@pytest.mark.parametrize(
    ("rules", "due"),
    [
        ({"AutomaticallyAfterDays": 2}, "2026-03-03T10:30:00"),
        ({"ScheduleExpression": "rate(12 hours)"}, "2026-03-01T22:30:00"),
        ({"ScheduleExpression": "cron(0 8 1 * ? *)"}, "2026-04-01T08:00:00"),
        ({"ScheduleExpression": "cron(0 4/6 ? * SUN *)"}, "2026-03-01T16:00:00"),
        ({"ScheduleExpression": "cron(0 0 L * ? *)"}, "2026-03-31T00:00:00"),
    ],
)
def test_the_next_rotation(rules: Mapping[str, Any], due: str) -> None:
    """User Guide, "Schedule expressions in Secrets Manager rotation": times of a cron() are UTC."""
    now = datetime(2026, 3, 1, 10, 30, tzinfo=UTC).timestamp()
    assert next_rotation(rules, now) == datetime.fromisoformat(due).replace(tzinfo=UTC).timestamp()


async def test_a_write_that_fails_once_does_not_end_a_secrets_rotation(tmp_path: Path) -> None:
    """A full disk for a moment: the next round rotates the secret that this one could not."""
    database, clock, outside = Database.open(tmp_path / "s.db"), FakeClock(), Outside()
    migrate(database, "secretsmanager", SCHEMA)
    await database.write(_due)
    await database.write(lambda tx: tx.execute(
        "CREATE TRIGGER full BEFORE UPDATE ON secretsmanager_secret BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    ))  # fmt: skip
    rotations = Rotations(database, clock, outside.internal)
    rotations.start()
    for _ in range(100):
        await asyncio.sleep(0)
    assert outside.steps == []
    await database.write(lambda tx: tx.execute("DROP TRIGGER full"))
    async with asyncio.timeout(60):
        while len(outside.steps) < len(STEPS):
            clock.advance(61)
            await asyncio.sleep(0.01)
    assert outside.steps == list(STEPS)
    await rotations.stop()
    await database.close()


def _due(tx: Tx) -> None:
    row = dict.fromkeys(("description", "kms_key_id", "policy", "rotating", "testing", "primary_region"), "")
    row |= {"account_id": SCOPE.account_id, "region": SCOPE.region, "name": "s", "suffix": "abcdef", "tags": "{}"}
    times: dict[str, Any] = {"created_at": START, "changed_at": START, "rotates_at": START - 1}
    empty = dict.fromkeys(("accessed_at", "deleted_at", "ends_at", "rotated_at"))
    rules = json.dumps({"AutomaticallyAfterDays": 1})
    whole = {**row, **times, **empty, "rotation_lambda": FUNCTION, "rotation_rules": rules}
    secret = secret_of(cast(Any, whole))
    store.add(tx, secret)
    store.change(tx, secret, rotates_at=START - 1)
