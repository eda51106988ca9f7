"""The client programs, as tools/setup_sdks.sh has installed them.

A program that is not there skips its tests and says what to run: tests do not reach for the network.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HERE = Path(__file__).parent
INSTALLED = HERE.parents[2] / ".cache" / "sdks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """How a client program is run."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def installed(path: str) -> Path:
    """A file that the set-up makes; skips the test when it has not."""
    found = INSTALLED / path
    if not found.exists():
        pytest.skip(f".cache/sdks/{path} is missing; run `sh tools/setup_sdks.sh` (needs the network once)")
    return found


def tool(name: str) -> str:
    """A program of the machine; skips the test when it is missing."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def go(version: str) -> Sdk:
    """aws-sdk-go v1: "current" (its last) or "old" (2019)."""
    return Sdk(command=(str(installed(f"go/{version}")),))


def node() -> Sdk:
    """AWS SDK for JavaScript v3."""
    modules = installed("node/.ready").parent
    return Sdk(command=(tool("node"), str(HERE / "node" / "run.cjs")), environment={"SDK_MODULES": str(modules)})


def java() -> Sdk:
    """AWS SDK for Java 2."""
    folder = installed("java/.ready").parent
    return Sdk(command=(tool("java"), "-XX:TieredStopAtLevel=1", "-cp", f"{folder / 'jars'}/*:{folder}", "Run"))
