"""What a function sees as /var/lang: AWS's runtimes have their interpreter in its bin, first in PATH, and its library.

A folder of links to this machine's, and one like it with an empty place for each, on which a sandbox with a root file
system of its own mounts what the link leads to.
AWS: Lambda Developer Guide, "Defined runtime environment variables" (PATH begins with /var/lang/bin, LD_LIBRARY_PATH
with /var/lang/lib).
"""

import hashlib
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path

from undercast.sandbox.runtimes.leftovers import used

_LINKS, _PLACES = "links", "places"
_building = threading.Lock()


def lang_folder(runtimes_dir: Path, places: Mapping[str, Path]) -> Path:
    """The folder for these (place below /var/lang -> path here), made when it is missing. Called in threads."""
    told = "\n".join(f"{place} {path}" for place, path in sorted(places.items()))
    folder = runtimes_dir / f"lang-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    with _building:
        if not folder.is_dir():
            _build(folder, places)
    return used(folder)


def programs(folder: Path) -> Path:
    """Links to the interpreter, under the names that the programs of layers and extensions call."""
    return folder / _LINKS / "bin"


def _build(folder: Path, places: Mapping[str, Path]) -> None:
    # A folder that has its name is complete: what a killed platform left half done is a draft.
    draft = folder.with_name(f"{folder.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    for below in (_LINKS, _PLACES):
        for name in ("bin", "lib"):
            (draft / below / name).mkdir(parents=True)
    for place, path in places.items():
        link, empty = draft / _LINKS / place, draft / _PLACES / place
        for parent in (link.parent, empty.parent):
            parent.mkdir(exist_ok=True)
        if link.is_dir():
            link.rmdir()
        link.symlink_to(path)
        if path.is_dir():
            empty.mkdir(exist_ok=True)
        else:
            empty.touch()
            empty.chmod(0o644)
    for path in (draft, *(path for path in draft.rglob("*") if path.is_dir() and not path.is_symlink())):
        path.chmod(0o755)
    draft.rename(folder)
