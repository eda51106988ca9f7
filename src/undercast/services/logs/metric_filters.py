"""Turns the events of groups with metric filters into metric data.

A default value stands for each minute in which events came and none of them matched; it is put when the minute is over.
AWS: CloudWatch Logs User Guide, "Creating metrics from log events using filters" (default value).
"""

import asyncio
from collections.abc import Iterable, Sequence

from undercast.core.clock import Clock
from undercast.core.metrics import MINUTE_S, Metrics
from undercast.services.logs import filter_store
from undercast.services.logs.followers import Event, Followers, GroupName, Heard
from undercast.services.logs.metric_filter import LiveMetricFilter, MetricFilter
from undercast.store.database import Database

_AT_ONCE = 200
"""Events looked at in one step of the loop."""
_Minute = tuple[GroupName, str, int]


class MetricFilters:
    """A follower of every group with metric filters."""

    def __init__(self, database: Database, followers: Followers, metrics: Metrics, clock: Clock) -> None:
        self._database = database
        self._followers = followers
        self._metrics = metrics
        self._clock = clock
        self._filters: dict[GroupName, tuple[LiveMetricFilter, ...]] = {}
        self._minutes: dict[_Minute, bool] = {}
        """The minutes of filters with a default value: whether an event has matched."""
        self._working: set[asyncio.Task[None]] = set()
        metrics.feed(self._put_defaults)

    async def start(self) -> None:
        """Know the filters that are stored."""
        by_group: dict[GroupName, list[MetricFilter]] = {}
        for one in await self._database.read(filter_store.all_metric_filters):
            by_group.setdefault(one.group_name, []).append(one)
        for group, filters in by_group.items():
            self.learn(group, filters)

    def learn(self, group: GroupName, filters: Iterable[MetricFilter]) -> None:
        """These are the group's filters from now on."""
        live = tuple(LiveMetricFilter(one) for one in filters)
        if live:
            self._filters[group] = live
            self._followers.add(group, self)
        else:
            self._filters.pop(group, None)
            self._followers.remove(group, self)

    def count(self, group: GroupName) -> int:
        """How many filters the group has."""
        return len(self._filters.get(group, ()))

    def hear(self, heard: Heard) -> None:
        """See Follower. Many events are looked at piece by piece."""
        group = GroupName(*heard.stream[:2])
        if len(heard.events) <= _AT_ONCE:
            self._look(group, heard.events)
            return
        task = asyncio.get_running_loop().create_task(self._look_slowly(group, heard.events))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def settled(self) -> None:
        """Return when everything heard before is in the metrics."""
        if self._working:
            await asyncio.wait(tuple(self._working))

    def clear(self) -> None:
        """A reset: there are no filters any more."""
        for group in tuple(self._filters):
            self.learn(group, ())
        self._minutes.clear()

    async def _look_slowly(self, group: GroupName, events: Sequence[Event]) -> None:
        for begin in range(0, len(events), _AT_ONCE):
            self._look(group, events[begin : begin + _AT_ONCE])
            await asyncio.sleep(0)

    def _look(self, group: GroupName, events: Sequence[Event]) -> None:
        for live in self._filters.get(group, ()):
            for _, _, timestamp_ms, _, message in events:
                at_s = timestamp_ms / 1000
                matched = live.matches(message)
                if live.default is not None:
                    minute = (group, live.filter.name, timestamp_ms // 1000 // MINUTE_S)
                    self._minutes[minute] = self._minutes.get(minute, False) or matched
                if matched and (found := live.value_of(message)) is not None:
                    self._metrics.put(found[0], found[1], at_s, unit=live.unit)

    def _put_defaults(self) -> None:
        """For the minutes that are over."""
        if not self._minutes:
            return
        current = int(self._clock.now()) // MINUTE_S
        for minute in [one for one in self._minutes if one[2] < current]:
            group, name, number = minute
            if self._minutes.pop(minute):
                continue
            for live in self._filters.get(group, ()):
                if live.filter.name == name and live.default is not None:
                    self._metrics.put(live.series(), live.default, number * MINUTE_S, unit=live.unit)
