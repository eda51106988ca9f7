"""Layers as the seeds' READMEs publish and attach them: by the AWS CLI, word for word."""

import base64
import json
import random
from pathlib import Path

import pytest

from tests.e2e.functions import RUNTIME
from tests.e2e.test_aws_cli_flow import TRUST, Cli
from tests.platform import RunningPlatform
from tests.services.lambda_.conftest import package
from tests.services.lambda_.test_layers import layer_zip

HANDLER = """
import os, subprocess
def handler(event, context):
    folders = os.environ["PATH"].split(":")
    tool = next(path for path in (f"{folder}/tool" for folder in folders) if os.path.exists(path))
    return [subprocess.run([tool], capture_output=True, text=True).stdout.strip(), oct(os.stat(tool).st_mode & 0o777)]
"""


@pytest.fixture
def cli(platform: RunningPlatform, tmp_path: Path) -> Cli:
    """The AWS CLI in a folder with a function's and a layer's archive and a role."""
    cli = Cli(platform, f"{random.randrange(10**11, 10**12)}", tmp_path)
    (tmp_path / "trust.json").write_text(json.dumps(TRUST))
    (tmp_path / "function.zip").write_bytes(package(app=HANDLER))
    (tmp_path / "extension.zip").write_bytes(layer_zip({"bin/tool": "#!/bin/sh\necho one\n"}))
    role = json.loads(cli("iam create-role --role-name r --assume-role-policy-document file://trust.json"))["Role"]
    cli(
        f"lambda create-function --function-name X --runtime {RUNTIME} --handler app.handler --role {role['Arn']}"
        " --zip-file fileb://function.zip --timeout 120 --memory-size 512"
    )
    cli("lambda wait function-active-v2 --function-name X")
    return cli


def test_layer_is_published_attached_and_renewed(cli: Cli, tmp_path: Path) -> None:
    """S2-17, S2-37 to S2-39, S0-20: :1, then :2 after a change; run bits are kept; the configuration shows it."""
    publish = "lambda publish-layer-version --layer-name cache-extension-demo --zip-file fileb://extension.zip"
    attach = "lambda update-function-configuration --function-name X --layers "
    newest = (
        "lambda list-layer-versions --layer-name cache-extension-demo --max-items 1 --no-paginate"
        " --query LayerVersions[0].LayerVersionArn --output text"
    )
    for number, said in ((1, "one"), (2, "two")):
        (tmp_path / "extension.zip").write_bytes(layer_zip({"bin/tool": f"#!/bin/sh\necho {said}\n"}))
        arn = json.loads(cli(publish))["LayerVersionArn"]
        assert arn.endswith(f":layer:cache-extension-demo:{number}")
        assert cli(newest).strip() == arn
        cli(attach + arn)
        cli("lambda wait function-updated-v2 --function-name X")
        found = json.loads(cli("lambda get-function-configuration --function-name X"))
        assert ([layer["Arn"] for layer in found["Layers"]], found["LastUpdateStatus"]) == ([arn], "Successful")
        assert (found["Timeout"], found["MemorySize"]) == (120, 512)
        cli("lambda invoke --function-name X result.json")
        assert json.loads((tmp_path / "result.json").read_text()) == [said, "0o755"]


def test_layer_filter_and_permission_by_cli(cli: Cli) -> None:
    """S0-21: --compatible-runtime; S0-05: add-layer-version-permission."""
    cli("lambda publish-layer-version --layer-name go --zip-file fileb://extension.zip --compatible-runtimes go1.x")
    query = "lambda list-layer-versions --layer-name go --query LayerVersions[].Version --output text"
    query += " --compatible-runtime"
    assert (cli(f"{query} go1.x").strip(), cli(f"{query} python3.8").strip()) == ("1", "")
    cli(
        "lambda add-layer-version-permission --layer-name go --version-number 1 --statement-id x"
        " --principal 123456789012 --action lambda:GetLayerVersion"
    )
    policy = json.loads(json.loads(cli("lambda get-layer-version-policy --layer-name go --version-number 1"))["Policy"])
    assert policy["Statement"][0]["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}


def test_reserved_concurrency_by_cli(cli: Cli) -> None:
    """S4-34: put-function-concurrency; get and delete."""
    cli("lambda put-function-concurrency --function-name X --reserved-concurrent-executions 5")
    assert json.loads(cli("lambda get-function-concurrency --function-name X")) == {"ReservedConcurrentExecutions": 5}
    cli("lambda delete-function-concurrency --function-name X")
    settings = json.loads(cli("lambda get-account-settings"))
    assert settings["AccountLimit"]["UnreservedConcurrentExecutions"] == 1000


def test_invoke_with_the_tail_of_the_log_by_cli(cli: Cli, tmp_path: Path) -> None:
    """S2-41, S0-24: the result is in the file, the answer says status and version.

    Version 1 of the CLI, which is PyPI's, takes a payload as it is and has no --cli-binary-format.
    """
    (tmp_path / "echo.zip").write_bytes(package(app="def handler(event, context):\n    print(event['payload'])\n"))
    cli("lambda update-function-code --function-name X --zip-file fileb://echo.zip")
    cli("lambda wait function-updated-v2 --function-name X")
    answer = json.loads(
        cli("""lambda invoke --function-name X --payload '{"payload":"hello"}' invoke-result --log-type Tail""")
    )
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    lines = base64.b64decode(answer["LogResult"]).decode().splitlines()
    assert [line.split(" ")[0] for line in lines[:2]] == ["START", "hello"]
    assert (tmp_path / "invoke-result").read_text() == "null"


@pytest.mark.parametrize(
    "policy", ["AmazonDynamoDBReadOnlyAccess", "AmazonSSMReadOnlyAccess", "SecretsManagerReadWrite"]
)
def test_managed_policies_are_attached_by_cli(cli: Cli, policy: str) -> None:
    """S2-40: the policies that the seed's README attaches to its role."""
    arn = f"arn:aws:iam::aws:policy/{policy}"
    cli(f"iam attach-role-policy --role-name r --policy-arn {arn}")
    listed = json.loads(cli("iam list-attached-role-policies --role-name r"))["AttachedPolicies"]
    assert listed == [{"PolicyName": policy, "PolicyArn": arn}]
