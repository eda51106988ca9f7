"""SNS's errors, in AWS's words.

Codes are the names of the shapes; the wire turns them into "InvalidParameter", "NotFound" and so on.
AWS: SNS API Reference, the errors of each operation; the texts are the service's answers.
"""

from undercast.core.errors import ServiceError


def invalid(text: str) -> ServiceError:
    """A parameter has a value that it cannot have: `text` is its name, and the reason where AWS gives one."""
    return ServiceError("InvalidParameterException", f"Invalid parameter: {text}")


def invalid_of(name: str, reason: str) -> ServiceError:
    """The same, in the form that gives name and reason."""
    return invalid(f"{name} Reason: {reason}")


def invalid_attribute_value(text: str) -> ServiceError:
    """A message attribute cannot be so."""
    return ServiceError("InvalidParameterValueException", text)


def no_topic() -> ServiceError:
    """No such topic."""
    return ServiceError("NotFoundException", "Topic does not exist", 404)


def no_subscription() -> ServiceError:
    """No such subscription."""
    return ServiceError("NotFoundException", "Subscription does not exist", 404)


def no_resource() -> ServiceError:
    """What is to be tagged is not there."""
    return ServiceError("ResourceNotFoundException", "Resource does not exist", 404)


def not_allowed(text: str) -> ServiceError:
    """The caller may not do this, whatever the policies say."""
    return ServiceError("AuthorizationErrorException", text, 403)
