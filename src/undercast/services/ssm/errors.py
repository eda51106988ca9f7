"""Parameter Store's errors, in AWS's words.

AWS: Systems Manager API Reference, the errors of each operation; the texts are the service's answers.
"""

from undercast.core.errors import ServiceError


def invalid(message: str) -> ServiceError:
    """A parameter or a combination that cannot be."""
    return ServiceError("ValidationException", message)


def not_found(name: str = "") -> ServiceError:
    """No such parameter."""
    return ServiceError("ParameterNotFound", f"Parameter {name} not found." if name else "")


def no_version(name: str, selector: str) -> ServiceError:
    """The parameter has not this version or label."""
    text = f"Systems Manager could not find version {selector} of {name}. Verify the version and try again."
    return ServiceError("ParameterVersionNotFound", text)


def exists() -> ServiceError:
    """The name is taken and Overwrite was not set."""
    text = "The parameter already exists. To overwrite this value, set the overwrite option in the request to true."
    return ServiceError("ParameterAlreadyExists", text)


def bad_token() -> ServiceError:
    """A NextToken that is none of ours."""
    return ServiceError("InvalidNextToken", "The specified token isn't valid.")
