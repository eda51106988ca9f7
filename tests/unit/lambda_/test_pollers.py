"""Provisioned pollers: what they allow."""

from typing import Any

from tests.unit.lambda_.conftest import World
from undercast.core.arn import AccountId, Region, Scope
from undercast.events.poller import Allowance
from undercast.services.event_sources.pollers import MORE_PER_S, Provisioned
from undercast.services.event_sources.queue_source import QueueSource
from undercast.services.event_sources.reading import Reading
from undercast.services.lambda_.consumer import Consumer
from undercast.services.lambda_.mapping_measures import MappingMeasures
from undercast.services.lambda_.mapping_store import ENABLED, EventSourceMapping, progress_of
from undercast.services.lambda_.queue_work import QueueWork


def source(world: World, **settings: Any) -> QueueSource:
    """Of a mapping with these settings."""
    mapping = EventSourceMapping(
        id="m",
        scope=Scope(AccountId("111122223333"), Region("us-west-2")),
        source_arn="arn:aws:sqs:us-west-2:111122223333:q",
        function_arn="arn:aws:lambda:us-west-2:111122223333:function:f",
        configuration={"BatchSize": 1, **settings},
        enabled=True,
        state=ENABLED,
        tags={},
        modified_at=0.0,
    )
    functions = world.functions
    consumer, measures = Consumer(functions, mapping), MappingMeasures(functions.measures, mapping)
    reading = Reading(
        source_arn=mapping.source_arn,
        settings=mapping.configuration,
        consumer=consumer,
        progress=progress_of(mapping),
    )
    return QueueSource(functions.clock, reading, QueueWork(functions, mapping, consumer, measures), measures)


def test_a_poller_is_ten_batches_at_once(world: World) -> None:
    """From ten for each of MinimumPollers to ten for each of MaximumPollers; five to a thousand in standard mode."""
    provisioned = source(world, ProvisionedPollerConfig={"MinimumPollers": 2, "MaximumPollers": 4})
    standard = source(world)
    assert (provisioned.at_first, provisioned.most) == (20, 40)
    assert (standard.at_first, standard.most) == (5, 1000)


def test_more_pollers_come_three_times_as_fast() -> None:
    """Up to 1,000 more batches a minute, while all are used."""
    allowance = Allowance(4000, base=20, first=20, more_per_s=MORE_PER_S)
    allowance.used_up(0.0)
    assert [allowance.at(at) for at in (0.0, 6.0, 60.0)] == [20, 120, 1020]
    allowance.idle()
    assert allowance.at(61.0) == 20


def test_as_many_pollers_work_as_the_batches_need() -> None:
    """Between the two numbers."""
    assert [Provisioned(2, 4).at_work(batches) for batches in (0, 20, 21, 400)] == [2, 2, 3, 4]
