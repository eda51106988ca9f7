"""Finds the services, mounts them, and checks each manifest against AWS's model (I9).

Which ones there are says `catalogue`; here they are loaded. They come one after the other, and a call waits for its own
alone.
"""

import asyncio
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from undercast.core.errors import could_not_start
from undercast.core.record import record
from undercast.core.service import Manifest, OperationFunction
from undercast.services import catalogue
from undercast.services.parts import Parts

MembersOf = Callable[[str, str], frozenset[str] | None]
"""(service, operation) -> the operation's input members in AWS's model, or None when AWS has no such operation."""


@record
class Mounted:
    """A service that runs: its manifest and the instance that its operations get."""

    manifest: Manifest
    instance: Any

    def find(self, operation: str) -> OperationFunction | None:
        """The function that is this operation, or None when we lack it."""
        return self.manifest.operations.get(operation)


class Services:
    """Those of one platform. `wanted` hears of each that somebody waits for."""

    def __init__(self, names: Iterable[str], wanted: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        self.mounted: dict[str, Mounted] = {}
        """Those that are there, by botocore's name."""
        self.begun: dict[str, Mounted] = {}
        """Those that `mount` has come to."""
        self._coming = {name: loop.create_future() for name in names}
        self._wanted = wanted
        self._failure: BaseException | None = None

    async def get(self, name: str) -> Mounted | None:
        """The service, as soon as it is there. None where there is none of that name.

        Raises ServiceError when it does not come any more.
        """
        if (coming := self._coming.get(name)) is not None:
            self._wanted(name)
            await asyncio.shield(coming)  # of who waits, one may go
            if self._failure is not None:
                raise could_not_start(self._failure)
        return self.mounted.get(name)

    def fail(self, error: BaseException) -> None:
        """The start has failed: who waits for a service that is not there, or asks for it from now on, is told."""
        self._failure = error
        for coming in self._coming.values():
            coming.set_result(None)

    async def mount(self, manifest: Manifest, parts: Parts, *of_sandboxes: Any) -> None:
        """Build one and let it begin; then whoever waits for it goes on. Its tables are there.

        `of_sandboxes` is what `Manifest.needs_pool` says.
        """
        mounted = Mounted(manifest=manifest, instance=manifest.build(parts, *of_sandboxes))
        self.begun[manifest.name] = mounted
        if manifest.start is not None:
            await manifest.start(mounted.instance)
        self.mounted[manifest.name] = mounted
        self._coming.pop(manifest.name).set_result(None)


def discover() -> Iterator[Manifest]:
    """The manifest of every service folder, in alphabetical order."""
    for module in catalogue.modules().values():
        yield importlib.import_module(module).MANIFEST


def problems(manifest: Manifest, members_of: MembersOf) -> list[str]:
    """What is wrong with a manifest: unknown operations, members that are unclassed, classed twice or not AWS's."""
    found: list[str] = []
    for operation in manifest.operations:
        members = members_of(manifest.name, operation)
        if members is None:
            found.append(f"{manifest.name}:{operation} is not an operation of AWS")
            continue
        found.extend(f"{manifest.name}:{operation} {text}" for text in _misclassed(manifest, operation, members))
    for table in (manifest.effective, manifest.stored, manifest.refused):
        found.extend(
            f"{manifest.name}:{name} is classed but not served" for name in set(table) - set(manifest.operations)
        )
    return found


def _misclassed(manifest: Manifest, operation: str, members: frozenset[str]) -> Iterator[str]:
    none: Mapping[str, str] = {}
    classes = (
        frozenset(manifest.effective.get(operation, frozenset())),
        frozenset(manifest.stored.get(operation, none)),
        frozenset(manifest.refused.get(operation, none)),
    )
    for member in sorted(members | frozenset().union(*classes)):
        count = sum(member in one for one in classes)
        if member not in members:
            yield f"has no member {member}"
        elif count == 0:
            yield f"leaves the member {member} unclassed"
        elif count > 1:
            yield f"classes the member {member} twice"
