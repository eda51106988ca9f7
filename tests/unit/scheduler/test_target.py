"""What goes to the dead-letter queue of a schedule.

AWS: EventBridge Scheduler User Guide, "Configuring a dead-letter queue" (IS_PAYLOAD_TRUNCATED).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.auth.requests import context
from tests.unit.scheduler.test_lists import SCOPE, Caller, caller
from undercast.core.context import EXTERNAL, Cause, RequestContext
from undercast.core.identity import Principal
from undercast.events.delivery import Delivery
from undercast.services.scheduler.target import DEAD_LETTERS, DeadLetterTarget

__all__ = ("caller",)


@pytest.mark.parametrize(
    ("text", "body", "is_cut"),
    [("x" * 200_001, "x" * 200_000, "true"), ("x" * 200_000, "x" * 200_000, "false"), ("", " ", "false")],
)
async def test_a_long_input_is_cut_and_the_letter_says_so(caller: Caller, text: str, body: str, is_cut: str) -> None:
    """A message of SQS has its limit, and is not empty."""
    sent: list[Mapping[str, Any]] = []

    async def call(
        ctx: RequestContext, service: str, operation: str, params: Mapping[str, Any], checked: bool = False
    ) -> dict[str, Any]:
        if operation == "SendMessage":
            sent.append(params)
        return {}

    async def permits(*_: Any, **__: Any) -> bool:
        return True

    def internal(scope: Any, principal: Principal, cause: Any = EXTERNAL) -> RequestContext:
        return replace(context(principal), caller=call, permits=permits, cause=cause)

    queue = f"arn:aws:sqs:us-west-2:{SCOPE.account_id}:dead"
    told = ("arn", "scheduled_time", "error_code", "error_message", "condition", "retries")
    letter = Delivery(
        id="1", kind=DEAD_LETTERS, target_arn=queue, payload=text.encode(), scope=SCOPE, created_at=1.0,
        cause=Cause(kind="internal"), source_arn="arn:aws:scheduler:us-west-2:1:schedule/default/s",
        attributes={
            **dict.fromkeys(told, "x"), "role_arn": f"arn:aws:iam::{SCOPE.account_id}:role/r", "max_attempts": "0",
        },
    )  # fmt: skip
    outcome = await DeadLetterTarget(replace(caller.scheduler, internal=internal)).deliver(letter)
    assert outcome.kind == "done"
    ((message),) = sent
    assert message["MessageBody"] == body
    assert message["MessageAttributes"]["IS_PAYLOAD_TRUNCATED"]["StringValue"] == is_cut
