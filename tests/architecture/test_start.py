"""A start loads what it takes to be ready, and no more; the rest follows behind the ready line.

What a start may not load is named here, so that an import at the top of some file does not bring it back unseen.
"""

import subprocess
import sys

UNWANTED = (
    "awscrt",
    "boto3",
    "botocore",
    "cryptography",
    "pydantic",
    "rich",
    "typer",
    "undercast.app.platform",
    "undercast.gateway.dispatch",
    "undercast.policy",
    "undercast.sandbox",
    "undercast.services.registry",
    "undercast.wire",
)


def test_being_ready_takes_neither_services_nor_sandboxes() -> None:
    """What is loaded before the port answers."""
    script = "import sys, undercast.cli.main, undercast.cli.start; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = result.stdout.split()
    assert "undercast.app.door" in loaded
    assert [name for name in loaded if name.startswith(tuple(UNWANTED))] == []
