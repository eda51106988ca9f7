"""Pipes' errors, in AWS's words.

AWS: EventBridge Pipes API Reference, the errors of each operation.
"""

from undercast.core.errors import ServiceError


def invalid(text: str) -> ServiceError:
    """A parameter has a value that it cannot have."""
    return ServiceError("ValidationException", text)


def no_pipe(name: str) -> ServiceError:
    """No such pipe."""
    return ServiceError("NotFoundException", f"Pipe {name} does not exist.", 404)


def conflict(text: str) -> ServiceError:
    """The name is taken, or the pipe is under way from one state to another."""
    return ServiceError("ConflictException", text, 409)
