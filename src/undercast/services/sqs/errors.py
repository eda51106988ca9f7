"""SQS's errors, in AWS's words.

AWS: SQS API Reference, the errors of each operation; the texts are the service's answers.
"""

from undercast.core.errors import ServiceError


def no_queue() -> ServiceError:
    """No such queue, or no such queue any more."""
    return ServiceError("QueueDoesNotExist", "The specified queue does not exist.")


def invalid_value(message: str) -> ServiceError:
    """A parameter has a value that it cannot have."""
    return ServiceError("InvalidParameterValue", message)


def invalid_value_of(name: str, value: object, reason: str) -> ServiceError:
    """The same, in the form that names parameter and value."""
    return invalid_value(f"Value {value} for parameter {name} is invalid. Reason: {reason}")


def missing(name: str) -> ServiceError:
    """A parameter that this queue needs is not there."""
    return ServiceError("MissingParameter", f"The request must contain the parameter {name}.")


def unknown_attribute(name: str) -> ServiceError:
    """No attribute of this name."""
    return ServiceError("InvalidAttributeName", f"Unknown Attribute {name}.")


def invalid_attribute(name: str, reason: str = "") -> ServiceError:
    """A queue attribute has a value that it cannot have."""
    behind = f" Reason: {reason}" if reason else ""
    return ServiceError("InvalidAttributeValue", f"Invalid value for the parameter {name}.{behind}")


def bad_receipt_handle(handle: str) -> ServiceError:
    """Text that is no receipt handle of ours."""
    return ServiceError("ReceiptHandleIsInvalid", f'The input receipt handle "{handle}" is not a valid receipt handle.')


def no_resource(message: str) -> ServiceError:
    """What a message move task names is not there."""
    return ServiceError("ResourceNotFoundException", message, 404)


def unsupported(message: str) -> ServiceError:
    """The operation cannot be done on this queue."""
    return ServiceError("UnsupportedOperation", message)
