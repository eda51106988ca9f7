"""Provisioned concurrency: from the configurations to the environments that the pool keeps.

What is asked for is in the store; what there is, the pool knows. Followed after each commit that changes either side.
AWS: Lambda Developer Guide, "Configuring provisioned concurrency for a function".
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

from undercast.core.arn import Scope
from undercast.core.errors import ServiceError
from undercast.core.tasks import Tasks
from undercast.sandbox.model import FunctionVersion
from undercast.services.lambda_ import store
from undercast.services.lambda_.catalog import Catalog
from undercast.services.lambda_.deployments import Environments
from undercast.services.lambda_.models import Alias, timestamp
from undercast.services.lambda_.provisioned import Config, read, shares, wanted
from undercast.store.database import Database, Tx

log = logging.getLogger(__name__)


class Kept(NamedTuple):
    """What the pool was told."""

    function: FunctionVersion
    wanted: int


class Provisioning:
    """One per platform."""

    def __init__(self, database: Database, catalog: Catalog, environments: Environments) -> None:
        self._database = database
        self._catalog = catalog
        self._environments = environments
        self._kept: dict[tuple[Scope, str], dict[int, Kept]] = {}
        self._tasks = Tasks(_tell)
        self._turn = asyncio.Lock()

    def follow(self, tx: Tx, scope: Scope, name: str) -> None:
        """In a transaction that changes configurations, aliases or versions of a function."""
        tx.after_commit(lambda: self._spawn(scope, name))

    async def start(self) -> None:
        """Provision again what was provisioned before the platform stopped."""
        for scope, name in self._database.read_now(store.provisioned_functions):
            self._spawn(scope, name)

    async def stop(self) -> None:
        """End; the pool ends its environments itself."""
        self._tasks.cancel()
        await self._tasks.ended()

    def clear(self) -> None:
        """Rows were deleted behind our back (reset). What was under way was for them, and may have come to the pool
        after it was told."""
        self._tasks.cancel()
        for kept in self._kept.values():
            for told in kept.values():
                self._environments.provision(told.function, 0)
        self._kept.clear()

    def output(self, scope: Scope, name: str, config: Config, aliases: Mapping[str, Alias]) -> dict[str, Any]:
        """A configuration with what there is of it."""
        kept = self._kept.get((scope, name), {})
        allocated, ready, failure = 0, True, ""
        for number, count in shares(config, aliases).items():
            told = kept.get(number)
            if told is None or told.wanted < count:
                ready = False
                continue
            there = self._environments.provisioned(told.function)
            allocated += min(there.allocated, count)
            ready, failure = ready and there.ready, failure or there.failure
        status = "FAILED" if failure else "READY" if ready else "IN_PROGRESS"
        return {
            "RequestedProvisionedConcurrentExecutions": config.requested,
            "AvailableProvisionedConcurrentExecutions": allocated,
            "AllocatedProvisionedConcurrentExecutions": allocated,
            "Status": status,
            **({"StatusReason": failure} if failure else {}),
            "LastModified": timestamp(config.modified_at),
        }

    def _spawn(self, scope: Scope, name: str) -> None:
        self._tasks.spawn(self._apply(scope, name))

    async def _apply(self, scope: Scope, name: str) -> None:
        async with self._turn:
            count_of = self._database.read_now(lambda tx: wanted(*read(tx, scope, name)))
            kept = self._kept.setdefault((scope, name), {})
            for number in set(kept) - set(count_of):
                self._environments.provision(kept.pop(number).function, 0)
            for number, count in count_of.items():
                await self._keep(scope, name, number, count)
            if not kept:
                del self._kept[scope, name]

    async def _keep(self, scope: Scope, name: str, number: int, count: int) -> None:
        kept = self._kept[scope, name]
        try:
            function = (await self._catalog.resolve(scope, name, str(number))).function
        except ServiceError as error:
            log.warning("version %d of %s cannot be provisioned: %s", number, name, error)
            return
        if kept.get(number) != (function, count):
            kept[number] = Kept(function, count)
            self._environments.provision(function, count)


def _tell(error: BaseException) -> None:
    log.error("provisioned concurrency could not be followed", exc_info=error)
