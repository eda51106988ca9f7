"""EventBridge's errors, in AWS's words.

AWS: EventBridge API Reference, the errors of each operation; the texts are the service's answers.
"""

from undercast.core.errors import ServiceError


def invalid(text: str) -> ServiceError:
    """A parameter has a value that it cannot have."""
    return ServiceError("ValidationException", text)


def invalid_pattern(reason: str) -> ServiceError:
    """The event pattern is none."""
    return ServiceError("InvalidEventPatternException", f"Event pattern is not valid. Reason: {reason}")


def not_found(text: str) -> ServiceError:
    """What is asked for is not there."""
    return ServiceError("ResourceNotFoundException", text)


def no_bus(name: str) -> ServiceError:
    """No such event bus."""
    return not_found(f"Event bus {name} does not exist.")


def no_rule(name: str, bus: str) -> ServiceError:
    """No such rule."""
    return not_found(f"Rule {name} does not exist on EventBus {bus}.")


def exists(text: str) -> ServiceError:
    """The name is taken."""
    return ServiceError("ResourceAlreadyExistsException", text)


def too_many(text: str = "The requested resource exceeds the maximum number allowed.") -> ServiceError:
    """A quota is used up."""
    return ServiceError("LimitExceededException", text)
