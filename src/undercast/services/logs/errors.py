"""CloudWatch Logs' errors, in AWS's words. AWS: CloudWatch Logs API Reference, "Common errors"."""

from undercast.core.errors import ServiceError


def invalid(message: str) -> ServiceError:
    """A parameter is wrong."""
    return ServiceError("InvalidParameterException", message)


def no_group() -> ServiceError:
    """No such log group."""
    return ServiceError("ResourceNotFoundException", "The specified log group does not exist.")


def no_stream() -> ServiceError:
    """No such log stream."""
    return ServiceError("ResourceNotFoundException", "The specified log stream does not exist.")


def exists(what: str) -> ServiceError:
    """A group or stream of this name is there."""
    return ServiceError("ResourceAlreadyExistsException", f"The specified log {what} already exists")
