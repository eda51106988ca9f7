"""`undercast invoke`: run a function and print its answer and its log."""

import base64
import sys
from pathlib import Path
from typing import Annotated

import typer

from undercast.cli.client import DataOption, aws, locate
from undercast.cli.output import fail, show, styled, working


def invoke(
    function: Annotated[str, typer.Argument(help="Name or ARN of the function.")],
    payload: Annotated[str, typer.Argument(help="JSON, @FILE, or - for standard input.")] = "{}",
    qualifier: Annotated[str | None, typer.Option(help="Version or alias.")] = None,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: payload, error, log, version.")] = False,
) -> None:
    """Invoke a function; its log goes to standard error, its answer to standard output."""
    from botocore.exceptions import BotoCoreError, ClientError

    arguments = {"FunctionName": function, "Payload": _payload(payload), "LogType": "Tail"}
    if qualifier:
        arguments["Qualifier"] = qualifier
    try:
        with working(f"running {function}"):
            answer = aws(locate(data), "lambda").invoke(**arguments)
    except (ClientError, BotoCoreError) as error:
        fail(str(error))
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


def _payload(text: str) -> bytes:
    if text == "-":
        return sys.stdin.buffer.read()
    if text.startswith("@"):
        path = Path(text[1:])
        if not path.is_file():
            fail(f"no file {path}")
        return path.read_bytes()
    return text.encode()
