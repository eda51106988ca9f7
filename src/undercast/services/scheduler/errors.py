"""Scheduler's errors, in AWS's words.

AWS: EventBridge Scheduler API Reference, the errors of each operation; the texts are the service's answers.
"""

from undercast.core.errors import ServiceError


def invalid(text: str) -> ServiceError:
    """A parameter has a value that it cannot have."""
    return ServiceError("ValidationException", text)


def no_schedule(name: str) -> ServiceError:
    """No such schedule."""
    return ServiceError("ResourceNotFoundException", f"Schedule {name} does not exist.", 404)


def no_group(name: str) -> ServiceError:
    """No such group."""
    return ServiceError("ResourceNotFoundException", f"Schedule group {name} does not exist.", 404)


def conflict(text: str) -> ServiceError:
    """The name is taken."""
    return ServiceError("ConflictException", text, 409)
