"""A change of an alarm and what follows of it in composite alarms are one commit.

AWS: CloudWatch User Guide, "Create a composite alarm": it is in the state that its rule and its children say. The store
refuses the composite's row here, as a power cut behind the child's row would; then the child must not have changed.
"""

import sqlite3
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.cloudwatch.conftest import QUIET, SCOPE, World
from undercast.services.cloudwatch import alarm_store
from undercast.store.database import Tx

BEFORE = {"child": "INSUFFICIENT_DATA", "parent": "OK"}
AFTER = {"child": "ALARM", "parent": "ALARM"}


async def test_an_evaluation_and_its_composites_are_one_commit(world: World) -> None:
    """What failed is done by a later evaluation."""
    await world.call("PutCompositeAlarm", AlarmName="parent", AlarmRule="ALARM(child)")
    await world.composite_is_refused(True)
    with pytest.raises(sqlite3.IntegrityError):
        await world.cloudwatch.evaluator.round()
    assert await world.states() == BEFORE
    await world.composite_is_refused(False)
    world.clock.tick(60)
    await world.cloudwatch.evaluator.round()
    assert await world.states() == AFTER


async def test_set_alarm_state_and_its_composites_are_one_commit(world: World) -> None:
    """The caller may ask again."""
    await world.call("PutCompositeAlarm", AlarmName="parent", AlarmRule="ALARM(child)")
    await world.composite_is_refused(True)
    with pytest.raises(sqlite3.IntegrityError):
        await world.call("SetAlarmState", AlarmName="child", StateValue="ALARM", StateReason="r")
    assert await world.states() == BEFORE
    await world.composite_is_refused(False)
    await world.call("SetAlarmState", AlarmName="child", StateValue="ALARM", StateReason="r")
    assert await world.states() == AFTER


async def test_a_composite_alarm_is_put_in_the_state_that_it_has(world: World) -> None:
    """Its first evaluation is in the commit that makes it."""
    await world.call("SetAlarmState", AlarmName="child", StateValue="ALARM", StateReason="r")
    await world.composite_is_refused(True)
    with pytest.raises(sqlite3.IntegrityError):
        await world.call("PutCompositeAlarm", AlarmName="parent", AlarmRule="ALARM(child)")
    assert await world.states() == {"child": "ALARM"}
    await world.composite_is_refused(False)
    await world.call("PutCompositeAlarm", AlarmName="parent", AlarmRule="ALARM(child)")
    assert await world.states() == AFTER


async def test_an_alarm_that_fails_costs_only_itself(world: World) -> None:
    """Its band is none, which PutMetricAlarm took once: it knows nothing, and the others are evaluated."""
    stat = {"Metric": {"Namespace": "App", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    banded: dict[str, Any] = {
        "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanUpperThreshold", "ThresholdMetricId": "e",
        "Metrics": [
            {"Id": "m", "MetricStat": stat, "ReturnData": True},
            {"Id": "e", "Expression": "FIRST(ANOMALY_DETECTION_BAND(m))", "ReturnData": True},
        ],
    }  # fmt: skip

    def put_before_it(tx: Tx) -> None:
        child = alarm_store.find(tx, SCOPE, "child")
        assert child is not None
        rest = {name: value for name, value in child.settings.items() if name not in QUIET}
        state = replace(child.state, value="OK")
        alarm_store.put(tx, replace(child, name="a-bad", settings={**rest, **banded}, state=state))

    await world.cloudwatch.database.write(put_before_it)
    await world.cloudwatch.evaluator.round()
    assert await world.states() == {"a-bad": "INSUFFICIENT_DATA", "child": "ALARM"}
