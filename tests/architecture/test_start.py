"""A start loads what it takes to be ready, and no more; the rest comes behind the ready line, or when it is asked for.

What may not be loaded is named here, so that an import at the top of some file does not bring it back unseen.
"""

import subprocess
import sys

UNWANTED = (
    "awscrt",
    "boto3",
    "botocore",
    "cryptography",
    "hashlib",
    "rich",
    "typer",
    "undercast.app.platform",
    "undercast.gateway.dispatch",
    "undercast.policy",
    "undercast.sandbox",
    "undercast.services.registry",
    "undercast.wire",
)
LATE = ("awscrt", "boto3", "cryptography", "rich", "typer")
"""What an idle platform has no use for: libraries that only some of its users ask for."""


def loaded_by(script: str) -> list[str]:
    """The modules of a fresh interpreter."""
    result = subprocess.run(
        [sys.executable, "-c", f"import sys\n{script}\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return result.stdout.split()


def test_being_ready_takes_neither_services_nor_sandboxes() -> None:
    """What is loaded before the port answers."""
    loaded = loaded_by("import undercast.cli.main, undercast.cli.start")
    assert "undercast.app.door" in loaded
    assert [name for name in loaded if name.startswith(UNWANTED)] == []


def test_a_first_call_takes_neither_sandboxes_nor_other_services_than_its_own() -> None:
    """What is loaded before calls are answered, and then for S3's."""
    loaded = loaded_by("import undercast.app.behind, undercast.services.s3.service")
    services = {
        name.split(".")[2] for name in loaded if name.startswith("undercast.services.") and name.endswith(".service")
    }
    assert services == {"iam", "sts", "s3"}
    unwanted = (*LATE, "http.client", "undercast.app.platform", "undercast.app.sandboxes", "undercast.sandbox")
    assert [name for name in loaded if name.startswith(unwanted)] == []


def test_an_idle_platform_has_no_library_that_nobody_asked_for() -> None:
    """All that is loaded behind the ready line. The platform that runs is looked at in `tests/e2e/test_late.py`."""
    loaded = loaded_by(
        "import undercast.cli.start, undercast.app.sandboxes, undercast.app.platform\n"
        "from undercast.services import registry\n"
        "tuple(registry.discover())"
    )
    assert "undercast.services.kms.material" in loaded
    assert [name for name in loaded if name.startswith(LATE)] == []
