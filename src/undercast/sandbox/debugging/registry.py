"""Which functions are debugged, each on a port of its own.

A function is named as users name it: by its name, in whatever account and region, or by its unqualified ARN.
AWS: none.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from undercast.core.record import record
from undercast.sandbox.debugging.port import DebugPort, free_port
from undercast.sandbox.debugging.session import Debugger
from undercast.sandbox.driver import Sandbox
from undercast.sandbox.model import Debug, FunctionVersion, Invocation

MAX_FUNCTIONS = 64


class TooMany(Exception):
    """As many functions are debugged as may be."""


@record(kw_only=False)
class _Debugged:
    port: DebugPort
    settings: Debug


class Debugging:
    """One per platform. `active` is what a warm invoke asks."""

    def __init__(self) -> None:
        self.active = False
        self._functions: dict[str, _Debugged] = {}
        self._watched: dict[str, tuple[DebugPort, Debugger]] = {}

    async def begin(self, name: str, port: int, *, wait: bool) -> Debug:
        """Debug a function from its next environment on. Raises PortTaken, TooMany."""
        await self.end(name)
        if len(self._functions) >= MAX_FUNCTIONS:
            raise TooMany(f"{MAX_FUNCTIONS} functions are debugged already")
        inner_port = free_port()
        opened = DebugPort(inner_port)
        await opened.open(port)
        settings = Debug(port=opened.number, inner_port=inner_port, wait=wait)
        self._functions[name] = _Debugged(opened, settings)
        self.active = True
        return settings

    async def end(self, name: str) -> bool:
        """Debug it no more; whether it was. Its clients are cut off."""
        debugged = self._functions.pop(name, None)
        self.active = bool(self._functions)
        if debugged is not None:
            await debugged.port.close()
        return debugged is not None

    async def close(self) -> None:
        """At the end of the platform."""
        await asyncio.gather(*(self.end(name) for name in tuple(self._functions)))

    def applied(self, invocation: Invocation) -> Invocation:
        """The invocation, of a function that is started with its debugger if it is to be debugged."""
        function = invocation.function
        debugged = self._functions.get(function.arn) or self._functions.get(function.name)
        if debugged is None:
            return invocation
        settings = debugged.settings
        revision = f"{function.revision} debug {settings.port} {settings.inner_port}"
        return replace(invocation, function=replace(function, revision=revision, debug=settings))

    def watch(self, function: FunctionVersion, sandbox: Sandbox) -> Debugger | None:
        """The debugger of a new environment, reached from now on; None for a function that is not debugged."""
        if function.debug is None:
            return None
        debugger = Debugger(function.debug)
        for debugged in self._functions.values():
            if debugged.settings == function.debug:
                debugged.port.lead_to(sandbox.connect, debugger)
                self._watched[sandbox.environment_id] = (debugged.port, debugger)
                return debugger
        debugger.dismiss()  # it has ended since the environment was asked for
        return debugger

    def forget(self, environment_id: str) -> None:
        """The environment is about to go."""
        watched = self._watched.pop(environment_id, None)
        if watched is not None:
            watched[0].leave(watched[1])

    def status(self) -> Mapping[str, Any]:
        """For `undercast status`: port by function."""
        return {name: debugged.settings.port for name, debugged in self._functions.items()}
