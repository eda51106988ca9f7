"""Delivery policies of HTTP and HTTPS: how often, after which pauses, how fast, with which content type.

Pure. The phases of a retry policy: immediate, pre-backoff (minimum delay), backoff (from minimum to maximum by a
function), post-backoff (maximum delay). AWS: SNS Developer Guide, "Amazon SNS message delivery retries" and "Creating
an HTTP/S delivery policy"; the defaults are what GetTopicAttributes gives as EffectiveDeliveryPolicy.
"""

import json
from collections.abc import Mapping
from typing import Any

from undercast.core import json_values
from undercast.services.sns.errors import invalid

DEFAULT_RETRY: Mapping[str, Any] = {
    "minDelayTarget": 20,
    "maxDelayTarget": 20,
    "numRetries": 3,
    "numMaxDelayRetries": 0,
    "numNoDelayRetries": 0,
    "numMinDelayRetries": 0,
    "backoffFunction": "linear",
}
DEFAULT_CONTENT_TYPE = "text/plain; charset=UTF-8"
FUNCTIONS = ("linear", "arithmetic", "geometric", "exponential")
MAX_RETRIES = 100
MAX_DELAY_S = 3600
MAX_TOTAL_S = 3600
_CONTENT_TYPES = ("text/plain", "application/json", "application/xml", "text/html", "text/css", "text/csv", "text/xml",
                  "application/octet-stream", "application/soap+xml", "application/x-www-form-urlencoded")  # fmt: skip


def delays(policy: Mapping[str, Any]) -> tuple[float, ...]:
    """The pause before each retry, in seconds. `policy` is complete."""
    least, most = float(policy["minDelayTarget"]), float(policy["maxDelayTarget"])
    immediate, before, after = (
        int(policy[name]) for name in ("numNoDelayRetries", "numMinDelayRetries", "numMaxDelayRetries")
    )
    between = max(0, int(policy["numRetries"]) - immediate - before - after)
    backoff = tuple(_backoff(str(policy["backoffFunction"]), least, most, number, between) for number in range(between))
    return (*(0.0 for _ in range(immediate)), *(least for _ in range(before)), *backoff, *(most for _ in range(after)))


def _backoff(function: str, least: float, most: float, number: int, count: int) -> float:
    """The delay before the `number`th (from 0) of `count` retries: the first is the minimum, the last the maximum.

    AWS shows the four curves in a graph: linear is below none, exponential below all. Linear grows by the same step;
    arithmetic by steps that grow evenly; geometric by a constant factor; exponential by that factor's doubling steps.
    """
    if count == 1 or most == least:
        return least
    at = number / (count - 1)
    if function == "linear":
        share = at
    elif function == "arithmetic":
        share = number * (number + 1) / ((count - 1) * count)
    elif function == "geometric":
        return float(least * (most / least) ** at)
    else:
        share = (2.0**number - 1) / (2.0 ** (count - 1) - 1)
    return least + (most - least) * share


def check_topic_policy(text: str) -> None:
    """Raises InvalidParameter for what is no DeliveryPolicy of a topic."""
    policy = _document(text)
    _known(policy, ("http",))
    http = policy.get("http") or {}
    if not isinstance(http, dict):
        raise invalid("DeliveryPolicy: http must be an object")
    _known(http, ("defaultHealthyRetryPolicy", "disableSubscriptionOverrides", "defaultThrottlePolicy",
                  "defaultRequestPolicy"))  # fmt: skip
    if not isinstance(http.get("disableSubscriptionOverrides", False), bool):
        raise invalid("DeliveryPolicy: http.disableSubscriptionOverrides must be true or false")
    _check_parts(
        http.get("defaultHealthyRetryPolicy"), http.get("defaultThrottlePolicy"), http.get("defaultRequestPolicy")
    )


def check_subscription_policy(text: str) -> None:
    """Raises InvalidParameter for what is no DeliveryPolicy of a subscription."""
    policy = _document(text)
    _known(policy, ("healthyRetryPolicy", "throttlePolicy", "requestPolicy", "guaranteed", "sicklyRetryPolicy"))
    for inert in ("guaranteed", "sicklyRetryPolicy"):
        if policy.get(inert):
            raise invalid(f"DeliveryPolicy: {inert} is not supported")
    _check_parts(policy.get("healthyRetryPolicy"), policy.get("throttlePolicy"), policy.get("requestPolicy"))


def _document(text: str) -> dict[str, Any]:
    try:
        document = json_values.parse(text)
    except ValueError as error:
        raise invalid("DeliveryPolicy: failed to parse JSON") from error
    if not isinstance(document, dict):
        raise invalid("DeliveryPolicy: must be an object")
    return document


