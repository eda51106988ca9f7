"""Parameters of calls between services: held to the model's constraints as those of a request are (I9).

They never were bytes, so nothing is parsed; errors have the words of the service's own protocol. Compiled at the first
call of an operation. AWS: see `validate`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from undercast.core.errors import ServiceError
from undercast.wire.call import Protocol
from undercast.wire.model import catalogue
from undercast.wire.validate import Validator, compile_validator


def check(service: str, operation: str, params: Mapping[str, Any]) -> None:
    """Raises the service's own validation error."""
    validate = _validator(service, operation)
    if validate is None:
        return
    try:
        validate(params)
    except RecursionError:
        raise ServiceError("SerializationException", "The parameters are nested too deeply.") from None


@cache
def _validator(service: str, operation: str) -> Validator | None:
    model = catalogue().service(service)
    return compile_validator(model.operations[operation], cast(Protocol, model.protocols[0]))
