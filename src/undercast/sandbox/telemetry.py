"""Who in an execution environment receives telemetry, and what: subscriptions to the Telemetry and Logs APIs.

Events of INIT are kept until subscribing is over, so that a subscriber gets them from the first one on. Nothing is
sent to a frozen environment. Delivery is in `telemetry_delivery`.
AWS: Lambda Developer Guide, "Accessing real-time telemetry data for extensions using the Telemetry API", "Lambda Logs
API".
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from socket import socket
from typing import Literal

from undercast.core import json_values
from undercast.core.clock import Clock
from undercast.core.record import record
from undercast.sandbox.platform_events import PlatformEvent, event_object, logs_dropped_event, subscription_event
from undercast.sandbox.telemetry_delivery import Budget, Delivery, Destination

Api = Literal["telemetry", "logs"]
Kind = Literal["platform", "function", "extension"]
_LOGS_ONLY = frozenset({"platform.end", "platform.fault", "platform.logsSubscription"})
_LOGS_HAS = _LOGS_ONLY | {"platform.start", "platform.report", "platform.extension", "platform.logsDropped"}
_FIRST_WITH_OBJECTS = "2022-12-13"
"""Before this schema version a record of function or extension is text, whatever the log format is."""
_WITH_RUNTIME_DONE = "2021-03-18"
_MAX_KEPT_BYTES = 1024 * 1024
"""Of INIT's events that wait for subscribers."""


@record
class Subscription:
    """What an extension asked for."""

    api: Api
    schema_version: str
    types: tuple[str, ...]
    destination: Destination

    def wants(self, kind: Kind, event_type: str) -> bool:
        """Whether an event is for this subscriber."""
        if kind not in self.types:
            return False
        if kind != "platform":
            return True
        if self.api == "telemetry":
            return event_type not in _LOGS_ONLY
        if event_type == "platform.runtimeDone":
            return self.schema_version == _WITH_RUNTIME_DONE
        return event_type in _LOGS_HAS

    @property
    def takes_objects(self) -> bool:
        """Whether a line that is a JSON object stays one."""
        return self.api == "telemetry" and self.schema_version >= _FIRST_WITH_OBJECTS


@record(kw_only=False)
class _Kept:
    kind: Kind
    type: str
    record: object
    now: float


@dataclass(slots=True)
class _Subscriber:
    subscription: Subscription
    delivery: Delivery


class Telemetry:
    """See the module. `connect` gives a connection to a port inside; `is_json` is the function's log format."""

    def __init__(self, connect: Callable[[int], Awaitable[socket]], clock: Clock, *, is_json: bool) -> None:
        self._connect = connect
        self._clock = clock
        self._is_json = is_json
        self._subscribers: dict[str, _Subscriber] = {}
        self._budget = Budget()
        self._kept: list[_Kept] = []
        self._kept_bytes = 0
        self.open = False
        """Whether one may subscribe: until INIT is over."""
        self.active = False
        """Whether anybody listens or may do so yet: else nothing needs to be told."""

    def restart(self) -> None:
        """INIT begins: forget whoever was here."""
        self.close()
        self.open = self.active = True

    def close_subscriptions(self) -> None:
        """INIT is over."""
        self.open = False
        self.active = bool(self._subscribers)
        self._kept.clear()
        self._kept_bytes = 0

    def subscribe(self, name: str, subscription: Subscription) -> PlatformEvent | None:
        """Take a subscription, or replace the extension's own. The event to tell about it, for a new one."""
        known = self._subscribers.pop(name, None)
        if known is not None:
            known.delivery.close()
        delivery = Delivery(subscription.destination, self._connect, self._dropped, self._budget)
        subscriber = self._subscribers[name] = _Subscriber(subscription, delivery)
        for kept in self._kept:
            self._give(subscriber, kept)
        return None if known is not None else subscription_event(subscription.api, name, subscription.types)

    def api_of(self, name: str) -> Api | None:
        """Through which API an extension has subscribed."""
        known = self._subscribers.get(name)
        return known.subscription.api if known is not None else None

    def publish(self, event: PlatformEvent) -> None:
        """Tell of a platform event."""
        self._tell(_Kept("platform", event.type, event.record, self._clock.now()))

    def lines(self, kind: Kind, lines: list[str]) -> None:
        """Tell what was written."""
        now = self._clock.now()
        for line in lines:
            self._tell(_Kept(kind, kind, line.removesuffix("\n"), now))

    def freeze(self) -> None:
        """The environment is about to be frozen."""
        for subscriber in self._subscribers.values():
            subscriber.delivery.freeze()

    def thaw(self) -> None:
        """It runs again."""
        for subscriber in self._subscribers.values():
            subscriber.delivery.thaw()

    async def flush(self, limit_s: float) -> None:
        """Do not wait for full buffers, the end is near; wait until all have what there is, or so long."""
        sending = [task for member in self._subscribers.values() if (task := member.delivery.flush()) is not None]
        if sending:
            await asyncio.wait(sending, timeout=max(limit_s, 0.0))

    def close(self) -> None:
        """Nobody listens any more."""
        for subscriber in self._subscribers.values():
            subscriber.delivery.close()
        self._subscribers.clear()
        self.open = False
        self.close_subscriptions()

    def _tell(self, event: _Kept) -> None:
        if self.open:
            size = len(str(event.record))
            if self._kept_bytes + size <= _MAX_KEPT_BYTES:
                self._kept.append(event)
                self._kept_bytes += size
        for subscriber in self._subscribers.values():
            self._give(subscriber, event)

    def _give(self, subscriber: _Subscriber, event: _Kept) -> None:
        subscription = subscriber.subscription
        if subscription.wants(event.kind, event.type):
            record = event.record
            if event.kind == "function" and self._is_json and subscription.takes_objects:
                record = _object(str(record))
            subscriber.delivery.add(json.dumps(event_object(event.type, record, event.now)).encode())

    def _dropped(self, records: int, size_bytes: int) -> bytes:
        event = logs_dropped_event(records, size_bytes)
        return json.dumps(event_object(event.type, event.record, self._clock.now())).encode()


def _object(line: str) -> object:
    try:
        parsed = json_values.parse(line)
    except ValueError:
        return line
    return parsed if isinstance(parsed, dict) else line
