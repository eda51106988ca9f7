"""Code that is a folder of this machine, mounted as it is: Code.S3Bucket `hot-reload`, S3Key its absolute path.

Only below the folder that `start --hot-reload-root` names, never for a caller inside a function, never a folder of
another account's function. Each invocation looks whether a file has changed; then it gets a fresh environment.
AWS: none; CreateFunction and UpdateFunctionCode carry it.
"""

import asyncio
import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError, refused_member
from undercast.sandbox.model import Invocation
from undercast.services.lambda_ import store
from undercast.services.lambda_.code import Package
from undercast.services.lambda_.deployments import Environments
from undercast.services.lambda_.errors import invalid, user_error
from undercast.services.lambda_.models import Version
from undercast.services.lambda_.names import LATEST
from undercast.store.blobs import BlobStore
from undercast.store.database import Tx

BUCKET = "hot-reload"
MAX_FILES = 20_000
"""Of a folder, those of node_modules not counted: each invocation asks for the time of every one."""
MAX_REMEMBERED = 10_000
_NOT_ENTERED = frozenset({".git", ".hg", ".venv", "__pycache__"})
_AS_A_WHOLE = frozenset({"node_modules"})
"""What a package manager fills: it changes the folder itself."""
_OTHERS_MAY_ENTER = 0o005


class HotReload:
    """Takes folders as code, and sees their changes. `root` is None without the option."""

    def __init__(self, root: Path | None, blobs: BlobStore, environments: Environments) -> None:
        self._root = root
        self._blobs = blobs
        self._environments = environments
        self._stamps: dict[str, str] = {}
        """By function ARN: what its folder was like at its last invocation."""

    async def accept(self, ctx: RequestContext, operation: str, code: Mapping[str, Any]) -> Package:
        """A folder as deployment package. Raises ServiceError where it may not be one."""
        if operation == "PublishLayerVersion":
            raise refused_member(operation, "Content.S3Bucket", f"{BUCKET}: layer versions never change")
        if code.get("S3ObjectVersion"):
            raise refused_member(operation, "S3ObjectVersion", f"a folder of {BUCKET} has no versions")
        if not ctx.cause.is_from_outside:
            text = f"Functions, and what they cause, may not take code from the bucket {BUCKET}."
            raise user_error("AccessDeniedException", text, 403)
        folder = self._allowed(code["S3Key"])
        try:
            _, size_bytes = await asyncio.to_thread(look, folder)
        except OSError as error:
            raise invalid(_unreadable(folder, error)) from error
        # The blob is what version and digest refer to; it holds the path, for the code stays where it is.
        draft = await self._blobs.put(str(folder).encode())
        return Package(draft, size_bytes, folder=str(folder))

    async def current(self, invocation: Invocation) -> Invocation:
        """The invocation of what is in the folder now. Environments that began with something else are retired."""
        function = invocation.function
        folder = self._allowed(str(function.code_dir))
        try:
            stamp, _ = await asyncio.to_thread(look, folder)
        except OSError as error:
            raise ServiceError("InvalidZipFileException", _unreadable(folder, error), 502) from error
        if self._stamps.get(function.arn, stamp) != stamp:
            self._environments.retire(function.arn, LATEST)
        elif len(self._stamps) >= MAX_REMEMBERED:
            self._stamps.clear()  # what is forgotten is retired when it has been idle for long
        self._stamps[function.arn] = stamp
        return replace(invocation, function=replace(function, revision=f"{function.revision} {stamp}"))

    def clear(self) -> None:
        """All functions are gone."""
        self._stamps.clear()

    def _allowed(self, key: str) -> Path:
        """The folder without links. Raises InvalidParameterValueException unless it lies below the root."""
        if self._root is None:
            raise invalid(
                f"The bucket {BUCKET} takes code from a folder of this machine, and no folder is opened for that: "
                "undercast start --hot-reload-root DIR"
            )
        folder = Path(key)
        try:
            real, root = folder.resolve(strict=True), self._root.resolve(strict=True)
        except (OSError, ValueError, RuntimeError) as error:
            raise invalid(f"The folder {key} does not exist.") from error
        if not folder.is_absolute() or ".." in folder.parts or not real.is_relative_to(root):
            raise invalid(
                f"S3Key is the absolute path of a folder below {root} (undercast start --hot-reload-root DIR); "
                f"{key} is not."
            )
        if not real.is_dir():
            raise invalid(f"{key} is not a folder.")
        if real.stat().st_mode & _OTHERS_MAY_ENTER != _OTHERS_MAY_ENTER:
            raise invalid(f"Functions, which run as another user, may not read {real}: chmod -R o+rX {real}")
        return real


def check_free(tx: Tx, version: Version) -> None:
    """In the transaction that gives a version its code: raises when another account's function has this folder."""
    if not version.folder:
        return
    own = Path(version.folder)
    for other in map(Path, store.folders_of_others(tx, version.scope)):
        if own.is_relative_to(other) or other.is_relative_to(own):
            raise user_error("AccessDeniedException", f"A function of another account has the folder {own}.", 403)


def check_publishable(version: Version) -> None:
    """A published version never changes; a folder may at any moment."""
    if version.folder:
        raise invalid(
            f"The code of this function is the folder {version.folder} ({BUCKET}), which may change at any time: "
            "no version of it can be published. Update the function with a package first."
        )


def look(folder: Path) -> tuple[str, int]:
    """What tells the state of a folder from any other, and its size in bytes. Blocking. Raises OSError."""
    digest = hashlib.blake2b(digest_size=12)
    waiting, files, size = [str(folder)], 0, 0
    while waiting:
        with os.scandir(waiting.pop()) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
        for entry in entries:
            if entry.name in _NOT_ENTERED:
                continue
            is_folder = entry.is_dir(follow_symlinks=False)
            if is_folder and entry.name not in _AS_A_WHOLE:
                waiting.append(entry.path)
                continue
            status = entry.stat(follow_symlinks=False)
            files, size = files + 1, size + (0 if is_folder else status.st_size)
            if files > MAX_FILES:
                raise OSError(f"it has more than {MAX_FILES} files")
            # The change time also tells a new mode, and a copy that has kept its time.
            state = f"{entry.path}\0{status.st_ctime_ns} {status.st_mtime_ns} {status.st_size} {status.st_ino}\0"
            digest.update(os.fsencode(state))
    return digest.hexdigest(), size


def _unreadable(folder: Path, error: OSError) -> str:
    return f"The folder {folder} of this function cannot be used as code: {error.strerror or error}"
