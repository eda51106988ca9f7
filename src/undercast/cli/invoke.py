"""`undercast invoke`: run a function and print its answer and its log; with `--debug` under its debugger."""

import base64
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from undercast.cli import whereabouts
from undercast.cli.client import DataOption, aws, change, locate, refused
from undercast.cli.debugging import how_to_attach
from undercast.cli.options import Options, take_options
from undercast.cli.output import fail, show, styled, working

_DEBUG_PORT = 5890
_OPTIONS: Options = (
    ("qualifier", Annotated[str | None, typer.Option(help="Version or alias.")], None),
    ("debug", Annotated[bool, typer.Option("--debug", help="Run it under its debugger.")], False),
    ("debug_port", Annotated[int, typer.Option(help="Where the debugger is reached.", min=1, max=65535)], _DEBUG_PORT),
    ("debug_wait", Annotated[bool, typer.Option(help="With --debug: wait until a debugger is attached.")], True),
    ("data", DataOption, None),
    ("as_json", Annotated[bool, typer.Option("--json", help="Print JSON: payload, error, log, version.")], False),
)  # fmt: skip


def invoke(
    function: Annotated[str, typer.Argument(help="Name or ARN of the function.")],
    payload: Annotated[str, typer.Argument(help="JSON, @FILE, or - for standard input.")] = "{}",
    **options: Any,
) -> None:
    """Invoke a function; its log goes to standard error, its answer to standard output.

    With --debug it is started anew under debugpy, Node.js's inspector or delve, and afterwards without again.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    arguments = {"FunctionName": function, "Payload": payload_of(payload), "LogType": "Tail"}
    if options["qualifier"]:
        arguments["Qualifier"] = options["qualifier"]
    url = locate(options["data"])
    try:
        with _debugger(url, function, options), working(f"running {function}"):
            answer = aws(url, "lambda", patient=options["debug"]).invoke(**arguments)
    except (ClientError, BotoCoreError) as error:
        refused(url, error, _fix(url, error))
    except KeyboardInterrupt:
        fail(f"the run of {function} was given up")
    _print(answer, options["as_json"])


def _print(answer: Mapping[str, Any], as_json: bool) -> None:
    text = answer["Payload"].read().decode(errors="replace")
    log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
    failed = answer.get("FunctionError")
    if as_json:
        show({"payload": text, "error": failed, "log": log, "version": answer.get("ExecutedVersion")}, True)
    else:
        print(styled(log.rstrip(), "2"), file=sys.stderr)
        print(text)
    if failed:
        raise SystemExit(1)


@contextmanager
def _debugger(url: str, function: str, options: Mapping[str, Any]) -> Iterator[None]:
    """The function is debugged while the block lasts, if that was asked for."""
    if not options["debug"]:
        yield
        return
    found = aws(url, "lambda").get_function_configuration(FunctionName=function)
    arn = ":".join(found["FunctionArn"].split(":")[:7])
    wish = {"function": arn, "port": options["debug_port"], "wait": options["debug_wait"]}
    signal.signal(signal.SIGTERM, _on_sigterm)  # else the function would go on waiting for a debugger
    port = change(url, "/_undercast/debug", wish)["port"]
    try:
        print(how_to_attach(found["FunctionName"], found.get("Runtime", ""), port), file=sys.stderr, flush=True)
        yield
    finally:
        change(url, "/_undercast/debug", {"function": arn, "end": True})


def _fix(url: str, error: Exception) -> str:
    if "InvalidRequestContentException" in str(error):
        return """the payload is JSON: '{"key": 1}', '"text"', or @FILE"""
    if "ResourceConflictException" in str(error) and "Pending" in str(error):
        return "it is still being made, try again; where that lasts, the platform's own log says why"
    return whereabouts.of_error(url, error)


def _on_sigterm(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def payload_of(text: str) -> bytes:
    """The event that an argument means. Exits where it names a file that is not there."""
    if text == "-":
        return sys.stdin.buffer.read()
    if text.startswith("@"):
        path = Path(text[1:])
        try:
            return path.read_bytes()
        except OSError as error:
            fail(f"{path} cannot be read: {error.strerror}")
    return text.encode()


take_options(invoke, _OPTIONS)
