"""When a composite alarm holds its actions back: while its suppressor is in ALARM, and for two periods around that.

Pure. A change of state waits for WaitPeriod, in which the suppressor may still go into ALARM; behind the suppressor's
ALARM it waits for ExtensionPeriod. When nothing holds it back any more, the actions of the state that the alarm is in
then are taken, unless that is the state that was told last.
AWS: CloudWatch User Guide, "Suppressing composite alarm actions".
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from undercast.core.record import record
from undercast.services.cloudwatch.alarms import ALARM, Alarm, State, Suppression

BY_ALARM, BY_WAIT, BY_EXTENSION = "Alarm", "WaitPeriod", "ExtensionPeriod"


@record
class Decision:
    """What is to be kept, and the state before, if actions are to be taken now."""

    keep: Suppression
    act_on: State | None


def changed(alarm: Alarm, before: State, suppressor: State | None, now_s: float) -> Decision:
    """The alarm, whose state is new, and what its suppressor says."""
    known = alarm.suppression
    told = known.told or before
    pending = replace(known, told=told if told.value != alarm.state.value else None, since=now_s, by="")
    return decide(pending, alarm.settings, suppressor, now_s)


def decide(known: Suppression, settings: Mapping[str, Any], suppressor: State | None, now_s: float) -> Decision:
    """Whether what waits goes on waiting."""
    if known.told is None:
        return Decision(keep=replace(known, by=""), act_on=None)
    if suppressor is not None and suppressor.value == ALARM:
        return Decision(keep=replace(known, by=BY_ALARM), act_on=None)
    if known.left_at and now_s < known.left_at + settings["ActionsSuppressorExtensionPeriod"]:
        return Decision(keep=replace(known, by=BY_EXTENSION), act_on=None)
    waits = not known.left_at or known.since > known.left_at
    if waits and now_s < known.since + settings["ActionsSuppressorWaitPeriod"]:
        return Decision(keep=replace(known, by=BY_WAIT), act_on=None)
    return Decision(keep=replace(known, told=None, by=""), act_on=known.told)
