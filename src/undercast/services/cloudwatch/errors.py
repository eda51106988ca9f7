"""CloudWatch's errors, in AWS's words.

AWS: CloudWatch API Reference, the errors of each operation and "Common errors"; the texts are the service's answers, or
ours where the documentation gives none.
"""

from collections.abc import Sequence

from undercast.core.errors import ServiceError


def invalid_value(message: str) -> ServiceError:
    """A parameter has a value that it cannot have."""
    return ServiceError("InvalidParameterValueException", message)


def invalid_combination(message: str) -> ServiceError:
    """Parameters that exclude each other, or that ask for too much together."""
    return ServiceError("InvalidParameterCombinationException", message)


def missing(message: str) -> ServiceError:
    """A parameter that is needed is not there."""
    return ServiceError("MissingRequiredParameterException", message)


def invalid(message: str) -> ServiceError:
    """What AWS answers where an operation models no error for it."""
    return ServiceError("ValidationError", message)


def no_alarms(names: Sequence[str]) -> ServiceError:
    """No alarm of these names."""
    return ServiceError("ResourceNotFound", f"Unknown alarm {', '.join(names)}", 404)


def bad_token() -> ServiceError:
    """The token of a page is none of ours."""
    return ServiceError("InvalidNextToken", "Invalid NextToken")
