"""The work behind Pending and InProgress: code is unpacked, then the function becomes Active or Failed.

Each change is one task that this owns. What a killed platform left unfinished is finished before the ready line.
AWS: Lambda Developer Guide, "Lambda function states".
"""

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from itertools import groupby
from typing import Any, Protocol

from undercast.sandbox.model import Invocation, InvocationResult
from undercast.services.lambda_ import store
from undercast.services.lambda_.catalog import Catalog
from undercast.services.lambda_.code import CodeStore
from undercast.services.lambda_.models import Version
from undercast.services.lambda_.names import LATEST
from undercast.services.lambda_.package import UnsafePackage
from undercast.store.database import Database, Tx
from undercast.store.errors import BlobMissing

log = logging.getLogger(__name__)
LONGEST_INVOCATION_S = 1000.0


class Environments(Protocol):
    """The part of the sandbox's pool that Lambda needs."""

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run it in an execution environment."""
        ...

    def retire(self, function_arn: str, version: str | None = None) -> None:
        """Shut down the environments of one version, or of all; a busy one finishes its invocation first."""
        ...

    async def prepare(self, runtime: str) -> None:
        """Get ready for first invocations of a runtime."""
        ...


class Deployments:
    """Unpacks, settles, and removes code that nothing needs any more."""

    def __init__(self, database: Database, code: CodeStore, catalog: Catalog, environments: Environments) -> None:
        self._database = database
        self._code = code
        self._catalog = catalog
        self._environments = environments
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, versions: tuple[Version, ...], superseded_sha256: str = "") -> None:
        """Deploy versions of one function that share their code. Called after the commit that made them."""
        self._own(self._deploy(versions, superseded_sha256))

    def discard(self, digests: Iterable[str]) -> None:
        """Remove unpacked code once no version has it and no invocation runs it."""
        for sha256 in frozenset(digests):
            self._own(self._discard(sha256))

    async def resume(self) -> None:
        """At start: remove leftovers and finish what was in progress."""
        wanted, unfinished = self._database.read_now(lambda tx: (store.all_code(tx), store.unfinished(tx)))
        await self._code.sweep(wanted)
        for _, versions in groupby(unfinished, key=lambda version: (version.arn, version.code_sha256)):
            await self._deploy(tuple(versions), "")

    async def idle(self) -> None:
        """Return when no deployment is in progress."""
        while self._tasks:
            await asyncio.wait(set(self._tasks), timeout=LONGEST_INVOCATION_S)

    async def stop(self) -> None:
        """Cancel the tasks; `resume` takes up their work at the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _deploy(self, versions: tuple[Version, ...], superseded_sha256: str) -> None:
        first = versions[0]
        failure: str | None = None
        try:
            # Active means ready: the first invocation of a runtime must not wait for its interpreter.
            await asyncio.gather(
                self._code.unpack(first.code_sha256), self._environments.prepare(first.configuration["Runtime"])
            )
        except BlobMissing:
            return  # the function was deleted, or its code replaced, before this began
        except UnsafePackage as error:
            log.warning("the code of %s cannot be unpacked: %s", first.arn, error)
            failure = "Lambda could not unzip the deployment package."

        def settle(tx: Tx) -> None:
            for version in versions:
                store.settle(tx, version, failure)
            tx.after_commit(lambda: self._catalog.settle(first.scope, first.name))

        await self._database.write(settle)
        self._environments.retire(first.arn, LATEST)
        if superseded_sha256:
            self.discard((superseded_sha256,))

    async def _discard(self, sha256: str) -> None:
        await self._code.wait_released(sha256, LONGEST_INVOCATION_S)
        await self._code.remove(sha256, unless=lambda: self._in_use(sha256))

    def _in_use(self, sha256: str) -> bool:
        return self._database.read_now(lambda tx: store.code_in_use(tx, sha256))

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a deployment failed: %r", error)
