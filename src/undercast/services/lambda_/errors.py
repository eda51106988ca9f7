"""Lambda's errors, in AWS's words.

Every modelled error of Lambda carries `Type`: who caused it.
AWS: Lambda API Reference, "Common errors" and the "Errors" section of each operation.
"""

from undercast.core.errors import ServiceError


def user_error(code: str, message: str, status: int = 400, **members: str) -> ServiceError:
    """An error that the caller caused."""
    return ServiceError(code, message, status, members={"Type": "User", **members})


def invalid(message: str) -> ServiceError:
    """A parameter is wrong."""
    return user_error("InvalidParameterValueException", message)


def unmet_constraint(value: object, member: str, constraint: str) -> ServiceError:
    """The text of AWS's own request validation, for limits that are tighter than the model's."""
    text = f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
    return ServiceError("ValidationException", text)


def function_not_found(arn: str) -> ServiceError:
    """No such function, version or alias."""
    return user_error("ResourceNotFoundException", f"Function not found: {arn}", 404)


def not_found(message: str) -> ServiceError:
    """Something else is missing."""
    return user_error("ResourceNotFoundException", message, 404)


def policy_not_found() -> ServiceError:
    """GetPolicy and RemovePermission where no permission was ever added."""
    return not_found("The resource you requested does not exist.")


def conflict(message: str) -> ServiceError:
    """The resource exists, or is busy with another change."""
    return user_error("ResourceConflictException", message, 409)


def not_in_state(state: str) -> ServiceError:
    """Lambda Developer Guide, "Lambda function states": calls on a Pending or Failed function."""
    return conflict(
        f"The operation cannot be performed at this time. The function is currently in the following state: {state}"
    )


def update_in_progress(arn: str) -> ServiceError:
    """A second change while LastUpdateStatus is InProgress."""
    return conflict(f"The operation cannot be performed at this time. An update is in progress for resource: {arn}")


def stale_revision(what: str = "GetFunction/GetAlias") -> ServiceError:
    """RevisionId is not the current one."""
    return user_error(
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. "
        f"Call the {what} API to retrieve the latest Revision Id",
        412,
    )


def throttled(reason: str) -> ServiceError:
    """429. Lambda Developer Guide, "Understanding Lambda function scaling". Model: Retry-After counts seconds."""
    members = {"Type": "User", "Reason": reason, "retryAfterSeconds": "1"}
    return ServiceError("TooManyRequestsException", "Rate Exceeded.", 429, members=members)


def too_many_requests() -> ServiceError:
    """429 of the control plane, in AWS's words: no full stop, and nothing of when to come again."""
    members = {"Type": "User", "Reason": "CallerRateLimitExceeded"}
    return ServiceError("TooManyRequestsException", "Rate exceeded", 429, members=members)


def too_large(message: str) -> ServiceError:
    """413: a payload or an upload is over its limit."""
    return ServiceError("RequestEntityTooLargeException", message, 413, members={"Type": "User"})


def code_storage_exceeded() -> ServiceError:
    """75 GB of code per account and region."""
    return user_error("CodeStorageExceededException", "Code storage limit exceeded.")
