"""The languages besides Python: which there are, and what all of them need.

AWS: Lambda Developer Guide, "Lambda runtimes".
"""

from collections.abc import Mapping
from pathlib import Path

from undercast.core.record import record
from undercast.sandbox.runtimes.java import JavaRuntime
from undercast.sandbox.runtimes.node import NodeRuntime
from undercast.sandbox.runtimes.plan import Family
from undercast.sandbox.runtimes.programs import ProgramLookup
from undercast.sandbox.runtimes.ruby import RubyRuntime


@record
class Ground:
    """Where interpreters are looked for, and the folders of the platform and of the user's installations."""

    lookup: ProgramLookup
    runtimes_dir: Path
    client_dir: Path
    installs_dir: Path
    ca_bundle: Path | None = None
    """PEM file of the system's roots and the local CA."""


def installs_dir(home: Path) -> Path:
    """What `undercast runtimes install` fills: interpreters, SDKs, runtime clients. A user's platforms share it."""
    return home / ".cache/undercast/runtimes"


def language_families(ground: Ground) -> Mapping[str, Family]:
    """By the family's name in the table of runtimes."""
    return {
        "nodejs": NodeRuntime(
            lookup=ground.lookup,
            runtimes_dir=ground.runtimes_dir,
            client_dir=ground.client_dir / "node",
            installs_dir=ground.installs_dir,
        ),
        "ruby": RubyRuntime(
            lookup=ground.lookup, runtimes_dir=ground.runtimes_dir, client_dir=ground.client_dir / "ruby"
        ),
        "java": JavaRuntime(
            lookup=ground.lookup,
            runtimes_dir=ground.runtimes_dir,
            installs_dir=ground.installs_dir,
            ca_bundle=ground.ca_bundle,
        ),
    }