def _known(document: Mapping[str, Any], names: tuple[str, ...]) -> None:
    unknown = next((name for name in document if name not in names), None)
    if unknown is not None:
        raise invalid(f"DeliveryPolicy: unexpected key {unknown}")


def _check_parts(retry: Any, throttle: Any, request: Any) -> None:
    if retry is not None:
        _check_retry(retry)
    if throttle is not None:
        rate = throttle.get("maxReceivesPerSecond") if isinstance(throttle, dict) else None
        if rate is not None and not (_is_whole(rate) and rate >= 1):
            raise invalid("DeliveryPolicy: throttlePolicy.maxReceivesPerSecond must be 1 or greater")
    if request is not None:
        given = request.get("headerContentType", "") if isinstance(request, dict) else ""
        if not isinstance(given, str) or given.partition(";")[0].strip().lower() not in _CONTENT_TYPES:
            raise invalid("DeliveryPolicy: requestPolicy.headerContentType is not supported")
        if not given.isprintable() or not given.isascii():
            raise invalid("DeliveryPolicy: requestPolicy.headerContentType is not supported")


def _check_retry(retry: Any) -> None:
    if not isinstance(retry, dict):
        raise invalid("DeliveryPolicy: healthyRetryPolicy must be an object")
    _known(retry, tuple(DEFAULT_RETRY))
    policy = {**DEFAULT_RETRY, **retry}
    if policy["backoffFunction"] not in FUNCTIONS:
        raise invalid(f"DeliveryPolicy: healthyRetryPolicy.backoffFunction must be one of {', '.join(FUNCTIONS)}")
    for name, value in policy.items():
        if name != "backoffFunction" and not (_is_whole(value) and value >= 0):
            raise invalid(f"DeliveryPolicy: healthyRetryPolicy.{name} must be a whole number, 0 or greater")
    if not 1 <= policy["minDelayTarget"] <= policy["maxDelayTarget"]:
        raise invalid("DeliveryPolicy: healthyRetryPolicy.minDelayTarget must be at least 1 and not exceed "
                      "healthyRetryPolicy.maxDelayTarget")  # fmt: skip
    if policy["maxDelayTarget"] > MAX_DELAY_S:
        raise invalid(f"DeliveryPolicy: healthyRetryPolicy.maxDelayTarget must be less than or equal to {MAX_DELAY_S}")
    if policy["numRetries"] > MAX_RETRIES:
        raise invalid(f"DeliveryPolicy: healthyRetryPolicy.numRetries must be less than or equal to {MAX_RETRIES}")
    phases = sum(policy[name] for name in ("numNoDelayRetries", "numMinDelayRetries", "numMaxDelayRetries"))
    if phases > policy["numRetries"]:
        raise invalid("DeliveryPolicy: healthyRetryPolicy.numRetries must not be smaller than the sum of its phases")
    if sum(delays(policy)) > MAX_TOTAL_S:
        raise invalid(f"DeliveryPolicy: healthyRetryPolicy must not take longer than {MAX_TOTAL_S} seconds in total")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def effective_topic_policy(text: str) -> dict[str, Any]:
    """EffectiveDeliveryPolicy of a topic. `text` is its DeliveryPolicy, "" for none."""
    http = (json.loads(text).get("http") or {}) if text else {}
    found: dict[str, Any] = {
        "defaultHealthyRetryPolicy": {**DEFAULT_RETRY, **http.get("defaultHealthyRetryPolicy", {})},
        "disableSubscriptionOverrides": http.get("disableSubscriptionOverrides", False),
    }
    if http.get("defaultThrottlePolicy"):
        found["defaultThrottlePolicy"] = http["defaultThrottlePolicy"]
    found["defaultRequestPolicy"] = http.get("defaultRequestPolicy") or {"headerContentType": DEFAULT_CONTENT_TYPE}
    return {"http": found}


def effective_policy(topic_text: str, subscription_text: str) -> dict[str, Any]:
    """EffectiveDeliveryPolicy of a subscription: its own parts, else its topic's, else AWS's."""
    http = effective_topic_policy(topic_text)["http"]
    own = json.loads(subscription_text) if subscription_text and not http["disableSubscriptionOverrides"] else {}
    retry = own.get("healthyRetryPolicy")
    return {
        "healthyRetryPolicy": {**DEFAULT_RETRY, **retry} if retry else http["defaultHealthyRetryPolicy"],
        "sicklyRetryPolicy": None,
        "throttlePolicy": own.get("throttlePolicy") or http.get("defaultThrottlePolicy"),
        "requestPolicy": own.get("requestPolicy") or http["defaultRequestPolicy"],
        "guaranteed": False,
    }
