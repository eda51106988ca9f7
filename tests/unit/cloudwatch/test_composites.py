"""What follows of a change in composite alarms: each is evaluated once, off the event loop.

AWS: CloudWatch API Reference, PutCompositeAlarm (cycles can be made; the evaluation stops at one).
"""

from tests.unit.cloudwatch.conftest import QUIET, SCOPE, World
from undercast.services.cloudwatch import alarm_store
from undercast.services.cloudwatch.alarms import HistoryItem

DIFFER = "(ALARM({0}) AND NOT ALARM({1})) OR (NOT ALARM({0}) AND ALARM({1}))"


async def set_state(world: World, name: str, value: str) -> list[str]:
    """SQL statements that touch alarms and run for it, in the store thread; none may run on the loop."""
    seen: list[str] = []
    looped: list[str] = []
    database = world.cloudwatch.database
    database._threaded.set_trace_callback(seen.append)
    database._inline.set_trace_callback(looped.append)
    await world.call("SetAlarmState", AlarmName=name, StateValue=value, StateReason="r")
    database._threaded.set_trace_callback(None)
    database._inline.set_trace_callback(None)
    assert [one for one in looped if "cloudwatch_alarm" in one] == []
    return [one for one in seen if "cloudwatch_alarm" in one]


async def changes(world: World) -> list[str]:
    """Names of the alarms whose states changed, one for each change."""

    def of_states(item: HistoryItem) -> bool:
        return item.type == "StateUpdate"

    history = alarm_store.history
    items = await world.cloudwatch.database.read(lambda tx: list(history(tx, SCOPE, 0, newest_first=False)))
    return [item.name for item in items if of_states(item)]


async def twins(world: World, level: int) -> None:
    """Two composite alarms that share both alarms of the level below."""
    below = (f"x{level - 1}", f"y{level - 1}")
    await world.call("PutCompositeAlarm", AlarmName=f"x{level}", AlarmRule=DIFFER.format(*below))
    await world.call("PutCompositeAlarm", AlarmName=f"y{level}", AlarmRule=f"ALARM({below[0]})")


async def test_shared_children_cost_each_alarm_once(world: World) -> None:
    """By depth first it was twice as much for each level. The states are those that the rules say."""
    for name in ("x0", "y0"):
        await world.call("PutMetricAlarm", AlarmName=name, **QUIET)
        await world.call("SetAlarmState", AlarmName=name, StateValue="OK", StateReason="r")
    counts = []
    for level in range(1, 11):
        await twins(world, level)
        before = len(await changes(world))
        counts.append(len(await set_state(world, "x0", "ALARM" if level % 2 else "OK")))
        changed = (await changes(world))[before:]
        assert len(changed) == len(set(changed))
    assert counts[9] < 2.5 * counts[4]
    states = await world.states()
    x, y = states["x0"] == "ALARM", states["y0"] == "ALARM"
    for level in range(1, 11):
        x, y = x != y, x
        assert (states[f"x{level}"] == "ALARM", states[f"y{level}"] == "ALARM") == (x, y)


async def test_a_chain_of_any_length_is_followed(world: World) -> None:
    """No recursion: 400 levels; some statements for each, and one that reads the rules."""
    await world.call("SetAlarmState", AlarmName="child", StateValue="OK", StateReason="r")
    below = "child"
    for level in range(400):
        await world.call("PutCompositeAlarm", AlarmName=f"c{level}", AlarmRule=f"ALARM({below})")
        below = f"c{level}"
    statements = await set_state(world, "child", "ALARM")
    assert set((await world.states()).values()) == {"ALARM"}
    assert len([one for one in statements if "ORDER BY name" in one]) == 1
    assert len(statements) < 400 * 8


async def test_a_composite_alarm_is_evaluated_behind_all_that_it_looks_at(world: World) -> None:
    """`a` comes first by name, and looks at `b` and at the child of both: it stays OK and changes not once."""
    await world.call("SetAlarmState", AlarmName="child", StateValue="OK", StateReason="r")
    await world.call("PutCompositeAlarm", AlarmName="b", AlarmRule="ALARM(child)")
    await world.call("PutCompositeAlarm", AlarmName="a", AlarmRule="ALARM(child) AND NOT ALARM(b)")
    before = len(await changes(world))
    await set_state(world, "child", "ALARM")
    assert (await changes(world))[before:] == ["child", "b"]


async def test_a_cycle_ends(world: World) -> None:
    """Two alarms that look at each other: each changes once at most."""
    await world.call("SetAlarmState", AlarmName="child", StateValue="OK", StateReason="r")
    await world.call("PutCompositeAlarm", AlarmName="a", AlarmRule="ALARM(child)")
    await world.call("PutCompositeAlarm", AlarmName="b", AlarmRule="ALARM(a)")
    await world.call("PutCompositeAlarm", AlarmName="a", AlarmRule="ALARM(child) AND NOT ALARM(b)")
    before = len(await changes(world))
    await set_state(world, "child", "ALARM")
    assert (await changes(world))[before:] == ["child", "a", "b"]


async def test_a_state_that_stays_evaluates_nothing(world: World) -> None:
    """AWS: API Reference, SetAlarmState: a composite alarm returns to its actual state once a child changes state."""
    await world.call("SetAlarmState", AlarmName="child", StateValue="OK", StateReason="r")
    await world.call("PutCompositeAlarm", AlarmName="a", AlarmRule="ALARM(child)")
    await set_state(world, "a", "ALARM")
    await set_state(world, "child", "OK")
    assert (await world.states())["a"] == "ALARM"
    await set_state(world, "child", "INSUFFICIENT_DATA")
    assert (await world.states())["a"] == "OK"


async def test_only_those_that_a_suppressor_suppresses_are_read_for_it(world: World) -> None:
    """A change of state read every composite alarm of the scope again for each alarm that changed."""
    await world.call("SetAlarmState", AlarmName="child", StateValue="OK", StateReason="r")
    periods = {"ActionsSuppressorWaitPeriod": 60, "ActionsSuppressorExtensionPeriod": 60}
    await world.call("PutCompositeAlarm", AlarmName="held", AlarmRule="FALSE", ActionsSuppressor="child", **periods)
    statements = await set_state(world, "child", "ALARM")
    assert len([one for one in statements if "ORDER BY name" in one]) == 1
    await set_state(world, "child", "OK")
    held = await world.cloudwatch.database.read(lambda tx: alarm_store.find(tx, SCOPE, "held"))
    assert held is not None
    assert held.suppression.left_at == world.clock.now()
