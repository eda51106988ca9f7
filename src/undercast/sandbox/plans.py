"""How functions are started on this machine, found out once for each version.

Looks at the file system, in threads: for interpreters, and it may build /var/runtime. Of a runtime that is known
already nothing has to be waited for.
AWS: Lambda Developer Guide, "Lambda runtimes".
"""

import asyncio

from undercast.core.errors import ServiceError
from undercast.sandbox.creation import Creation
from undercast.sandbox.driver import SandboxError
from undercast.sandbox.fleet import Fleet
from undercast.sandbox.model import FunctionVersion
from undercast.sandbox.runtimes.plan import RuntimePlan, Runtimes
from undercast.sandbox.runtimes.table import COMPILED, RUNTIMES, STARTED_AHEAD


class Plans:
    """One per pool."""

    def __init__(self, runtimes: Runtimes) -> None:
        self._runtimes = runtimes
        self._prepared: set[str] = set()
        """Runtimes whose interpreter and folders were found: a plan for one does not wait for the file system."""

    async def of(self, fleet: Fleet) -> RuntimePlan:
        """The plan of a function's environments. Raises ServiceError, OSError."""
        if fleet.plan is not None and fleet.plan.is_old:
            fleet.plan = None
            self._prepared.discard(fleet.function.runtime)  # its folder is to be built anew
        if fleet.plan is None and fleet.function.runtime in self._prepared:
            fleet.plan = self._runtimes.plan(fleet.function)
        elif fleet.plan is None:
            fleet.plan = await asyncio.to_thread(self._runtimes.plan, fleet.function)
            self._prepared.add(fleet.function.runtime)
        return fleet.plan

    async def prepare(self, function: FunctionVersion, creation: Creation) -> None:
        """Get ready for a first invocation: /var/runtime, the interpreter's zygote, a spare sandbox.

        The function's code need not be there yet.
        """
        runtime = function.runtime
        try:
            if RUNTIMES[runtime].family == STARTED_AHEAD:
                plan = await asyncio.to_thread(self._runtimes.plan, function)
                self._prepared.add(runtime)
                await creation.warm_runtime(function, plan)
                return
            python = await asyncio.to_thread(self._runtimes.python, runtime)
            if python is not None or RUNTIMES[runtime].family in COMPILED:
                self._prepared.add(runtime)
                await creation.warm(python)
        except (ServiceError, SandboxError, OSError):
            # The invocation will meet the same problem, and has somebody to tell it to.
            return

    async def lacks(self, function: FunctionVersion) -> str:
        """What its runtime needs and this machine has not, with the fix; "" when it can be started."""
        if function.container is not None:
            return ""
        try:
            await asyncio.to_thread(self._runtimes.plan, function)
        except ServiceError as error:
            return error.message
        except OSError:  # of the data folder: whoever invokes it is told
            return ""
        return ""
