"""Which services there are, the tables that they own, and their own addresses: known without loading any of them.

A service is a folder here with a `service.py` that has `MANIFEST` and a `schema.py` that has `SCHEMA` (tables in
state.db), `JOURNAL_SCHEMA` (tables in the batched second file), or both; where it answers itself, `ADDRESSES` in an
`addresses.py` says so. There is no central list.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from undercast.store.migrations import Step

if TYPE_CHECKING:
    from undercast.core.service import Addresses

Migrations = tuple[Step, ...]
"""Steps in order; the index + 1 is the version. Only ever appended to."""


class Schemas(NamedTuple):
    """Migrations by service."""

    state: Mapping[str, Migrations]
    journal: Mapping[str, Migrations]


def folders() -> tuple[str, ...]:
    """The module names of the service folders, in alphabetical order."""
    here = Path(__file__).parent
    return tuple(f"{__package__}.{path.parent.name}" for path in sorted(here.glob("*/service.py")))


def names() -> tuple[str, ...]:
    """botocore's names of the services."""
    return tuple(_name(folder) for folder in folders())


def modules() -> dict[str, str]:
    """The module of each service's manifest, by botocore's name, in alphabetical order."""
    return {_name(folder): f"{folder}.service" for folder in folders()}


def schemas() -> Schemas:
    """What each service keeps."""
    modules = {_name(folder): importlib.import_module(f"{folder}.schema") for folder in folders()}
    return Schemas(
        state={name: getattr(module, "SCHEMA", ()) for name, module in modules.items()},
        journal={name: getattr(module, "JOURNAL_SCHEMA", ()) for name, module in modules.items()},
    )


def addresses() -> "dict[str, Addresses]":
    """Host names and paths that are a service's own, by its name."""
    here = Path(__file__).parent
    found = (path.parent.name for path in sorted(here.glob("*/addresses.py")))
    return {_name(name): importlib.import_module(f"{__package__}.{name}.addresses").ADDRESSES for name in found}


def _name(folder: str) -> str:
    return folder.rpartition(".")[2].removesuffix("_")  # a folder cannot be called by a word of Python: lambda
