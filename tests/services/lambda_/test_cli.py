"""Functions through the AWS CLI."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.services.lambda_.conftest import CODE, Account


def test_package_is_uploaded_and_invoked_by_the_cli(aws: Account, tmp_path: Path) -> None:
    """S0-02: `aws lambda create-function --zip-file`, `wait`, `invoke` with a payload file."""
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": aws.id,
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": aws.platform.url,
    }
    (tmp_path / "f.zip").write_bytes(CODE)
    (tmp_path / "event.json").write_text('{"a": 1}')

    def run(*arguments: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "awscli", "lambda", *arguments, "--output", "json"]
        done = subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
        )
        found: dict[str, Any] = json.loads(done.stdout or "{}")
        return found

    made = run(
        "create-function", "--function-name", "f", "--runtime", "python3.11", "--role", aws.role,
        "--handler", "app.handler", "--zip-file", "fileb://f.zip",
    )  # fmt: skip
    assert made["State"] == "Pending"
    run("wait", "function-active-v2", "--function-name", "f")
    answer = run("invoke", "--function-name", "f", "--payload", "file://event.json", "out.json")
    assert answer == {"StatusCode": 200, "ExecutedVersion": "$LATEST"}
    assert json.loads((tmp_path / "out.json").read_text())["event"] == {"a": 1}
