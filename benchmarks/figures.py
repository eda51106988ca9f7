"""The figures that the issue promises: which measurement over which, and the bound of the ratio. Data alone.

`benchmarks/judging.py` judges them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Round = Mapping[str, float]
"""Measurement name -> value in its unit, of one round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One promise. `over` None: `ours` is judged by itself, in its own unit. With `above`, both count from there on."""

    name: str
    ours: str
    over: str | None
    bound: float
    at_least: bool = False
    unit: str = "ms"
    above: str | None = None


CALLS = (
    ("DynamoDB put", "dynamodb_put"),
    ("DynamoDB get", "dynamodb_get"),
    ("SQS send", "sqs_send"),
    ("SQS receive", "sqs_receive"),
    ("SQS delete", "sqs_delete"),
    ("SNS publish", "sns_publish"),
    ("Kinesis put", "kinesis_put"),
)
SOURCES = (("SNS", "sns", 2.0), ("SQS", "sqs", 3.0), ("DynamoDB stream", "dynamodb", 4.0), ("Kinesis", "kinesis", 4.0))
"""The issue's bounds (ms) from a source to the handler's first line; it does not say where the clock starts."""
FIGURES = (
    Figure(name="warm invoke / floor", ours="warm_ours", over="warm_floor", bound=1.5),
    Figure(name="warm invoke / serverless-offline", ours="warm_ours", over="warm_sls", bound=0.6),
    Figure(name="throughput 8 / floor", ours="rps8_ours", over="rps8_floor", bound=0.6, at_least=True, unit="1/s"),
    Figure(
        name="throughput 32 / throughput 8", ours="rps32_ours", over="rps8_ours", bound=0.8, at_least=True, unit="1/s"
    ),
    Figure(name="cold first invoke / cold floor", ours="cold_ours", over="cold_floor", bound=0.3),
    Figure(name="cold start, Python / cold floor", ours="cold_ours_p50", over="cold_floor", bound=0.2),
    Figure(name="cold start, Go / bare binary", ours="cold_go_ours", over="cold_go_floor", bound=4.0),
    Figure(name="cold start, Node / aws-lambda-ric", ours="cold_node_ours", over="cold_node_floor", bound=0.2),
    Figure(name="freeze and thaw, p50 above the floor's pause", ours="thaw_above_floor", over=None, bound=1.0),
    Figure(
        name="frozen environments in 8 GiB, projected",
        ours="dense_fit_8gib",
        over=None,
        bound=1000.0,
        at_least=True,
        unit="each",
    ),
    Figure(name="start to ready / ministack", ours="start_ours", over="start_ministack", bound=0.5),
    Figure(
        name="start to first answered ListBuckets / ministack",
        ours="first_list_ours",
        over="first_list_ministack",
        bound=0.5,
    ),
    Figure(name="idle memory", ours="idle_ours", over=None, bound=70.0, unit="MiB"),
    Figure(name="idle sandbox - runtime's own", ours="sandbox_extra", over=None, bound=1.0, unit="MiB"),
    Figure(name="S3 put 1 KiB / ministack", ours="put1k_ours", over="put1k_ministack", bound=0.5),
    Figure(name="S3 get 1 KiB / ministack", ours="get1k_ours", over="get1k_ministack", bound=0.5),
    Figure(
        name="S3 put 8 MiB / ministack",
        ours="put8m_ours",
        over="put8m_ministack",
        bound=2.0,
        at_least=True,
        unit="MiB/s",
    ),
    Figure(
        name="S3 put 1 KiB above boto3 / ministack's",
        ours="put1k_ours",
        over="put1k_ministack",
        bound=0.5,
        above="put1k_boto3",
    ),
    Figure(
        name="S3 get 1 KiB above boto3 / ministack's",
        ours="get1k_ours",
        over="get1k_ministack",
        bound=0.5,
        above="get1k_boto3",
    ),
    Figure(
        name="S3 put 8 MiB above boto3 / ministack's",
        ours="put8m_ms_ours",
        over="put8m_ms_ministack",
        bound=0.5,
        above="put8m_ms_boto3",
    ),
    Figure(name="put to handler's first line / ministack", ours="event_ours", over="event_ministack", bound=1.0),
    *(
        Figure(
            name=f"{shown} through boto3 / ministack",
            ours=f"{measurement}_ours",
            over=f"{measurement}_ministack",
            bound=0.5,
        )
        for shown, measurement in CALLS
    ),
    *(
        Figure(
            name=f"{shown} above boto3 / ministack's",
            ours=f"{measurement}_ours",
            over=f"{measurement}_ministack",
            bound=0.5,
            above=f"{measurement}_boto3",
        )
        for shown, measurement in CALLS
    ),
    *(
        Figure(name=f"{shown} through boto3 / moto", ours=f"{measurement}_ours", over=f"{measurement}_moto", bound=1.0)
        for shown, measurement in CALLS
    ),
    Figure(
        name="DynamoDB put through boto3 / DynamoDB Local",
        ours="dynamodb_put_ours",
        over="dynamodb_put_ddblocal",
        bound=1.0,
    ),
    Figure(
        name="DynamoDB get through boto3 / DynamoDB Local",
        ours="dynamodb_get_ours",
        over="dynamodb_get_ddblocal",
        bound=1.0,
    ),
    Figure(name="SQS long poll wakes", ours="poll_wakes_ours", over=None, bound=2.0),
    *(
        Figure(
            name=f"{shown}, {clock} to handler's first line",
            ours=f"{measurement}_event{way}_ours",
            over=None,
            bound=bound,
        )
        for clock, way in (("request's first byte", "_raw"), ("boto3's call", ""))
        for shown, measurement, bound in SOURCES
    ),
    Figure(
        name="burst of 10,000 messages through SQS, function, DynamoDB / ministack",
        ours="burst_ours",
        over="burst_ministack",
        bound=3.0,
        at_least=True,
        unit="1/s",
    ),
    Figure(name="burst of 10,000 messages, lost", ours="burst_lost_ours", over=None, bound=0.0, unit="messages"),
    Figure(
        name="page of a query in 1,000,000 items / in 10,000",
        ours="page100_1m_ours",
        over="page100_10k_ours",
        bound=1.5,
    ),
    Figure(
        name="page of an index in 1,000,000 items / in 10,000",
        ours="page100_index_1m_ours",
        over="page100_index_10k_ours",
        bound=1.5,
    ),
    Figure(
        name="page of 1,000 items / of 100, in 1,000,000", ours="page1000_1m_ours", over="page100_1m_ours", bound=10.0
    ),
    Figure(
        name="warm invoke beside a bucket that triggers itself / alone",
        ours="neighbour_beside",
        over="neighbour_alone",
        bound=3.0,
    ),
    Figure(
        name="save in a mounted folder to the next answer / cold floor", ours="edit_ours", over="edit_floor", bound=0.5
    ),
    Figure(name="streaming, handler's write to first byte", ours="stream_first_byte", over=None, bound=2.0),
    Figure(name="what an extension with INVOKE adds to a warm invoke", ours="extension_adds", over=None, bound=0.3),
    Figure(name="what an extension with INVOKE adds in a row", ours="extension_row_adds", over=None, bound=0.3),
    Figure(name="what an extension with INVOKE adds to Duration", ours="extension_duration_adds", over=None, bound=0.3),
    Figure(name="event-loop lag p99, 8 MiB puts", ours="lag_put8m_wait_p99", over=None, bound=20.0),
    Figure(name="event-loop lag p99, CreateFunction of 50 MB", ours="lag_create50m_wait_p99", over=None, bound=20.0),
)
