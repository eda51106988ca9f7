"""The numbers of SPECIFICATION.md are the ones that ship.

The tests of behaviour shrink limits to be quick; these hold the values that a user meets.
"""

import inspect
import os
from pathlib import Path

from undercast.app import ending, machine, stopping
from undercast.cli.stop import stop
from undercast.core.config import Config
from undercast.core.tasks import LAST_S
from undercast.events import message_groups, poller, settlement
from undercast.events.causality import FILTERED_NAMED, Retention
from undercast.events.router import Router
from undercast.gateway.server import INNER_CONNECTIONS, INNER_UNREAD_BYTES
from undercast.http import http2, outflow
from undercast.http.limits import HttpLimits
from undercast.http.requests import FRAMING_EACH
from undercast.sandbox import log_pipes, relay, resolver, response_stream, upstream, xray_daemon
from undercast.sandbox.debugging import port, registry
from undercast.sandbox.environment import INIT_TIMEOUT_S, PROVISIONED_INIT_TIMEOUT_S
from undercast.sandbox.telemetry_delivery import Budget
from undercast.services import table_streams
from undercast.services.cloudwatch import intake
from undercast.services.dynamodb import import_reader
from undercast.services.dynamodb.operations import transactions
from undercast.services.event_sources import lane
from undercast.services.events import http_target as api_destination
from undercast.services.events.models import Target
from undercast.services.kinesis import subscriptions as fan_out
from undercast.services.kinesis.operations import records, settings
from undercast.services.lambda_ import hot_reload
from undercast.services.lambda_.images import compression, download, entries, library, manifest, pulling, unpack
from undercast.services.lambda_.operations import functions
from undercast.services.logs import intake as lines
from undercast.services.logs import live_tail, loops, subscriptions
from undercast.services.logs.insights import run
from undercast.services.registry import discover
from undercast.services.scheduler import models as scheduler
from undercast.services.sns import http_target as sns_endpoint
from undercast.services.sns import models as sns
from undercast.services.sqs import models as sqs
from undercast.services.xray import assembly, export, upkeep
from undercast.store import journal
from undercast.wire import model, multipart
from undercast.wire.bodies import GUEST_BYTES, GUESTS_BYTES, HELD_BYTES, OPERATION_BYTES, UNSIGNED_BYTES
from undercast.wire.sigv4_time import SKEW_S

KIB, GIB = 1024, 1024**3


def test_limits_of_a_connection() -> None:
    """64 KiB of head, 6 GiB of body, 20 s for a head, 64 waiting requests, 4,096 connections."""
    limits = HttpLimits()
    assert (limits.max_head_bytes, limits.max_body_bytes) == (64 * KIB, 6 * GIB)
    assert (limits.head_timeout_s, limits.body_timeout_s) == (20.0, 20.0)
    assert (limits.max_pipelined, limits.max_connections, INNER_CONNECTIONS) == (64, 4096, 256)
    assert (limits.min_body_rate, limits.write_timeout_s, limits.held_bytes) == (16.0, 60.0, 64 * 1024 * KIB)
    assert (limits.max_headers, FRAMING_EACH, INNER_UNREAD_BYTES) == (512, 16, 256 * 1024 * KIB)
    fields = Config.__dataclass_fields__
    assert (fields["max_head_bytes"].default, fields["max_body_bytes"].default) == (64 * KIB, 6 * GIB)


def test_limits_of_http2() -> None:
    """A body of 16 MiB, 128 handlers, 16 KiB of room in 60 s."""
    assert (http2.MAX_BODY_BYTES, http2.MAX_STREAMS, outflow.LEAST_BYTES) == (16 * 1024 * KIB, 128, 16 * KIB)
    assert HttpLimits().write_timeout_s == 60.0


def test_bodies_that_are_parsed_whole() -> None:
    """8 MiB, 1 MiB unsigned; 768 MiB at once, 256 MiB of guests, 96 MiB of one; more for three services."""
    mib = 1024 * KIB
    assert (8 * mib, mib) == (OPERATION_BYTES, UNSIGNED_BYTES)
    assert (768 * mib, 256 * mib, 96 * mib) == (HELD_BYTES, GUESTS_BYTES, GUEST_BYTES)
    largest = {manifest.name: dict(manifest.largest) for manifest in discover() if manifest.largest}
    packages = dict.fromkeys(("CreateFunction", "UpdateFunctionCode", "PublishLayerVersion"), 96 * mib)
    events = dict.fromkeys(("Invoke", "InvokeAsync", "InvokeWithResponseStream"), 32 * mib)
    assert largest == {"dynamodb": {"": 16 * mib}, "kinesis": {"": 32 * mib}, "lambda": packages | events}


