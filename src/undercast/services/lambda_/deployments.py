"""The work behind Pending and InProgress: code is unpacked, then the function becomes Active or Failed.

Each change is one task that this owns. What a killed platform left unfinished is begun again at the start, which does
not wait for it: an image or an INIT may need this very platform. A disk that is full or fails is tried again for a
while; then the function is Failed and says so.
AWS: Lambda Developer Guide, "Lambda function states".
"""

import asyncio
import logging
import sqlite3
from collections.abc import Iterable
from functools import partial
from itertools import chain, groupby, repeat
from typing import NamedTuple, Protocol

from undercast.core.errors import ServiceError
from undercast.core.recurring import every
from undercast.core.tasks import Tasks
from undercast.sandbox.model import FunctionVersion, Invocation, InvocationResult
from undercast.sandbox.provision import Provisioned
from undercast.services.lambda_ import store
from undercast.services.lambda_.catalog import Catalog
from undercast.services.lambda_.code import CodeStore
from undercast.services.lambda_.images.faults import ImageError, reason_of
from undercast.services.lambda_.images.library import Images
from undercast.services.lambda_.models import Version, executable
from undercast.services.lambda_.names import LATEST
from undercast.services.lambda_.package import UnsafePackage
from undercast.services.lambda_.snapstart import NO_SNAPSHOT, is_on
from undercast.services.lambda_.unable import Unable
from undercast.store.database import Database, Tx
from undercast.store.errors import BlobMissing

log = logging.getLogger(__name__)
LONGEST_INVOCATION_S = 1000.0
RETRY_DELAYS_S = (0.5, 2.0, 10.0)
"""Host time between the attempts to unpack; the result is written again and again at the longest of them."""


