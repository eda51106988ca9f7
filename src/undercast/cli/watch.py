"""`undercast watch`: a function runs what is in a folder, from one save to the next."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from undercast.cli import whereabouts
from undercast.cli.client import DataOption, ask, aws, locate, refused
from undercast.cli.options import Options, take_options
from undercast.cli.output import fail, printable, styled
from undercast.core.listing import first_few

_NAMED = 3
_TAB = 4
_OPTIONS: Options = (
    ("layer", Annotated[list[str] | None, typer.Option(help="NAME=DIR: a layer of it, too. Repeatable.")], None),
    ("build", Annotated[str, typer.Option(help="Run this in DIR first, and at each change: go build, tsc, ...")], ""),
    ("output", Annotated[Path | None, typer.Option(help="Where the build puts the code, if not in DIR itself.")], None),
    ("data", DataOption, None),
    ("as_json", Annotated[bool, typer.Option("--json", help="One JSON object per event.")], False),
)


def watch(
    function: Annotated[str, typer.Argument(help="Name or ARN of the function.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Its code, as it would be in the zip.")],
    **options: Any,
) -> None:
    """Run what is in a folder: after each save the next invoke runs the new code. Ctrl-C ends it.

    A folder below the platform's --hot-reload-root is mounted as it is; any other is sent when it has changed.
    What has to be compiled (Go, Rust, Java, TypeScript) needs --build; where that fails the code of before runs on.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from undercast.deploy.build import Build
    from undercast.deploy.folder_zip import TooLarge
    from undercast.deploy.watch import FunctionWatch, UpdateFailed

    source, layers = _folder(folder), dict(_layer(text) for text in options["layer"] or ())
    build, output = options["build"], options["output"]
    if output is not None and not build:
        fail("--output is for what --build makes", "watch that folder itself, or name the command: --build COMMAND")
    place = (source / output).resolve() if output is not None else source
    url = locate(options["data"])
    root = ask(url, "/_undercast/status")["hot_reload_root"]
    session = FunctionWatch(
        functions=aws(url, "lambda"),
        function=function,
        folder=place,
        layers=layers,
        live=bool(root) and place.is_relative_to(root),
        tell=_tell_json if options["as_json"] else _tell,
        build=Build(command=build, source=source) if build else None,
    )
    try:
        session.run()
    except TooLarge as error:
        fail(str(error), _other_way(error.folder, place, function, layers))
    except (ClientError, BotoCoreError) as error:
        refused(url, error, whereabouts.of_error(url, error))
    except (UpdateFailed, OSError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        session.tell({"event": "stopped", "function": function, "live": session.live})


def _other_way(folder: Path, place: Path, function: str, layers: Mapping[str, Path]) -> str:
    """What to do with a folder that is too large to send: code can be mounted, a layer is published from S3."""
    if folder == place:
        return f"mount it instead: undercast start --hot-reload-root {place.parent}"
    name = next(name for name, path in layers.items() if path == folder)
    return (
        f"leave this --layer out and publish it from S3: aws s3 cp layer.zip s3://BUCKET; aws lambda "
        f"publish-layer-version --layer-name {name} --content S3Bucket=BUCKET,S3Key=layer.zip; then aws lambda "
        f"update-function-configuration --function-name {function} --layers ARN"
    )


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
    for line in event.get("output", "").splitlines():
        print(f"  | {printable(line.expandtabs(_TAB))}", flush=True)


def _words(event: Mapping[str, Any]) -> str:
    if event["event"] == "watching":
        mounted = event["how"] == "hot-reload"
        if "built_from" in event:
            how = f"built at each save, then {event['folder']} is {'mounted' if mounted else 'sent'}"
            return f"watching {event['built_from']} for {event['function']}: {how}; Ctrl-C ends"
        how = "mounted as it is" if mounted else "sent at each save"
        return f"watching {event['folder']} for {event['function']}: {how}; Ctrl-C ends"
    if event["event"] == "changed":
        mounted = event["how"] == "hot-reload"
        return f"changed {_names(event)}" + (": the next invoke runs it" if mounted else "")
    if event["event"] == "uncompiled":
        named = f"undercast watch {shlex.quote(event['function'])} {shlex.quote(event['folder'])} {event['options']}"
        return f"  {event['file']} is not compiled here; to build it at each change, for example: {named}"
    if event["event"] == "building":
        return f"  {event['command']}"
    if event["event"] == "built":
        return f"  built in {event['ms']} ms" + (": the next invoke runs it" if event["how"] == "hot-reload" else "")
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
    files = event["files"]
    return first_few((Path(path).name for path in files), len(files), _NAMED) or "files"


take_options(watch, _OPTIONS)
