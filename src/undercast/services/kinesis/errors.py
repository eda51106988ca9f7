"""Kinesis's errors.

AWS: Kinesis API Reference, the errors of each operation. The texts are the service's answers where users have quoted
them; those about limits of a request, modes, policies and tags are ours.
"""

from undercast.core.arn import Scope
from undercast.core.errors import ServiceError


def invalid(text: str) -> ServiceError:
    """A value that is not possible."""
    return ServiceError("InvalidArgumentException", text)


def no_stream(scope: Scope, name: str) -> ServiceError:
    """There is no such stream."""
    return ServiceError("ResourceNotFoundException", f"Stream {name} under account {scope.account_id} not found.")


def no_shard(scope: Scope, stream: str, shard: str) -> ServiceError:
    """The stream has no such shard."""
    text = f"Could not find shard {shard} in stream {stream} under account {scope.account_id}."
    return ServiceError("ResourceNotFoundException", text)


def shard_is_gone(scope: Scope, stream: str, shard: str) -> ServiceError:
    """It would be a shard's name. AWS's text is another one then."""
    text = f"Shard {shard} in stream {stream} under account {scope.account_id} does not exist"
    return ServiceError("ResourceNotFoundException", text)


def no_consumer(name: str) -> ServiceError:
    """There is no such consumer."""
    return ServiceError("ResourceNotFoundException", f"Consumer {name} not found.")


def in_use(text: str) -> ServiceError:
    """It is there already, or somebody is using it."""
    return ServiceError("ResourceInUseException", text)


def limit(text: str) -> ServiceError:
    """More than an account or a stream may have."""
    return ServiceError("LimitExceededException", text)


def exceeded(scope: Scope, stream: str, shard: str) -> ServiceError:
    """A shard's throughput is used up."""
    text = f"Rate exceeded for shard {shard} in stream {stream} under account {scope.account_id}."
    return ServiceError("ProvisionedThroughputExceededException", text)


def dry_run() -> ServiceError:
    """The request would have succeeded."""
    return ServiceError(
        "DryRunOperationException", "The request would have succeeded, but the DryRun parameter was set."
    )
