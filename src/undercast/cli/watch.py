"""`undercast watch`: a function runs what is in a folder, from one save to the next."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from undercast.cli.client import DataOption, ask, aws, locate
from undercast.cli.output import fail, printable, styled

_NAMED = 3


def watch(
    function: Annotated[str, typer.Argument(help="Name or ARN of the function.")],
    folder: Annotated[Path, typer.Argument(help="Its code, as it would be in the zip.")],
    layer: Annotated[list[str] | None, typer.Option(help="NAME=DIR: a layer of it, too. Repeatable.")] = None,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per event.")] = False,
) -> None:
    """Run what is in a folder: after each save the next invoke runs the new code. Ctrl-C ends it.

    A folder below the platform's --hot-reload-root is mounted as it is; any other is sent when it has changed.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from undercast.deploy.folder_zip import TooLarge
    from undercast.deploy.watch import FunctionWatch, UpdateFailed

    place, layers = _folder(folder), dict(_layer(text) for text in layer or ())
    url = locate(data)
    root = ask(url, "/_undercast/status")["hot_reload_root"]
    session = FunctionWatch(
        functions=aws(url, "lambda"),
        function=function,
        folder=place,
        layers=layers,
        live=bool(root) and place.is_relative_to(root),
        tell=_tell_json if as_json else _tell,
    )
    try:
        session.run()
    except TooLarge as error:
        fail(str(error), f"mount it instead: undercast start --hot-reload-root {place.parent}")
    except (UpdateFailed, ClientError, BotoCoreError, OSError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        session.tell({"event": "stopped", "function": function, "live": session.live})


def _folder(path: Path) -> Path:
    if not path.is_dir():
        fail(f"{path} is not a folder")
    return path.resolve()


def _layer(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        fail(f"--layer {text!r} is not NAME=DIR", "for example: --layer common=./layer")
    return name, _folder(Path(path))


def _tell_json(event: Mapping[str, Any]) -> None:
    print(json.dumps(event), flush=True)


def _tell(event: Mapping[str, Any]) -> None:
    words = printable(_words(event))
    print(styled(words, "31") if event["event"] == "failed" else words, flush=True)


def _words(event: Mapping[str, Any]) -> str:
    if event["event"] == "watching":
        how = "mounted as it is" if event["how"] == "hot-reload" else "sent at each save"
        return f"watching {event['folder']} for {event['function']}: {how}; Ctrl-C ends"
    if event["event"] == "changed":
        mounted = event["how"] == "hot-reload"
        return f"changed {_names(event)}" + (": the next invoke runs it" if mounted else "")
    if event["event"] == "unchanged":
        return "  nothing to send: the content is the same"
    if event["event"] == "updated":
        return f"  updated in {event['ms']} ms: the next invoke runs it"
    if event["event"] == "failed":
        return f"  not updated, the code of before runs on: {event['error']}"
    return f"stopped; {event['function']} " + (
        "still has the folder as its code" if event["live"] else "keeps its code"
    )


def _names(event: Mapping[str, Any]) -> str:
    names = [Path(path).name for path in event["files"]]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return (", ".join(names[:_NAMED]) or "files") + more
