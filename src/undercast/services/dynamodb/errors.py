"""DynamoDB's errors, in AWS's words.

AWS: DynamoDB API Reference, "Common Errors" and the errors of each operation; the texts are the service's answers.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.errors import ServiceError


def invalid(message: str) -> ServiceError:
    """A parameter or a combination that cannot be."""
    return ServiceError("ValidationException", message)


def invalid_value(message: str) -> ServiceError:
    """The same with DynamoDB's usual introduction."""
    return invalid(f"One or more parameter values were invalid: {message}")


def wrong_key() -> ServiceError:
    """A Key that has not exactly the table's key attributes, in their types."""
    return invalid("The provided key element does not match the schema")


def no_resource(name: str = "") -> ServiceError:
    """No such table; data operations do not say which."""
    shown = f": Table: {name} not found" if name else ""
    return ServiceError("ResourceNotFoundException", f"Requested resource not found{shown}")


def key_refused(error: ServiceError) -> ServiceError:
    """KMS does not let the caller use the key of a table."""
    return ServiceError("AccessDeniedException", f"KMS key access denied error: {error.message}")


def in_use(message: str) -> ServiceError:
    """A table that is there already, or is being changed."""
    return ServiceError("ResourceInUseException", message)


def condition_failed(item: Mapping[str, Any] | None = None) -> ServiceError:
    """`item` is what is there, where the request wants to see it."""
    members = {} if item is None else {"Item": item}
    return ServiceError("ConditionalCheckFailedException", "The conditional request failed", members=members)


def duplicate() -> ServiceError:
    """An INSERT of a key that is there."""
    return ServiceError("DuplicateItemException", "Duplicate primary key exists in table")
