"""What a pipe may be made of.

Pure. AWS: EventBridge Pipes API Reference, CreatePipe; User Guide, "Amazon EventBridge Pipes
sources", "targets", "Batching behavior".
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.arn import is_fifo
from undercast.core.context import RequestContext
from undercast.core.errors import refused_member
from undercast.events.patterns import InvalidPattern
from undercast.services.event_sources.queue_events import patterns_of
from undercast.services.pipes.errors import invalid
from undercast.services.pipes.models import SOURCE_PARAMETERS
from undercast.services.pipes.targets import MOST

_TARGET_PARAMETERS: Mapping[str, str] = {
    "lambda": "LambdaFunctionParameters",
    "sqs": "SqsQueueParameters",
    "events": "EventBridgeEventBusParameters",
    "kinesis": "KinesisStreamParameters",
    "logs": "CloudWatchLogsParameters",
}
_RESOURCES: Mapping[str, str] = {
    "lambda": "function:",
    "events": "event-bus/",
    "kinesis": "stream/",
    "dynamodb": "table/",
    "logs": "log-group:",
}
"""How what a pipe uses begins in an ARN of its service."""
_NO_SUCH = "there is no such source or target here"
_BROKERS = ("ActiveMQBrokerParameters", "RabbitMQBrokerParameters", "ManagedStreamingKafkaParameters",
            "SelfManagedKafkaParameters")  # fmt: skip
_LATER = ("StepFunctionStateMachineParameters", "EcsTaskParameters", "BatchJobParameters", "HttpParameters",
          "RedshiftDataParameters", "SageMakerPipelineParameters", "TimestreamParameters")  # fmt: skip


def service_of(arn: str, member: str) -> str:
    """The service in an ARN. Raises ValidationException."""
    fields = arn.split(":", 5)
    if len(fields) != 6 or fields[0] != "arn" or not fields[5]:
        raise invalid(f"Invalid {member} ARN: {arn}")
    return fields[2]


def _check_resource(arn: str, member: str) -> None:
    service, resource = service_of(arn, member), arn.split(":", 5)[5]
    if not resource.startswith(_RESOURCES.get(service, "")) or (service == "dynamodb" and "/stream/" not in resource):
        raise invalid(f"Invalid {member} ARN: {arn}")


def check(ctx: RequestContext, given: Mapping[str, Any]) -> None:
    """Raises ValidationException, or names what is missing here."""
    source, target = service_of(given["Source"], "source"), service_of(given["Target"], "target")
    for member, names in (("SourceParameters", _BROKERS), ("TargetParameters", _LATER)):
        for name in names:
            if name in (given.get(member) or {}):
                raise refused_member(ctx.operation, f"{member}.{name}", _NO_SUCH)
    if source not in SOURCE_PARAMETERS:
        raise refused_member(ctx.operation, f"Source={given['Source']}", _NO_SUCH)
    if target not in _TARGET_PARAMETERS and target != "sns":
        raise refused_member(ctx.operation, f"Target={given['Target']}", _NO_SUCH)
    if ":api-destination/" in given["Target"]:
        raise refused_member(ctx.operation, f"Target={given['Target']}", "API destinations are targets of rules here")
    _check_resource(given["Source"], "source")
    _check_resource(given["Target"], "target")
    _check_source(source, given)
    _check_target(ctx, target, given)
    _check_enrichment(ctx, given)
    _check_batch(source, target, given)


def _check_source(source: str, given: Mapping[str, Any]) -> None:
    parameters = given.get("SourceParameters") or {}
    wrong = [name for service, name in SOURCE_PARAMETERS.items() if service != source and name in parameters]
    if wrong:
        raise invalid(f"{wrong[0]} do not fit the source {given['Source']}.")
    own = parameters.get(SOURCE_PARAMETERS[source]) or {}
    if source != "sqs" and "StartingPosition" not in own:
        raise invalid(f"{SOURCE_PARAMETERS[source]}.StartingPosition must be specified.")
    if own.get("StartingPosition") == "AT_TIMESTAMP" and "StartingPositionTimestamp" not in own:
        raise invalid("StartingPositionTimestamp must be specified for AT_TIMESTAMP.")
    if is_fifo(given["Source"]) and own.get("MaximumBatchingWindowInSeconds"):
        raise invalid("Batching window is not supported for FIFO queues.")
    if source == "sqs" and own.get("BatchSize", 10) > 10 and not own.get("MaximumBatchingWindowInSeconds"):
        raise invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")
    letters = (own.get("DeadLetterConfig") or {}).get("Arn", "")
    if letters and service_of(letters, "dead-letter") not in ("sqs", "sns"):
        raise invalid(f"Invalid dead-letter ARN: {letters}")
    try:
        patterns_of(parameters.get("FilterCriteria") or {})
    except InvalidPattern as error:
        raise invalid(f"Invalid filter pattern definition. {error}") from error
    except (ValueError, RecursionError):
        raise invalid("Invalid filter pattern definition.") from None


def _check_target(ctx: RequestContext, target: str, given: Mapping[str, Any]) -> None:
    parameters = given.get("TargetParameters") or {}
    wrong = [name for service, name in _TARGET_PARAMETERS.items() if service != target and name in parameters]
    if wrong:
        raise invalid(f"{wrong[0]} do not fit the target {given['Target']}.")
    if "EndpointId" in (parameters.get("EventBridgeEventBusParameters") or {}):
        member = "TargetParameters.EventBridgeEventBusParameters.EndpointId"
        raise refused_member(ctx.operation, member, "there are no global endpoints here")
    if target == "kinesis" and not (parameters.get("KinesisStreamParameters") or {}).get("PartitionKey"):
        raise invalid("KinesisStreamParameters.PartitionKey must be specified.")
    if is_fifo(given["Target"]) and target == "sqs":
        if not (parameters.get("SqsQueueParameters") or {}).get("MessageGroupId"):
            raise invalid("SqsQueueParameters.MessageGroupId must be specified for a FIFO queue.")
    elif is_fifo(given["Target"]):
        raise invalid("FIFO topics are no targets of pipes.")


def _check_enrichment(ctx: RequestContext, given: Mapping[str, Any]) -> None:
    arn = given.get("Enrichment")
    if arn and service_of(arn, "enrichment") != "lambda":
        raise refused_member(ctx.operation, f"Enrichment={arn}", "only functions enrich here")
    if arn:
        _check_resource(arn, "enrichment")
    if "HttpParameters" in (given.get("EnrichmentParameters") or {}):
        raise refused_member(ctx.operation, "EnrichmentParameters.HttpParameters", "only functions enrich here")


def _check_batch(source: str, target: str, given: Mapping[str, Any]) -> None:
    own = (given.get("SourceParameters") or {}).get(SOURCE_PARAMETERS[source]) or {}
    size = own.get("BatchSize")
    if size is not None and target in MOST and size > MOST[target]:
        raise invalid(f"BatchSize must be at most {MOST[target]} for the target {given['Target']}.")
