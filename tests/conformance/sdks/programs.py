"""The client programs, as tools/setup_sdks.sh has installed them.

A program that is not there is as in tests/machine.py: tests do not reach for the network.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.machine import program, without

HERE = Path(__file__).parent
INSTALLED = HERE.parents[2] / ".cache" / "sdks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sdk:
    """How a client program is run."""

    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def installed(path: str) -> Path:
    """A file that the set-up makes."""
    found = INSTALLED / path
    if not found.exists():
        without("a part of the set-up", f".cache/sdks/{path}")
    return found


def go(version: str) -> Sdk:
    """aws-sdk-go v1: "current" (its last) or "old" (2019)."""
    return Sdk(command=(str(installed(f"go/{version}")),))


def node() -> Sdk:
    """AWS SDK for JavaScript v3."""
    modules = installed("node/.ready").parent
    return Sdk(command=(program("node"), str(HERE / "node" / "run.cjs")), environment={"SDK_MODULES": str(modules)})


def java() -> Sdk:
    """AWS SDK for Java 2."""
    folder = installed("java/.ready").parent
    return Sdk(command=(program("java"), "-XX:TieredStopAtLevel=1", "-cp", f"{folder / 'jars'}/*:{folder}", "Run"))
