"""`undercast images load | list | remove`: container images that functions find by their name.

AWS: `docker push` to Amazon ECR; here an archive of `docker save` or an OCI layout goes to the platform itself.
"""

import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated
from urllib.parse import urlencode

import typer

from undercast.cli.client import DataOption, ask, locate, send
from undercast.cli.output import fail, printable, show

app = typer.Typer(help="Container images that ImageUri finds without a registry.", no_args_is_help=True)
_PATH = "/_undercast/images"
_Name = Annotated[
    str,
    typer.Option(
        "--name", help="REPOSITORY:TAG, as it is in ImageUri behind the registry. Else the name that the archive has."
    ),
]


@app.command("load")
def load(
    archive: Annotated[Path, typer.Argument(help="What `docker save` wrote, or an OCI layout: archive or folder.")],
    name: _Name = "",
    data: DataOption = None,
) -> None:
    """Keep an image under a name."""
    if not archive.exists():
        command = f"docker save NAME -o {archive}"
        fail(f"{archive} does not exist", f"to make one: {command}; a folder is an OCI layout")
    with _opened(archive) as file:
        made = send(locate(data), f"{_PATH}?{urlencode({'name': name} if name else {})}", "POST", file)
    print(f"{made['name']}  {made['digest']}")


@app.command("list")
def list_images(
    data: DataOption = None, as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False
) -> None:
    """Show what is loaded."""
    images = ask(locate(data), _PATH)["images"]
    if as_json:
        show(images, True)
        return
    if not images:
        print("no image is loaded (undercast images load FILE)", file=sys.stderr)
    for image in images:
        print(printable(f"{image['name']}  {image['architecture']}  {image['digest']}"))


@app.command("remove")
def remove(name: Annotated[str, typer.Argument(help="As `list` shows it.")], data: DataOption = None) -> None:
    """Forget a name. Functions that have the image keep it."""
    path = f"{_PATH}?{urlencode({'name': name})}"
    send(locate(data), path, "DELETE", None, missing="what is loaded: undercast images list")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """An archive as a file; a folder is packed first."""
    if not path.is_dir():
        try:
            file = path.open("rb")
        except OSError as error:
            fail(f"{path} cannot be read: {error.strerror}")
        with file:
            yield file
        return
    with tempfile.TemporaryFile() as packed:
        with tarfile.open(fileobj=packed, mode="w:") as archive:
            archive.add(path, arcname=".")
        packed.seek(0)
        yield packed
