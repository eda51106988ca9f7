"""Which events are written beside the event loop.

Templates make texts of them, and each is looked at whether it is JSON.
"""

from typing import Any

import pytest

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.context import Cause
from undercast.services.events.dispatch import Arrival, is_long
from undercast.services.events.event import event_of
from undercast.services.events.models import BusName, Rule, RuleName, Target

ARN = "arn:aws:sqs:us-east-1:111122223333:q"


def arrival(size: int, **given: Any) -> Arrival:
    """Of an event of such a size, for one target."""
    rule = Rule(
        name=RuleName(BusName(Scope(AccountId("111122223333"), Region("us-east-1")), "default"), "r"), pattern="",
        compiled=None, schedule="", state="ENABLED", description=None, role_arn="", created_by="", anchored_at=0.0,
        targets=(Target(id="t", arn=ARN, given={"Arn": ARN, **given}),),
    )  # fmt: skip
    event = event_of({"id": "1", "detail": {"text": "x" * size}})
    return Arrival(event=event, rules=(rule,), cause=Cause(kind="internal"))


@pytest.mark.parametrize(
    ("size", "template", "long"),
    [
        (100_000, "", False), (100, "<all>", False), (100_000, "<all>", True), (10_000, "<all>" * 10, True),
        (100_000, "1", False),
    ],
)  # fmt: skip
def test_a_large_text_of_a_template_is_checked_beside_the_loop(size: int, template: str, long: bool) -> None:
    """As large as the event, for each of its variables."""
    given = {"InputTransformer": {"InputPathsMap": {"all": "$"}, "InputTemplate": template}} if template else {}
    assert is_long([arrival(size, **given)]) is long


def test_many_events_are_long_together() -> None:
    """They are one commit."""
    given = {"InputTransformer": {"InputPathsMap": {"all": "$"}, "InputTemplate": "<all>"}}
    assert not is_long([arrival(40_000, **given)])
    assert is_long([arrival(40_000, **given)] * 2)
