"""The environment variables of a runtime process."""

import pytest

from tests.fakes_sandbox import a_function
from undercast.sandbox.model import EnvironmentCredentials
from undercast.sandbox.variables import Roots, Surroundings, variables

CREDENTIALS = EnvironmentCredentials(access_key_id="A", secret_access_key="S", session_token="T", expires_at=2e9)
SURROUNDINGS = Surroundings(
    runtime_api="127.0.0.1:9001",
    log_stream="2026/01/01/[$LATEST]0",
    endpoint_url="http://localhost:4566",
    ca_bundle="/etc/ssl/certs/ca-certificates.crt",
    execution_env="AWS_Lambda_python3.12",
    runtime_variables={"PYTHONPATH": "/var/runtime"},
)


def test_what_aws_sets() -> None:
    """Lambda Developer Guide, "Defined runtime environment variables"."""
    found = variables(a_function(), CREDENTIALS, SURROUNDINGS)
    assert found == {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib"
        ":/opt/lib",
        "AWS_ENDPOINT_URL": "http://localhost:4566",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000",
        "_AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1",
        "_AWS_XRAY_DAEMON_PORT": "2000",
        "AWS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt",
        "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
        "NODE_EXTRA_CA_CERTS": "/etc/ssl/certs/ca-certificates.crt",
        "REQUESTS_CA_BUNDLE": "/etc/ssl/certs/ca-certificates.crt",
        "PYTHONPATH": "/var/runtime",
        "_HANDLER": "app.handler",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "A",
        "AWS_SECRET_ACCESS_KEY": "S",
        "AWS_SESSION_TOKEN": "T",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
    }


@pytest.mark.parametrize("name", ["PATH", "TZ", "LANG", "PYTHONPATH", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "MINE"])
def test_the_functions_own_win(name: str) -> None:
    """Unreserved keys may be set by the function."""
    function = a_function(environment={name: "mine"})
    assert variables(function, CREDENTIALS, SURROUNDINGS)[name] == "mine"


@pytest.mark.parametrize(
    "name", ["_HANDLER", "AWS_REGION", "AWS_LAMBDA_RUNTIME_API", "AWS_SESSION_TOKEN", "LAMBDA_TASK_ROOT"]
)
def test_reserved_ones_stay(name: str) -> None:
    """Reserved environment variables."""
    function = a_function(environment={name: "mine"})
    assert variables(function, CREDENTIALS, SURROUNDINGS)[name] != "mine"


def test_real_folders_are_told() -> None:
    """Without a root file system of its own a function finds its folders by variables."""
    roots = Roots(task="/r/task", opt="/r/opt", tmp="/r/tmp", runtime="/r/runtime")
    surroundings = Surroundings(
        runtime_api="127.0.0.1:1", log_stream="s", endpoint_url="http://localhost:1", roots=roots
    )
    found = variables(a_function(), CREDENTIALS, surroundings)
    assert (found["LAMBDA_TASK_ROOT"], found["TMPDIR"], found["UNDERCAST_OPT_ROOT"]) == ("/r/task", "/r/tmp", "/r/opt")
    assert "AWS_EXECUTION_ENV" not in found
    assert "SSL_CERT_FILE" not in found
