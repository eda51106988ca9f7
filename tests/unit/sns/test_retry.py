"""Delivery policies: pauses, and what is refused.

AWS: SNS Developer Guide, "Creating an HTTP/S delivery policy".
"""

import json
from typing import Any

import pytest

from undercast.core.errors import ServiceError
from undercast.services.sns import retry


def policy(**settings: Any) -> dict[str, Any]:
    return {**retry.DEFAULT_RETRY, **settings}


def test_the_default_is_three_retries_20_seconds_apart() -> None:
    """What GetTopicAttributes shows as EffectiveDeliveryPolicy."""
    assert retry.delays(retry.DEFAULT_RETRY) == (20.0, 20.0, 20.0)


def test_phases_come_in_order() -> None:
    """Immediate, pre-backoff, backoff, post-backoff."""
    given = policy(minDelayTarget=1, maxDelayTarget=60, numRetries=9, numNoDelayRetries=3, numMinDelayRetries=2,
                   numMaxDelayRetries=1)  # fmt: skip
    assert retry.delays(given) == (0, 0, 0, 1, 1, 1, 30.5, 60, 60)


@pytest.mark.parametrize("function", retry.FUNCTIONS)
def test_backoff_goes_from_the_minimum_to_the_maximum(function: str) -> None:
    """Every function begins at minDelayTarget, ends at maxDelayTarget and never falls."""
    pauses = retry.delays(policy(minDelayTarget=1, maxDelayTarget=60, numRetries=10, backoffFunction=function))
    assert (pauses[0], round(pauses[-1], 6), list(pauses)) == (1, 60, sorted(pauses))


def test_steeper_functions_wait_less_in_the_middle() -> None:
    """AWS's graph: linear above arithmetic above geometric above exponential... at the middle of the phase."""
    middle = {
        name: retry.delays(policy(minDelayTarget=10, maxDelayTarget=60, numRetries=11, backoffFunction=name))[5]
        for name in retry.FUNCTIONS
    }
    assert middle["linear"] > middle["arithmetic"] > middle["exponential"]
    assert middle["linear"] > middle["geometric"] > middle["exponential"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"minDelayTarget": 0},
        {"minDelayTarget": 30},
        {"maxDelayTarget": 3601},
        {"numRetries": 101},
        {"numNoDelayRetries": 4},
        {"numRetries": 100, "minDelayTarget": 60, "maxDelayTarget": 60},
        {"backoffFunction": "random"},
        {"numRetries": True},
        {"unknown": 1},
    ],
)
def test_a_wrong_policy_is_refused(wrong: dict[str, Any]) -> None:
    """Bounds, unknown names, and more than 3,600 seconds in total."""
    with pytest.raises(ServiceError) as raised:
        retry.check_subscription_policy(json.dumps({"healthyRetryPolicy": wrong}))
    assert raised.value.code == "InvalidParameterException"


def test_a_subscription_overrides_its_topic_unless_told_not_to() -> None:
    """disableSubscriptionOverrides."""
    own = json.dumps({"healthyRetryPolicy": {"numRetries": 5}})
    topic: dict[str, Any] = {"http": {"defaultHealthyRetryPolicy": {"numRetries": 7}}}
    assert retry.effective_policy(json.dumps(topic), own)["healthyRetryPolicy"]["numRetries"] == 5
    topic["http"]["disableSubscriptionOverrides"] = True
    assert retry.effective_policy(json.dumps(topic), own)["healthyRetryPolicy"]["numRetries"] == 7
