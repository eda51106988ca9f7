"""What a simulation of many actions on many resources costs others.

AWS: IAM API Reference, SimulateCustomPolicy (MaxItems, Marker).
"""

import asyncio
import json
from typing import Any, cast

import pytest

from tests.unit.auth.requests import context
from tests.unit.policy.callers import ROOT
from undercast.core.errors import ServiceError
from undercast.services.iam.iam import Iam
from undercast.services.iam.operations.simulation import simulate_custom_policy

simulate: Any = simulate_custom_policy
NO_IAM = cast("Iam", None)
"""The policies are those of the request alone."""


def params(actions: int, resources: int, **more: Any) -> dict[str, Any]:
    """So many of each."""
    allow = {"Effect": "Allow", "Action": "s3:a1", "Resource": "*"}
    return {
        "PolicyInputList": [json.dumps({"Version": "2012-10-17", "Statement": [allow]})],
        "ActionNames": [f"s3:a{number}" for number in range(actions)],
        "ResourceArns": [f"arn:aws:s3:::r{number}" for number in range(resources)],
        **more,
    }


async def page(**more: Any) -> Any:
    """Of 9,000,000 results."""
    return await simulate(NO_IAM, context(ROOT), params(3000, 3000, **more))


async def test_a_page_makes_nothing_of_what_is_on_others() -> None:
    """Pages follow each other from action to action."""
    first = await page(MaxItems=1)
    assert [one["EvalResourceName"] for one in first["EvaluationResults"]] == ["arn:aws:s3:::r0"]
    ids: dict[tuple[str, str], str] = {}
    marker = first["Marker"]
    for _ in range(3):
        answer = await page(MaxItems=1000, Marker=marker)
        ids |= {
            (one["EvalActionName"], one["EvalResourceName"]): one["EvalDecision"] for one in answer["EvaluationResults"]
        }
        marker = answer["Marker"]
    assert len(ids) == 3000
    assert list(ids)[-2:] == [("s3:a0", "arn:aws:s3:::r2999"), ("s3:a1", "arn:aws:s3:::r0")]
    assert list(ids.values())[-2:] == ["implicitDeny", "allowed"]


async def test_the_last_page_ends_the_list() -> None:
    """All results come once."""
    found: list[tuple[str, str]] = []
    more: dict[str, str] = {}
    while True:
        answer = await simulate(NO_IAM, context(ROOT), params(3, 5, MaxItems=4, **more))
        found += [(one["EvalActionName"], one["EvalResourceName"]) for one in answer["EvaluationResults"]]
        if not answer["IsTruncated"]:
            break
        more = {"Marker": answer["Marker"]}
    assert (len(found), len(set(found))) == (15, 15)
    with pytest.raises(ServiceError, match="Invalid Marker"):
        await simulate(NO_IAM, context(ROOT), params(3, 5, Marker="bm9uZQ=="))


async def test_others_go_on_while_a_page_is_made() -> None:
    """The event loop turns meanwhile."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await page(MaxItems=1000)
    task.cancel()
    assert turns > 1


async def test_one_action_on_one_resource_is_answered_at_once() -> None:
    """Services ask so with each message that they send as a role: a thread would cost more than the answer."""
    asked = simulate(NO_IAM, context(ROOT), {"ActionNames": ["s3:a1"], "ResourceArns": ["*"]})
    with pytest.raises(StopIteration) as ended:
        asked.send(None)
    (result,) = ended.value.value["EvaluationResults"]
    assert result["EvalDecision"] == "implicitDeny"
