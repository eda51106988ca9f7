"""examples/cipher: ciphers that arrive in a layer, as a Go plugin and as a Python package with entry points."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.sdks.programs import installed
from tests.e2e.functions import RUNTIME
from tests.platform import RunningPlatform

PLAIN = "This is my super secret text 007!"
CAESAR_4 = "Xlmw$mw$q}$wytiv$wigvix$xi|x$44;%"
"""The golden output of seed S0."""
FUNCTIONS = {
    "go1.x": ("go-function.zip", "bootstrap", "go-layer.zip"),
    "provided.al2023": ("go-function.zip", "bootstrap", "go-layer.zip"),
    RUNTIME: ("python-function.zip", "app.handler", "python-layer.zip"),
}


def packed(name: str) -> Path:
    """What examples/cipher/build.py has packed."""
    return installed(f"cipher/{name}")


def deploy(platform: RunningPlatform, account: str, runtime: str) -> Any:
    """The function without its layer; the boto3 client."""
    code, handler, _ = FUNCTIONS[runtime]
    client = platform.client("lambda", account=account)
    client.create_function(
        FunctionName="engine",
        Runtime=runtime,
        Role=f"arn:aws:iam::{account}:role/unknown",
        Handler=handler,
        Code={"ZipFile": packed(code).read_bytes()},
        Timeout=10,
        MemorySize=256,
    )
    client.get_waiter("function_active_v2").wait(FunctionName="engine", WaiterConfig={"Delay": 1})
    return client


def publish(client: Any, content: bytes) -> str:
    """A layer version's ARN."""
    arn: str = client.publish_layer_version(LayerName="ciphers", Content={"ZipFile": content})["LayerVersionArn"]
    return arn


def attach(client: Any, layer: str) -> None:
    """Give the function its layer and wait until it has it."""
    client.update_function_configuration(FunctionName="engine", Layers=[layer])
    client.get_waiter("function_updated_v2").wait(FunctionName="engine", WaiterConfig={"Delay": 1})


def run(client: Any) -> tuple[str | None, dict[str, Any]]:
    """FunctionError and the answer."""
    answer = client.invoke(FunctionName="engine")
    return answer.get("FunctionError"), json.load(answer["Payload"])


@pytest.mark.parametrize("runtime", FUNCTIONS)
def test_both_ciphers_of_the_layer_run(platform: RunningPlatform, account: str, runtime: str) -> None:
    """S0-07, S0-11, S0-14: the golden output; the layer's files are at /opt."""
    client = deploy(platform, account, runtime)
    attach(client, publish(client, packed(FUNCTIONS[runtime][2]).read_bytes()))
    error, answer = run(client)
    assert error is None, answer
    encrypted = answer.pop("EncryptedV")
    assert answer == {"PlainText": PLAIN, "EncryptedC4": CAESAR_4, "DecryptedC4": PLAIN, "DecryptedV": PLAIN}
    assert len(encrypted) == len(PLAIN)
    assert all(" " <= character <= "~" for character in encrypted)


@pytest.mark.parametrize("content", ["missing", "corrupt"])
def test_a_plugin_that_cannot_be_opened_says_so(platform: RunningPlatform, account: str, content: str) -> None:
    """S0-13: the error of plugin.Open is the function's error."""
    client = deploy(platform, account, "provided.al2023")
    if content == "corrupt":
        attach(client, publish(client, zip_of("cipher.so", b"\x7fELF and nothing else")))
    error, answer = run(client)
    assert error == "Unhandled"
    assert answer["errorMessage"].startswith('plugin.Open("/opt/cipher'), answer


def test_a_python_function_without_the_layer_says_so(platform: RunningPlatform, account: str) -> None:
    """The Python half of S0-13."""
    error, answer = run(deploy(platform, account, RUNTIME))
    assert (error, answer["errorType"]) == ("Unhandled", "LookupError")


def zip_of(name: str, content: bytes) -> bytes:
    """A layer with one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, content)
    return out.getvalue()
