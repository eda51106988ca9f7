"""An operation by its SDK's name with its parameters as JSON: what a schedule of the user's says to call.

Members have their names in the model, whatever the protocol calls them; a blob is text. The parameters are checked as
those of a request are. AWS: EventBridge Scheduler User Guide, "Using universal targets".
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from undercast.core.errors import ServiceError
from undercast.wire import in_process
from undercast.wire.model import catalogue
from undercast.wire.protocols.json import plain_trees
from undercast.wire.protocols.tree import TreeCompiler

_BY_SDK: Mapping[str, str] = MappingProxyType(
    {
        "cloudwatchlogs": "logs",
        "cognitoidentityprovider": "cognito-idp",
        "elasticloadbalancingv2": "elbv2",
        "eventbridge": "events",
        "sfn": "stepfunctions",
    }
)
"""SDKs' names that are not botocore's."""


def operation_of(service: str, action: str) -> tuple[str, str] | None:
    """botocore's service and the operation that e.g. "sqs" and "sendMessage" mean; None for what AWS does not have."""
    name = _BY_SDK.get(service, service)
    if name not in catalogue().entries or not action:
        return None
    operation = action[0].upper() + action[1:]
    return (name, operation) if operation in catalogue().service(name).operations else None


def parameters_of(service: str, operation: str, document: Any) -> dict[str, Any]:
    """The parameters in a JSON document. Raises the service's own validation errors."""
    model = catalogue().service(service).operations[operation]
    if not isinstance(document, dict):
        raise ServiceError("ValidationException", "The input must be a JSON object.")
    unknown = next((name for name in document if name not in model.input.members), None)
    if unknown is not None:
        raise ServiceError("ValidationException", f"The field {unknown!r} is not a parameter of {operation}.")
    params: dict[str, Any] = _trees(service).reader(model.input)(document)
    in_process.check(service, operation, params)
    return params


@cache
def _trees(service: str) -> TreeCompiler:
    return plain_trees()
