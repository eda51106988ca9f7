"""Keeps a function's code and layers as they are in folders, while somebody edits them.

A folder below the platform's --hot-reload-root becomes the code itself; any other is sent by UpdateFunctionCode when
its content has changed. Where the code is built, its sources are watched, and what the build makes is the code.
AWS: Lambda API Reference, UpdateFunctionCode, PublishLayerVersion, UpdateFunctionConfiguration.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from watchfiles import Change, DefaultFilter, watch

from undercast.deploy.build import Build, BuildFailed
from undercast.deploy.folder_zip import LEFT_OUT, TooLarge, packed
from undercast.deploy.sources import uncompiled

HOT_RELOAD = "hot-reload"
_QUIET_MS = 20
"""How long nothing more must change: a build writes its file in pieces."""
_LOOK_MS = 1000
_UPDATE_LIMIT_S = 120.0
_POLL_S = 0.02

Tell = Callable[[Mapping[str, Any]], None]
"""Takes what has happened: `event` and its details."""


class UpdateFailed(Exception):
    """The platform has not taken an update."""


@dataclass(kw_only=True)
class FunctionWatch:
    """See the module. `functions` is a boto3 client of Lambda."""

    functions: Any
    function: str
    folder: Path
    """The code, as it would be in the zip."""
    layers: Mapping[str, Path]
    """Layer name -> its folder."""
    live: bool
    """The platform may mount the folder."""
    tell: Tell
    build: Build | None = None
    """What makes the code, first and behind each change of its sources."""
    _sent: dict[Path, str] = field(default_factory=dict)
    """Digest of what each folder had when it was sent last."""
    _mounted: bool = False

    def run(self) -> None:
        """Until KeyboardInterrupt. Raises UpdateFailed, or what botocore raises, when the first update fails."""
        how = self._how
        folders = {"folder": str(self.folder), **{name: str(path) for name, path in self.layers.items()}}
        if self.build is not None:
            folders["built_from"] = str(self.build.source)
        found = self.functions.get_function_configuration(FunctionName=self.function)  # a wrong name is told first
        self.tell({"event": "watching", "function": self.function, "how": how, **folders})
        if self.build is None and (source := uncompiled(found.get("Runtime", ""), self.folder)) is not None:
            named = {"function": self.function, "folder": str(self.folder)}
            self.tell({"event": "uncompiled", **named, "file": str(source.file), "options": source.options})
        self._begin()
        first = True
        for changes in self._changes():
            # What changed between the first update and the watcher's start nobody told us.
            touched = self._roots() if first else self._touched(changes)
            first = False
            if self.build is not None and self.folder in touched and not self.build.is_due():
                touched.remove(self.folder)  # the build's own files
            try:
                self._bring(touched, [path for _, path in changes])
            except (UpdateFailed, TooLarge, OSError, BotoCoreError, ClientError) as error:
                self.tell({"event": "failed", "error": str(error)})

    def _begin(self) -> None:
        """The function has the folders as they are now."""
        roots = self._built(self._roots())
        began = time.monotonic()
        for root, content in self._new(roots).items():
            self._send(root, content)
        if roots:
            self._tell_updated(roots, (), began)

    @property
    def _how(self) -> str:
        return HOT_RELOAD if self.live else "upload"

    def _mount(self) -> None:
        """The folder is the function's code, once it is there."""
        if self.live and not self._mounted:
            code = {"S3Bucket": HOT_RELOAD, "S3Key": str(self.folder)}
            self._settled(self.functions.update_function_code(FunctionName=self.function, **code))
            self._mounted = True

    def _roots(self) -> list[Path]:
        return [self.folder, *self.layers.values()]

    def _watched(self, root: Path) -> Path:
        return self.build.source if self.build is not None and root == self.folder else root

    def _changes(self) -> Iterable[set[tuple[Change, str]]]:
        return watch(
            *map(self._watched, self._roots()),
            watch_filter=DefaultFilter(ignore_dirs=tuple(LEFT_OUT)),
            step=_QUIET_MS,
            rust_timeout=_LOOK_MS,
            yield_on_timeout=True,
        )

    def _touched(self, changes: Iterable[tuple[Change, str]]) -> list[Path]:
        paths = [Path(path) for _, path in changes]
        return [root for root in self._roots() if any(path.is_relative_to(self._watched(root)) for path in paths)]

    def _bring(self, roots: Sequence[Path], changed: Iterable[str]) -> None:
        """What changed, then what came of it; whoever calls tells an error, last."""
        watched = [self._watched(one) for one in roots]
        named = sorted({path for path in changed if any(Path(path).is_relative_to(one) for one in watched)})
        mounted = self.live and self.folder in roots
        how = "upload" if not mounted else "build" if self.build is not None else HOT_RELOAD
        changes = {"event": "changed", "files": named, "how": how}
        if named:
            self.tell(changes)
        if not (roots := self._built(roots)):
            return
        began = time.monotonic()
        new = self._new(roots)
        if new and not named:
            self.tell(changes)
        for root, content in new.items():
            self._send(root, content)
        if new:
            self._tell_updated(tuple(new), named, began)
        elif named and not mounted:
            self.tell({"event": "unchanged", "files": named})

    def _built(self, roots: Sequence[Path]) -> Sequence[Path]:
        """Those of the folders that the function may have: without the code, where its build has failed."""
        if self.folder not in roots:
            return roots
        if self.build is not None:
            began = time.monotonic()
            self.tell({"event": "building", "command": self.build.command})
            try:
                self.build.run()
                if not self.folder.is_dir():
                    raise BuildFailed(f"the build has made no folder {self.folder}")
            except BuildFailed as error:
                self.tell({"event": "failed", "error": str(error), "output": error.output})
                return [root for root in roots if root != self.folder]
            self.tell({"event": "built", "ms": round((time.monotonic() - began) * 1000), "how": self._how})
        self._mount()
        return roots

    def _tell_updated(self, roots: Iterable[Path], files: Sequence[str], began: float) -> None:
        took_ms = round((time.monotonic() - began) * 1000)
        self.tell({"event": "updated", "folders": [str(root) for root in roots], "files": list(files), "ms": took_ms})

    def _new(self, roots: Iterable[Path]) -> dict[Path, bytes]:
        """Those whose content is not what was sent last, with it. What is mounted is not sent."""
        contents = {root: packed(root) for root in roots if not (self.live and root == self.folder)}
        return {root: content for root, content in contents.items() if self._sent.get(root) != _digest(content)}

    def _send(self, root: Path, content: bytes) -> None:
        if root == self.folder:
            self._settled(self.functions.update_function_code(FunctionName=self.function, ZipFile=content))
        else:
            self._send_layer(root, content)
        self._sent[root] = _digest(content)

    def _send_layer(self, root: Path, content: bytes) -> None:
        """The function gets the new version in the place of an older one, or as its last layer."""
        name = next(name for name, path in self.layers.items() if path == root)
        version = self.functions.publish_layer_version(LayerName=name, Content={"ZipFile": content})
        configuration = self.functions.get_function_configuration(FunctionName=self.function)
        arns = [layer["Arn"] for layer in configuration.get("Layers", [])]
        replaced = [version["LayerVersionArn"] if arn.split(":")[-2] == name else arn for arn in arns]
        if version["LayerVersionArn"] not in replaced:
            replaced.append(version["LayerVersionArn"])
        self._settled(self.functions.update_function_configuration(FunctionName=self.function, Layers=replaced))

    def _settled(self, configuration: Mapping[str, Any]) -> None:
        """Wait for the end of an update. Raises UpdateFailed."""
        end = time.monotonic() + _UPDATE_LIMIT_S
        while configuration.get("LastUpdateStatus") == "InProgress" and time.monotonic() < end:
            time.sleep(_POLL_S)
            configuration = self.functions.get_function_configuration(FunctionName=self.function)
        if configuration.get("LastUpdateStatus") != "Successful":
            raise UpdateFailed(configuration.get("LastUpdateStatusReason", "the update has not ended"))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
