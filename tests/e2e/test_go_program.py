"""The main job driven by a Go program on aws-sdk-go v1 alone, from outside of the platform.

AWS: aws-sdk-go v1 has no endpoint variables; a program sets Endpoint and S3ForcePathStyle in its aws.Config.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.sdks.programs import installed
from tests.e2e.functions import RUNTIME
from tests.platform import RunningPlatform

EXAMPLE = Path(__file__).parents[2] / "examples" / "s3-pipeline"
PARTS = 3
"""12 MiB in parts of 5."""


@pytest.fixture
def program() -> Path:
    """go_program/, built by tools/setup_sdks.sh."""
    return installed("go/program")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's functions, packed as its users pack them."""
    folder = tmp_path_factory.mktemp("packages")
    subprocess.run([sys.executable, str(EXAMPLE / "build.py"), "--out", str(folder)], check=True, timeout=100)
    return folder


@pytest.mark.parametrize(
    ("package", "runtime", "handler"),
    [("python.zip", RUNTIME, "app.handler"), ("go.zip", "provided.al2023", "bootstrap")],
)
def test_a_go_program_deploys_uploads_and_reads_back(
    platform: RunningPlatform, account: str, program: Path, packages: Path, package: str, runtime: str, handler: str
) -> None:
    """Deployment, s3manager both ways, the event's function, its log and an error, through the SDK's own code."""
    found = run(program, platform, account, [str(packages / package), runtime, handler])
    assert found["downloaded"] == found["uploaded"]
    assert found["etag"].endswith(f'-{PARTS}"')
    assert found["copied"] == "in/größe 1.json"
    assert json.loads(found["output"]) == {"name": "Zoë", "items": [1, 2]}
    assert f"in-{account}/in/größe 1.yaml" in found["log"]
    assert found["refusal"] == "NoSuchKey 404"


def run(program: Path, platform: RunningPlatform, account: str, arguments: list[str]) -> dict[str, Any]:
    """What the program prints."""
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "secret"}
    done = subprocess.run(
        [str(program), platform.url, *arguments, f"in-{account}", f"out-{account}"],
        capture_output=True,
        text=True,
        env=environment,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