def test_clock_skew() -> None:
    """AWS allows 15 minutes."""
    assert SKEW_S == 15 * 60


def test_models_and_forms() -> None:
    """Shapes of 6 services and names of 64 are held; 20 KiB of fields stand before a form's file."""
    assert (model.KEPT_SHAPES, model.KEPT_MODELS, multipart.MAX_BYTES_BEFORE_FILE) == (6, 64, 20 * KIB)


def test_streamed_responses() -> None:
    """200 MB, as on AWS; 256 KiB are read ahead."""
    assert (response_stream.MAX_STREAM_BYTES, response_stream.HIGH_BYTES) == (200 * 1024 * KIB, 256 * KIB)


def test_telemetry_of_an_environment() -> None:
    """8 MiB of all its subscribers."""
    assert Budget().limit_bytes == 8 * 1024 * KIB


def test_code_of_functions() -> None:
    """75 GB of an account and region, as on AWS; 20,000 files of a folder."""
    assert (functions.MAX_CODE_BYTES, hot_reload.MAX_FILES) == (75 * GIB, 20_000)


def test_inits_at_once() -> None:
    """Twice as many as the machine has cores."""
    assert machine.machine_limits(Config(data_dir=Path())).inits == 2 * (os.cpu_count() or 1)


def test_metrics_are_written_every_second() -> None:
    """What services measured waits so long in memory."""
    assert intake.ROUND_S == 1.0


def test_journal_batch() -> None:
    """What a SIGKILL may lose."""
    assert (journal.BATCH_S, journal.BATCH_ROWS) == (0.1, 1000)


def test_log_subscriptions() -> None:
    """How long lines of functions wait in memory, and how often they lead to themselves."""
    assert (subscriptions.WINDOW_S, loops.MAX_REPEATS) == (0.5, 16)


def test_lines_of_functions() -> None:
    """256 KB with the 26 bytes that CloudWatch Logs counts for each, 32 MiB of one function; a tail's 500 and 3 h."""
    assert (log_pipes.MAX_EVENT_BYTES, lines.MAX_BACKLOG_BYTES) == (256 * KIB - 26, 32 * 1024 * KIB)
    assert (live_tail.MAX_EVENTS, live_tail.LONGEST_S) == (500, 3 * 3600)


def test_rows_of_logs_insights() -> None:
    """What a query keeps before it sorts or counts, and what it gives without a limit."""
    assert (run.MAX_ROWS, run.MAX_BYTES, run.DEFAULT_LIMIT) == (200_000, 64 * 1024 * 1024, 10_000)


def test_causal_edges() -> None:
    """24 hours of the platform clock, a million rows a file; a hundred of what filters leave out of a batch."""
    retention = Retention()
    assert (retention.age_s, retention.rows, FILTERED_NAMED) == (24 * 3600, 1_000_000, 100)


def test_traces_of_xray() -> None:
    """30 days, 2,600 segments and 4 MiB a second of an environment, 500 KB a trace, 4,096 documents for a collector."""
    assert (upkeep.RETENTION_S, xray_daemon.PACKETS_PER_S) == (30 * 86400, 2600)
    assert xray_daemon.BYTES_PER_S == 4 * 1024 * 1024
    assert (assembly.MAX_BYTES, export.MAX_QUEUED) == (500_000, 4096)


def test_deliveries_in_flight() -> None:
    """64 to one target."""
    assert inspect.signature(Router.__init__).parameters["in_flight_per_target"].default == 64


def test_deliveries_that_are_given_up() -> None:
    """Older than 24 hours and tried ten times."""
    assert (settlement.LAST_AGE_S, settlement.FEWEST_TRIES) == (24 * 3600, 10)


def test_batches_at_once() -> None:
    """Five of a queue, and 300 more a minute; as on AWS."""
    assert (poller.FIRST_BATCHES, 60 * poller.MORE_PER_S) == (5, 300)


def test_records_that_filters_leave_out() -> None:
    """How many, or how long, before their place is kept."""
    assert (lane.MOST_PASSED_OVER, lane.LONGEST_PASSED_OVER_S) == (1000, 10.0)


