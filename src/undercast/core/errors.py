"""The one error that AWS operations raise.

Raised where the fact is known; turned into each protocol's shape by `wire.encode` and nowhere else.
AWS: "Common errors" of every service's API reference.
"""

from collections.abc import Mapping
from typing import Any, Literal

Fault = Literal["client", "server"]


class ServiceError(Exception):
    """An AWS error response.

    `code` is AWS's error code ("NoSuchKey"), `message` its text, `status` the HTTP status. `members` are further
    modelled members of the error shape by their AWS names (BucketName, Reason, Type); `headers` go out as they are.
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        status: int = 400,
        *,
        members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.fault: Fault = "server" if status >= 500 else "client"
        self.members: Mapping[str, Any] = members or {}
        self.headers: Mapping[str, str] = headers or {}


def access_denied(principal_arn: str, action: str, resource: str, because: str) -> ServiceError:
    """The text that IAM gives: IAM User Guide, "Troubleshoot access denied error messages".

    `because` is "no ... policy allows the ... action", "with an explicit deny in ..." or "" where AWS gives no reason.
    """
    reason = f" because {because}" if because.startswith("no ") else f" {because}" if because else ""
    text = f"User: {principal_arn} is not authorized to perform: {action} on resource: {resource}{reason}"
    return ServiceError("AccessDeniedException", text, 403)


def not_implemented(service: str, operation: str) -> ServiceError:
    """The answer to an operation of AWS that this platform lacks. It names itself; see docs/services/."""
    text = f"Undercast does not implement {service}:{operation}. docs/services/ lists what it does."
    return ServiceError("NotImplemented", text, 501)


def could_not_start(error: BaseException) -> ServiceError:
    """The answer to who has waited for a platform that does not come. AWS: "Common errors", ServiceUnavailable, 503."""
    text = f"the platform could not start: {error or type(error).__name__}"
    return ServiceError("ServiceUnavailable", text, 503)


def refused_member(operation: str, member: str, reason: str) -> ServiceError:
    """The answer to a parameter whose effect is missing here (I9: *refused*)."""
    text = f"Undercast does not support the parameter {member} of {operation}: {reason}"
    return ServiceError("NotImplemented", text, 501)
