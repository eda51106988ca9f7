"""The history of alarms is kept for 30 days, and what it costs to let the rest go.

AWS: CloudWatch API Reference, DescribeAlarmHistory; User Guide, "Using Amazon CloudWatch alarms".
"""

from tests.unit.cloudwatch.conftest import SCOPE, World
from undercast.services.cloudwatch import alarm_store
from undercast.services.cloudwatch.alarms import METRIC, HistoryItem
from undercast.store.database import Tx

OLD = 500


def item(at: float) -> HistoryItem:
    return HistoryItem(scope=SCOPE, name="a", kind=METRIC, at=at, type="Action", summary="s", data="{}")


async def test_what_is_too_old_goes_in_pieces(world: World) -> None:
    """One item was added, and all that had expired was deleted on the event loop, however much."""
    database, now = world.cloudwatch.database, world.clock.now() + alarm_store.HISTORY_S + 60

    def fill(tx: Tx) -> None:
        for at in range(OLD):
            alarm_store.note(tx, item(world.clock.now() + at / OLD))

    def left(tx: Tx) -> int:
        row = tx.one("SELECT COUNT(*) AS number FROM cloudwatch_alarm_history WHERE at < ?", (now,))
        return 0 if row is None else int(row["number"])

    await database.write(fill)
    before = await database.read(left)
    await database.write(lambda tx: alarm_store.note(tx, item(now)))
    assert before - 50 <= await database.read(left) < before
    since = now - alarm_store.HISTORY_S
    seen = await database.read(lambda tx: list(alarm_store.history(tx, SCOPE, since, newest_first=True)))
    assert [one.at for one in seen] == [now]
    for _ in range(OLD // 10):
        await database.write(lambda tx: alarm_store.note(tx, item(now)))
    assert await database.read(left) == 0