def test_streams() -> None:
    """Kinesis: 24 h to a year, iterators and subscriptions 5 min, the first 5 s; of tables shards 4 h, records 24 h."""
    assert (settings.LEAST_HOURS, settings.MOST_HOURS, records.ITERATOR_LIFE_S) == (24, 8760, 300.0)
    assert (fan_out.SESSION_S, fan_out.UNDISTURBED_S, fan_out.HEARTBEAT_S) == (300.0, 5.0, 5.0)
    assert (table_streams.SHARD_LIFE_S, table_streams.RETENTION_S) == (4 * 3600, 24 * 3600)


def test_tokens_and_deduplication() -> None:
    """A ClientRequestToken of DynamoDB is good for 10 minutes, a deduplication id of SQS and SNS for 5, as on AWS."""
    assert (transactions.TOKEN_S, sqs.DEDUPLICATION_S, sns.DEDUPLICATION_S) == (600.0, 300.0, 300.0)


def test_message_groups_in_memory() -> None:
    """1,024 of a target, 16 deliveries each before another one has its place."""
    assert (message_groups.MOST_OPEN, message_groups.TURN) == (1024, 16)


def test_a_stop() -> None:
    """60 s behind a start: work and requests end by the 12th, sandboxes by the 50th, logs by the 55th."""
    assert (ending.WORK_S, ending.SANDBOXES_S, ending.REST_S, ending.FILES_S) == (12.0, 50.0, 55.0, 60.0)
    assert ending.START_S == 30.0
    assert (stopping.GRACE_S, stopping.LEAST_GRACE_S, stopping.PART_S) == (5.0, 2.0, 10.0)
    assert inspect.signature(stop).parameters["wait"].default == 15.0
    own = stopping.QUIESCE_S + LAST_S + stopping.RELEASE_S + stopping.LEAST_GRACE_S
    assert own <= ending.WORK_S  # one that hangs takes nothing from requests


def test_init_limit() -> None:
    """AWS caps INIT at 10 s."""
    assert (INIT_TIMEOUT_S, PROVISIONED_INIT_TIMEOUT_S) == (10.0, 130.0)


def test_idle_environments() -> None:
    """An environment that nobody uses is shut down after ten minutes."""
    assert Config.__dataclass_fields__["idle_timeout_s"].default == 600.0


def test_the_way_out_of_a_sandbox() -> None:
    """1,024 DNS questions a second and 350 s of silence, as on AWS; 256 connections; 2 names at a time, 64 of all."""
    assert (resolver.QUESTIONS, relay.MAX_CONNECTIONS, relay.IDLE_S) == (1024, 256, 350.0)
    assert (upstream.LOOKUPS, upstream.SERVICE_LOOKUPS) == (2, 64)


def test_container_images() -> None:
    """What is unpacked at most, and how long a registry is waited for."""
    assert (unpack.MAX_IMAGE_BYTES, unpack.MAX_ENTRIES, manifest.MAX_LAYERS) == (10 * GIB, 500_000, 127)
    assert (library.LOOKUP_LIMIT_S, library.PULL_LIMIT_S) == (60.0, 3600.0)
    assert (pulling.MIN_RATE, pulling.SPAN_S, download.MAX_BREAKS) == (16 * KIB, 30.0, 20)
    assert (1 << compression.WINDOW_LOG, entries.MAX_MEMBERS) == (128 * 1024 * KIB, 1_000_000)


def test_debuggers() -> None:
    """Clients of one function, functions at once."""
    assert (port.MAX_CLIENTS, registry.MAX_FUNCTIONS) == (16, 64)


def test_imports_of_tables() -> None:
    """One record, and the members of one GZIP object."""
    assert (import_reader.MAX_RECORD_BYTES, import_reader.MAX_MEMBERS) == (16 * 1024 * KIB, 100_000)


def test_endpoints_are_waited_for() -> None:
    """A topic's endpoint 15 s, an API destination 5 s, as AWS does."""
    assert (sns_endpoint.TIMEOUT_S, api_destination.TIMEOUT_S) == (15.0, 5.0)


def test_targets_without_a_retry_policy() -> None:
    """185 times within 24 hours: a rule's target and a schedule's."""
    target = Target(id="t", arn="arn:aws:sqs:us-east-1:111122223333:q", given={})
    assert (target.attempts, target.age_s) == (185, 24 * 3600)
    assert (scheduler.DEFAULT_ATTEMPTS, scheduler.DEFAULT_AGE_S) == (185, 24 * 3600)
