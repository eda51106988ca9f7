"""Secrets Manager's errors, in AWS's words.

AWS: Secrets Manager API Reference, the errors of each operation; the texts are the service's answers.
"""

from undercast.core.errors import ServiceError


def not_found() -> ServiceError:
    """No such secret."""
    return ServiceError("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")


def no_value(what: str) -> ServiceError:
    """The secret has no such version; `what` is "staging label: AWSCURRENT" or "VersionId: ..."."""
    text = f"Secrets Manager can't find the specified secret value for {what}"
    return ServiceError("ResourceNotFoundException", text)


def invalid(message: str) -> ServiceError:
    """A parameter has a value that it cannot have."""
    return ServiceError("InvalidParameterException", message)


def refused(message: str) -> ServiceError:
    """The secret's state does not allow it."""
    return ServiceError("InvalidRequestException", message)


def deleted() -> ServiceError:
    """The secret is waiting for its end."""
    return refused("You can't perform this operation on the secret because it was marked for deletion.")


def exists(message: str) -> ServiceError:
    """The name or the token is taken."""
    return ServiceError("ResourceExistsException", message)


def no_function() -> ServiceError:
    """The function that is to rotate is not there; the text as moto's and LocalStack's tests have it."""
    return ServiceError("ResourceNotFoundException", "Lambda does not exist or could not be accessed")


def not_let_in() -> ServiceError:
    """The function's policy does not let Secrets Manager in; Terraform's provider waits for this text to go."""
    text = (
        "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access to "
        "the principal secretsmanager.amazonaws.com."
    )
    return ServiceError("AccessDeniedException", text)
