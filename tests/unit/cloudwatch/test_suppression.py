"""How long a composite alarm holds its actions back.

AWS: CloudWatch User Guide, "Suppressing composite alarm actions".
"""

import pytest

from undercast.services.cloudwatch.alarms import ALARM, OK, State, Suppression
from undercast.services.cloudwatch.suppression import BY_EXTENSION, BY_WAIT, decide

PERIODS = {"ActionsSuppressorWaitPeriod": 600, "ActionsSuppressorExtensionPeriod": 60}


def state(value: str) -> State:
    """Since the beginning."""
    return State(value=value, reason="r", updated_at=0.0, transitioned_at=0.0)


@pytest.mark.parametrize(
    ("since", "left_at", "now", "held_by"),
    [
        (5000, 0, 5599, BY_WAIT),
        (5000, 0, 5600, ""),
        (5000, 100, 5599, BY_WAIT),
        (5000, 100, 5600, ""),
        (5000, 5010, 5069, BY_EXTENSION),
        (5000, 5010, 5070, ""),
    ],
)
def test_each_change_waits_and_the_end_of_a_suppression_does_not_wait_again(
    since: float, left_at: float, now: float, held_by: str
) -> None:
    """A change waits for the suppressor, also where that left ALARM once; what it suppressed waits to be extended."""
    told = state(OK)
    known = Suppression(told=told, since=since, left_at=left_at)
    for suppressor in (None, state(OK)):
        decision = decide(known, PERIODS, suppressor, now)
        assert (decision.keep.by, decision.act_on) == (held_by, None if held_by else told)
    assert decide(known, PERIODS, state(ALARM), now).act_on is None
