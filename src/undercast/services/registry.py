"""Finds the services, mounts them, and checks each manifest against AWS's model (I9).

A service is a folder here with a `service.py` that has `MANIFEST`; there is no central list.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import undercast.services
from undercast.core.service import Manifest, OperationFunction
from undercast.services.parts import Parts
from undercast.store.migrations import migrate_all

MembersOf = Callable[[str, str], frozenset[str] | None]
"""(service, operation) -> the operation's input members in AWS's model, or None when AWS has no such operation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mounted:
    """A service that runs: its manifest and the instance that its operations get."""

    manifest: Manifest
    instance: Any

    def find(self, operation: str) -> OperationFunction | None:
        """The function that is this operation, or None when we lack it."""
        return self.manifest.operations.get(operation)


def discover() -> Iterator[Manifest]:
    """The manifest of every service folder, in alphabetical order."""
    for module in pkgutil.iter_modules(undercast.services.__path__):
        if module.ispkg:
            yield importlib.import_module(f"{undercast.services.__name__}.{module.name}.service").MANIFEST


def mount(parts: Parts) -> dict[str, Mounted]:
    """Migrate and build every service. By botocore's service name."""
    manifests = tuple(discover())
    migrate_all(parts.database, {manifest.name: manifest.schema for manifest in manifests})
    migrate_all(parts.journal.database, {manifest.name: manifest.journal_schema for manifest in manifests})
    return {manifest.name: Mounted(manifest=manifest, instance=manifest.build(parts)) for manifest in manifests}


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
