"""X-Ray's errors. The API reference gives the codes and few texts: those without a source are ours.

AWS: X-Ray API Reference, the errors of each operation.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.errors import ServiceError


def invalid(text: str) -> ServiceError:
    """The request cannot be what was meant."""
    return ServiceError("InvalidRequestException", text)


def only_page(params: Mapping[str, Any]) -> None:
    """For answers that are one page, which never give a token. Raises InvalidRequestException where there is one."""
    if params.get("NextToken"):
        raise invalid("The NextToken is invalid.")


def not_found(arn: str) -> ServiceError:
    """Nothing that has tags has this ARN."""
    return ServiceError("ResourceNotFoundException", f"The resource {arn} was not found.", 404)
