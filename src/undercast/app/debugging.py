"""`POST /_undercast/debug`: start a function under its debugger, or no more; and what `start --debug` asks for.

AWS: none.
"""

from collections.abc import Mapping
from typing import Any

from undercast.app.errors import CannotStart
from undercast.core import json_values
from undercast.core.config import Config
from undercast.core.errors import ServiceError
from undercast.sandbox.debugging.port import PortTaken
from undercast.sandbox.debugging.registry import TooMany
from undercast.sandbox.pool import Pool


async def change(pool: Pool, body: bytes) -> Mapping[str, Any]:
    """The body: function (name or unqualified ARN); then port, 0 for a free one, and wait; or "end": true."""
    try:
        wish = json_values.parse(body)
        function, port, wait = str(wish["function"]), int(wish.get("port", 0)), bool(wish.get("wait", False))
        end = bool(wish.get("end", False))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        text = 'the body is {"function": name, "port": number, "wait": true} or {"function": name, "end": true}'
        raise ServiceError("BadRequest", text, 400) from error
    if not 0 <= port < 65536 or not function:
        raise ServiceError("BadRequest", "port is between 0 and 65535, function not empty", 400)
    if end:
        return {"function": function, "debugged": await pool.debug_no_more(function)}
    try:
        settings = await pool.debug(function, port, wait=wait)
    except TooMany as error:
        raise ServiceError("Conflict", str(error), 409) from error
    except PortTaken as error:
        raise ServiceError("Conflict", f"{error}; take another port: --debug-port {_behind(port)}", 409) from error
    return {"function": function, "port": settings.port}


async def begin(pool: Pool, config: Config) -> None:
    """The functions of `start --debug`, each on the next port. Raises CannotStart."""
    for number, function in enumerate(config.debug):
        try:
            await pool.debug(function, config.debug_port + number, wait=config.debug_wait)
        except (PortTaken, TooMany, OverflowError) as error:
            fix = f"take other ports: undercast start --debug-port {_behind(config.debug_port + number)}"
            raise CannotStart(f"{function} cannot be debugged: {error}", fix) from error


def _behind(port: int) -> int:
    """The next port, as an example; 5890, the default, where there is none."""
    return port + 1 if port < 65535 else 5890
