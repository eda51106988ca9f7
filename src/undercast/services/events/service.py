"""EventBridge's manifest: what the service offers to the platform.

AWS: EventBridge API Reference.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.service import Manifest, operations_of
from undercast.events.alarm import Alarm
from undercast.sandbox.upstream import as_a_sandbox
from undercast.services.events.access import access, policy_of, tags_of
from undercast.services.events.addressing import BUSES, DEAD_LETTERS, HTTP, LOGS, ROLES
from undercast.services.events.expiry import Expiry
from undercast.services.events.failures import DeadLetterTarget
from undercast.services.events.http_target import HttpTarget
from undercast.services.events.instance import Events
from undercast.services.events.measures import Measures
from undercast.services.events.members import EFFECTIVE, REFUSED, STORED
from undercast.services.events.operations import (
    api_destinations,
    archiving,
    buses,
    put_events,
    replaying,
    rules,
    tagging,
    targets,
)
from undercast.services.events.operations import connections as connection_operations
from undercast.services.events.replays import resume
from undercast.services.events.rounds import Rounds
from undercast.services.events.store import Buses, next_round
from undercast.services.events.targets import BusTarget, LogsTarget, RoleTarget
from undercast.services.parts import Parts


def build(parts: Parts) -> Events:
    """The instance that every operation gets."""
    return Events(
        database=parts.database,
        buses=Buses(parts.database),
        outbox=parts.outbox,
        causality=parts.causality,
        internal=parts.internal,
        clock=parts.platform_clock,
        host_clock=parts.host_clock,
        ids=parts.ids,
        profile=parts.config.profile,
        measures=Measures(parts.metrics, parts.platform_clock),
        alarm=Alarm(parts.database, parts.platform_clock, next_round),
        ca_bundle=parts.config.data_dir / "ca" / "bundle.pem",
        connect_as_sandbox=as_a_sandbox(parts.config.forward_ports),
    )


def _targets(events: Events) -> Mapping[str, Any]:
    return {
        BUSES: BusTarget(events),
        LOGS: LogsTarget(events),
        ROLES: RoleTarget(events),
        HTTP: HttpTarget(events, events.ca_bundle),
        DEAD_LETTERS: DeadLetterTarget(events.measures),
    }


async def _start(events: Events) -> None:
    events.tasks.spawn(Rounds(events).run())
    events.tasks.spawn(Expiry(events).run())
    resume(events)


async def _stop(events: Events) -> None:
    events.tasks.cancel()
    await events.tasks.ended()


def _reset(events: Events) -> None:
    events.buses.forget()
    events.alarm.changed()


MANIFEST = Manifest(
    name="events",
    build=build,
    operations=operations_of(
        api_destinations, archiving, buses, connection_operations, put_events, replaying, rules, tagging, targets
    ),
    access=access,
    policy_of=policy_of,
    tags_of=tags_of,
    effective=EFFECTIVE,
    stored=STORED,
    refused=REFUSED,
    targets=_targets,
    start=_start,
    stop=_stop,
    reset=_reset,
    differences=(
        "Targets are functions, queues, topics, buses, log groups and API destinations, Kinesis streams and state "
        "machines where those services are here; every other one is refused by name.",
        "AWS's services other than S3, Lambda (destinations), CloudWatch (alarms) and EventBridge's schedules send no "
        "events.",
        "An InvalidEventPatternException says what is wrong, not where (line and column).",
        "Of the metrics, CloudWatch is told MatchedEvents, TriggeredRules, Invocations, FailedInvocations and those of "
        "dead-letter queues.",
        "Retries are not jittered: 1 s, doubled up to 10 minutes.",
        "Schedules fire on the full minute, or a whole period after a rate began; of the times at which the platform "
        "did not run, the last one fires.",
        "Quotas are those of targets per rule and of sizes; numbers of buses and rules, and rates of requests, are not "
        "limited.",
        "API destinations may have http: endpoints, and reach this machine's own ports. An OAuth token is asked for at "
        "the first request, by a form with client id and secret; AWS does so when the connection is made.",
        "GET, HEAD and OPTIONS requests to API destinations carry no body.",
        "An archive has an event, and its counts, at once; it shows no rule of its own. A replay sends as fast as it "
        "can.",
        "Parameters of another kind of target (HttpParameters of a queue) are kept and shown, and have no effect.",
        "A rule of another account's bus, by the bus's ARN, does not ask events:creatorAccount.",
        "No request has the condition keys events:eventBusInvocation and events:ManagedBy.",
    ),
)