class Environments(Protocol):
    """The part of the sandbox's pool that Lambda needs."""

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run it in an execution environment."""
        ...

    def retire(self, function_arn: str, version: str | None = None) -> None:
        """Shut down the environments of one version, or of all; a busy one finishes its invocation first."""
        ...

    def takes_images(self) -> str:
        """Why container images cannot run on this machine; "" when they can."""
        ...

    def waiting(self, function: FunctionVersion) -> bool:
        """Whether invocations of it wait for an environment."""
        ...

    def room_for(self, function: FunctionVersion) -> int:
        """How many environments of it this machine has room for."""
        ...

    def provision(self, function: FunctionVersion, wanted: int) -> None:
        """Keep so many environments of a version initialised; 0 gives them up."""
        ...

    def provisioned(self, function: FunctionVersion) -> Provisioned:
        """How many of them there are."""
        ...

    async def snapshot(self, function: FunctionVersion) -> str:
        """Initialise a version with SnapStart; what its INIT failed with, or ""."""
        ...

    async def prepare(self, function: FunctionVersion) -> None:
        """Get ready for a first invocation of a function whose code may still be unpacked."""
        ...

    async def lacks(self, function: FunctionVersion) -> str:
        """What its runtime needs and this machine has not, with the fix; "" when it can be started."""
        ...


class Code(NamedTuple):
    """What function versions run, on disk."""

    archives: CodeStore
    images: Images


class Deployments:
    """Unpacks, settles, and removes code that nothing needs any more."""

    def __init__(
        self, database: Database, code: Code, catalog: Catalog, environments: Environments, unable: Unable
    ) -> None:
        self._database = database
        self._code, self._images = code
        self._catalog = catalog
        self._environments = environments
        self._unable = unable
        self._tasks = Tasks(_tell)

    def begin(self, versions: tuple[Version, ...], superseded: tuple[str, ...] = ()) -> None:
        """Deploy versions of one function that share their code. Called after the commit that made them."""
        self._tasks.spawn(self._deploy(versions, superseded))

    def discard(self, digests: Iterable[str]) -> None:
        """Remove unpacked code once no version has it and no invocation runs it."""
        for sha256 in frozenset(digests):
            self._tasks.spawn(self._discard(sha256))

    def clear(self) -> None:
        """Rows were deleted behind our back, and no environment is left (reset): what was unpacked goes."""
        self._tasks.spawn(self._clear())

    async def resume(self) -> None:
        """At start: remove leftovers and begin again what was in progress."""
        wanted, unfinished = self._database.read_now(lambda tx: (store.all_code(tx), store.unfinished(tx)))
        await self._code.sweep(wanted)
        await self._images.sweep()
        for _, versions in groupby(unfinished, key=lambda version: (version.arn, version.code)):
            self.begin(tuple(versions))
        self._tasks.spawn(self._look())

    async def idle(self) -> None:
        """Return when no deployment is in progress."""
        while self._tasks.running:
            await self._tasks.ended(LONGEST_INVOCATION_S)

    async def stop(self) -> None:
        """Cancel the tasks; `resume` takes up their work at the next start."""
        self._tasks.cancel()
        await self._tasks.ended()

    async def _deploy(self, versions: tuple[Version, ...], superseded: tuple[str, ...]) -> None:
        first = versions[0]
        try:
            failure = await self._unpack(first)
        except BlobMissing:  # the function was deleted, or its code replaced, before this began
            self._let_go(first, superseded)
            return
        later = [version for version in versions if failure is None and is_on(version.configuration, version.number)]
        await self._settle(tuple(version for version in versions if version not in later), failure)
        if any(version.version == LATEST for version in versions):
            self._environments.retire(first.arn, LATEST)
        self._let_go(first, superseded)
        if failure is not None and first.image is not None:
            await self._images.collect()  # the layers in front of what failed
        for version in later:
            await self._settle((version,), await self._snapshot(version))
        if failure is None:
            await self._look_at(versions)

    async def _look(self) -> None:
        """Which functions of before lack their runtime now; one look for each runtime."""
        versions = await self._database.read(store.latest_versions, long=True)
        for _, alike in groupby(sorted(versions, key=_runtime), key=_runtime):
            await self._look_at(tuple(alike))

    async def _look_at(self, versions: tuple[Version, ...]) -> None:
        """Tell where the runtime of these versions, which they share, cannot be started here."""
        functions = [executable(version, self._code.folder) for version in versions]
        reason = await self._environments.lacks(functions[0])
        for version, function in zip(versions, functions, strict=True):
            if self._database.read_now(partial(_is_current, version=version)):
                self._unable.found(function, reason)

    async def look_again(self) -> None:
        """Whether what was missing has been installed meanwhile; one look for each runtime."""
        for _, alike in groupby(sorted(self._unable.functions(), key=_runtime_of), key=_runtime_of):
            functions = tuple(alike)
            if not await self._environments.lacks(functions[0]):
                for function in functions:
                    self._unable.ran(function)

    async def _snapshot(self, version: Version) -> str | None:
        """Active means that there is a snapshot, or an environment that is initialised ahead."""
        error_type = await self._environments.snapshot(executable(version, self._code.folder))
        if self._database.read_now(lambda tx: store.version(tx, version.scope, version.name, version.number)) is None:
            self._environments.retire(version.arn, version.version)  # it was deleted meanwhile
        return f"{NO_SNAPSHOT} {error_type}." if error_type else None

    async def _unpack(self, version: Version) -> str | None:
        """None, or why the function is Failed. Raises BlobMissing."""
        for delay_s in (*RETRY_DELAYS_S, None):
            try:
                # Active means ready: the first invocation of a runtime must not wait for its interpreter.
                if version.image is not None:
                    await self._images.prepare(version.image)
                await asyncio.gather(
                    *(self._code.unpack(sha256) for sha256 in version.archives),
                    self._environments.prepare(executable(version, self._code.folder)),
                )
            except (UnsafePackage, ServiceError) as error:
                log.warning("the code of %s cannot be unpacked: %s", version.arn, error)
                return "Lambda could not unzip the deployment package."
            except ImageError as error:
                return reason_of(error)
            except (OSError, sqlite3.Error) as error:
                log.warning("the code of %s cannot be kept: %s", version.arn, error)
                if delay_s is None:
                    return f"The platform could not keep the function's code on its disk: {_said(error)}."
                await every(delay_s)()
            else:
                return None
        raise AssertionError("the last attempt returns")

    async def _settle(self, versions: tuple[Version, ...], failure: str | None) -> None:
        """Write the outcome, however long the store refuses it: else the function would be Pending until a restart."""
        if not versions:
            return
        first = versions[0]

        def settle(tx: Tx) -> None:
            settled = [store.settle(tx, version, failure) for version in versions]
            if any(settled):
                # Else it was deleted: an update in progress is that of the next function of its name.
                tx.after_commit(lambda: self._catalog.settle(first.scope, first.name))

        for delay_s in chain(RETRY_DELAYS_S, repeat(RETRY_DELAYS_S[-1])):
            try:
                await self._database.write(settle)
            except (OSError, sqlite3.Error) as error:
                log.warning("the state of %s cannot be written: %s", first.arn, error)
                await every(delay_s)()
            else:
                return

    def _let_go(self, deployed: Version, superseded: tuple[str, ...]) -> None:
        """What an update has replaced, and what nobody has any more behind a deletion or reset meanwhile."""
        self.discard((*superseded, *(sha256 for sha256 in deployed.code if not self._in_use(sha256))))

    async def _clear(self) -> None:
        wanted = self._database.read_now(store.all_code)
        await asyncio.gather(*map(self._remove, await self._code.unpacked() - wanted))
        await self._images.collect()

    async def _discard(self, sha256: str) -> None:
        await self._remove(sha256)
        await self._images.collect()

    async def _remove(self, sha256: str) -> None:
        await self._code.wait_released(sha256, LONGEST_INVOCATION_S)
        await self._code.remove(sha256, unless=lambda: self._in_use(sha256))

    def _in_use(self, sha256: str) -> bool:
        return self._database.read_now(lambda tx: store.code_in_use(tx, sha256))


def _tell(error: BaseException) -> None:
    log.error("a deployment failed", exc_info=error)


def _runtime(version: Version) -> str:
    return str(version.configuration.get("Runtime", ""))


def _runtime_of(function: FunctionVersion) -> str:
    return function.runtime


def _is_current(tx: Tx, version: Version) -> bool:
    """Whether it has been neither deleted nor changed."""
    now = store.version(tx, version.scope, version.name, version.number)
    return now is not None and now.revision_id == version.revision_id


def _said(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
