"""Agents that wrap a Python runtime: they patch it in memory, or name another handler before it starts.

AWS: Lambda Developer Guide, "Modifying the runtime environment", "Wrapper scripts".
"""

import pytest

from tests.e2e.sandbox.conftest import Stage
from tests.machine import without

AGENT = """
import sys
main = sys.modules["__main__"]
runtime = main.awslambdaricmain.bootstrap if hasattr(main, "awslambdaricmain") else main.bootstrap
handle, client = runtime.handle_event_request, runtime.LambdaRuntimeClient
result, error, seen = client.post_invocation_result, client.post_invocation_error, []

def agent(lambda_runtime_client, request_handler, *args, **kwargs):
    return handle(lambda_runtime_client, lambda event, context: [request_handler(event, context)], *args, **kwargs)

def counting(post, name):
    def counted(*args, **kwargs):
        seen.append(name)
        return post(*args, **kwargs)
    return counted

runtime.handle_event_request = agent
client.post_invocation_result = counting(result, "result")
client.post_invocation_error = counting(error, "error")

def handler(event, context):
    if event.get("fail"):
        raise ValueError("no luck")
    return {"imported": "bootstrap" in sys.modules, "main": callable(main.main), "seen": list(seen)}
"""

PYTHONS = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]
WRAPPER = """#!/bin/sh
export ORIG_HANDLER="$_HANDLER" ARGUMENTS="$*"
export _HANDLER=app.wrapper
exec "$@"
"""
WRAPPED = """
import os, sys

def handler(event, context):
    return "handled"

def wrapper(event, context):
    return [os.environ["ORIG_HANDLER"], os.environ["ARGUMENTS"].split()[1:], sys.argv, handler(event, context)]
"""


@pytest.fixture
def driver_name() -> str:
    """Where the wrapper has the path that it has on AWS."""
    return "namespace"


@pytest.mark.parametrize("version", PYTHONS)
@pytest.mark.parametrize("environment", [{}, {"PYTHONUNUSED": "1"}], ids=["forked", "fresh"])
async def test_agents_find_the_runtime_as_on_aws(stage: Stage, version: str, environment: dict[str, str]) -> None:
    """What sentry-sdk's AwsLambdaIntegration does when the function is imported."""
    if stage.runtimes.find(tuple(map(int, version.split(".")))) is None:
        without(f"python{version}")
    function = stage.function(AGENT, runtime=f"python{version}", environment=environment)
    assert await stage.value(function) == [{"imported": False, "main": True, "seen": []}]
    assert (await stage.error(function, b'{"fail": true}'))["errorMessage"] == "no luck"
    assert await stage.value(function) == [{"imported": False, "main": True, "seen": ["result", "error"]}]


@pytest.mark.parametrize("version", PYTHONS)
async def test_a_wrapper_may_name_another_handler(stage: Stage, version: str) -> None:
    """OpenTelemetry's and Serverless's layers do: AWS's bootstrap.py has no argument, and reads _HANDLER."""
    if stage.runtimes.find(tuple(map(int, version.split(".")))) is None:
        without(f"python{version}")
    variables = {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrap"}
    function = stage.function(WRAPPED, runtime=f"python{version}", environment=variables)
    wrapper = function.code_dir / "wrap"
    wrapper.write_text(WRAPPER)
    wrapper.chmod(0o755)
    bootstrap = ["/var/runtime/bootstrap.py"]
    assert await stage.value(function) == ["app.handler", bootstrap, bootstrap, "handled"]
