"""HTTP and HTTPS endpoints as targets of deliveries.

2xx is a success; any other answer up to 499 but 429 is the subscriber's refusal; everything else is tried again as the
delivery policy says, on the platform clock. An answer is waited for 15 s of host time; redirects are not followed.
AWS: SNS Developer Guide, "Fanout Amazon SNS notifications to HTTPS endpoints" (15 seconds, 200 to 4xx, Basic
authentication), "Amazon SNS message delivery retries", "HTTP/HTTPS headers".
"""

import asyncio
import base64
import logging
import ssl
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from undercast.core.errors import ServiceError
from undercast.events.delivery import Delivery, Outcome, refused
from undercast.events.web import Answer, Connect, WebError, WebRequest, connect_anywhere, send
from undercast.services.sns import retry
from undercast.services.sns.envelope import CONFIRMATION
from undercast.services.sns.instance import Sns

log = logging.getLogger(__name__)

TIMEOUT_S = 15.0
_MOST_PACED = 4096
_TOO_MANY = 429


class HttpTarget:
    """See `events.delivery.Target`.

    Attributes of a delivery: `endpoint`, `message_type`, `message_id`, `raw` ("true"), `sandbox` (who
    subscribed, where a function did), `trace_header`. `ca_bundle` holds the authorities that endpoints may be certified
    by.
    """

    def __init__(self, sns: Sns, ca_bundle: Path) -> None:
        self._sns = sns
        self._ca_bundle = ca_bundle
        self._tls: ssl.SSLContext | None = None
        self._turns: dict[str, float] = {}
        """Until when the last turn of a subscription lasts, where a throttle policy spaces its deliveries."""

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Try once."""
        policy = self._policy(delivery)
        if policy is None:
            return Outcome(kind="done", reason="the subscription has ended")
        wait_until = self._turn(delivery, policy)
        if wait_until is not None:
            return Outcome(kind="retry", due_at=wait_until, counted=False, reason="throttle policy")
        try:
            answer = await self._send(delivery, policy)
        except WebError as error:
            return self._failed(delivery, policy, str(error))
        if 200 <= answer.status < 300:
            return Outcome(kind="done")
        reason = f"the endpoint answered {answer.status}"
        if answer.status >= 500 or answer.status in (_TOO_MANY, 100, 101):
            return self._failed(delivery, policy, reason)
        return self._refused(delivery, reason)

    def _policy(self, delivery: Delivery) -> Mapping[str, Any] | None:
        """The effective delivery policy; None for a message that nobody waits for any more."""
        try:
            topic, one = self._sns.subscription(delivery.target_arn)
        except ServiceError:
            confirms = delivery.attributes["message_type"] == "UnsubscribeConfirmation"
            return retry.effective_policy("", "") if confirms else None
        texts = (whose.attributes.get("DeliveryPolicy", "") for whose in (topic, one))
        return retry.effective_policy(*texts)

    def _turn(self, delivery: Delivery, policy: Mapping[str, Any]) -> float | None:
        """When this delivery may go, where that is later; it has its turn reserved then (`delivery.throttles`)."""
        rate = (policy["throttlePolicy"] or {}).get("maxReceivesPerSecond")
        if not rate or delivery.throttles > delivery.attempts:
            return None
        now, arn = self._sns.clock.now(), delivery.target_arn
        at = max(now, self._turns.get(arn, 0.0))
        if len(self._turns) >= _MOST_PACED:
            self._turns = {key: end for key, end in self._turns.items() if end > now}
        self._turns[arn] = at + 1 / rate
        return at if at > now else None

    async def _send(self, delivery: Delivery, policy: Mapping[str, Any]) -> Answer:
        request = WebRequest(
            url=delivery.attributes["endpoint"], headers=_headers(delivery, policy), body=delivery.payload
        )
        role = delivery.attributes.get("sandbox")
        connect: Connect = self._sns.connect_as_sandbox(role) if role else connect_anywhere
        answer = await send(request, connect=connect, tls=self._context, timeout_s=TIMEOUT_S)
        asks = answer.headers.get("www-authenticate", "").lower()
        if answer.status == 401 and request.credentials and asks.startswith("basic"):
            basic = "Basic " + base64.b64encode(request.credentials.encode()).decode()
            again = replace(request, headers={**request.headers, "Authorization": basic})
            answer = await send(again, connect=connect, tls=self._context, timeout_s=TIMEOUT_S)
        return answer

    async def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            cafile = str(self._ca_bundle) if self._ca_bundle.exists() else None
            self._tls = await asyncio.to_thread(ssl.create_default_context, cafile=cafile)
        return self._tls

    def _failed(self, delivery: Delivery, policy: Mapping[str, Any], reason: str) -> Outcome:
        delays = retry.delays(policy["healthyRetryPolicy"])
        if delivery.attempts >= len(delays):
            return self._refused(delivery, reason)
        due_at = self._sns.clock.now() + delays[delivery.attempts]
        return Outcome(kind="retry", due_at=due_at, counted=True, reason=reason)

    def _refused(self, delivery: Delivery, reason: str) -> Outcome:
        log.warning("the message %s for %s is given up: %s", delivery.id, delivery.target_arn, reason)
        return refused(delivery, reason, self._sns.clock.now())


def _headers(delivery: Delivery, policy: Mapping[str, Any]) -> dict[str, str]:
    attributes = delivery.attributes
    headers = {
        "x-amz-sns-message-type": attributes["message_type"],
        "x-amz-sns-message-id": attributes["message_id"],
        "x-amz-sns-topic-arn": delivery.source_arn,
    }
    if attributes["message_type"] != CONFIRMATION:
        headers["x-amz-sns-subscription-arn"] = delivery.target_arn
    if attributes.get("raw"):
        headers["x-amz-sns-rawdelivery"] = "true"
    if attributes.get("trace_header"):
        headers["X-Amzn-Trace-Id"] = attributes["trace_header"]
    return {
        **headers,
        "Content-Type": policy["requestPolicy"].get("headerContentType") or retry.DEFAULT_CONTENT_TYPE,
        "User-Agent": "Amazon Simple Notification Service Agent",
        "Accept-Encoding": "gzip,deflate",
    }
