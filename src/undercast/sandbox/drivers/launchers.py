"""Launcher processes, seen from the control plane: one without a runtime, and one (a zygote) per interpreter.

A launcher that dies takes its sandboxes with it; the next sandbox starts a new one.
"""

import asyncio
import contextlib
import platform
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import undercast
from undercast.core.record import record
from undercast.sandbox import launcher as launcher_package
from undercast.sandbox import rootfs, seccomp
from undercast.sandbox.driver import Prestart, SandboxError, SandboxSpec
from undercast.sandbox.launcher.link import Link, close_all

XRAY_HOST, XRAY_PORT = "127.53.0.2", 2000
"""Where a sandbox finds the X-Ray daemon: AWS has it on an address of its own, too, so that 127.0.0.1:2000 is free."""
_ENVIRONMENT_BYTES = 12 * 1024
_START_LIMIT_S = 30.0
_STOP_LIMIT_S = 2.0
_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "en_US.UTF-8"}


@record
class LauncherKey:
    """What makes two launchers different."""

    python: Path | None = None
    """The interpreter whose zygote it is; None: not a zygote."""
    runtime_dir: Path | None = None
    lang_dir: Path | None = None
    prefixes: tuple[Path, ...] = ()
    traces: bool = False
    """Whether processes in its sandboxes may trace each other."""


@record
class Kind:
    """What sandboxes have to have in common that one can stand ready for any function of that kind."""

    launcher: LauncherKey
    runtime_dir: Path | None
    lang_dir: Path | None
    prefixes: tuple[Path, ...]
    front_door_port: int
    ports: tuple[int, ...]
    ca_bundle: Path | None
    prestart: Prestart | None = None
    root: Path | None = None
    """Of a container image."""

    @classmethod
    def of(cls, spec: SandboxSpec) -> "Kind":
        """The kind of what `spec` asks for."""
        launcher = LauncherKey(traces=spec.traces)
        if spec.python is not None:
            launcher = LauncherKey(
                python=spec.python, runtime_dir=spec.runtime_dir, lang_dir=spec.lang_dir, prefixes=spec.prefixes
            )
        return cls(
            launcher=launcher,
            runtime_dir=spec.runtime_dir,
            lang_dir=spec.lang_dir,
            prefixes=spec.prefixes,
            front_door_port=spec.front_door_port,
            ports=spec.ports,
            ca_bundle=spec.ca_bundle,
            prestart=spec.prestart,
            root=spec.code_dir if spec.is_root else None,
        )

    @property
    def zygote(self) -> bool:
        """Whether its launcher has a runtime imported."""
        return self.launcher.python is not None

    def order(self) -> dict[str, Any]:
        """What the first process of a sandbox is told."""
        binds: list[tuple[str, str]] = []
        if self.ca_bundle is not None:
            inside = rootfs.CA_BUNDLE if self.root is None else rootfs.IMAGE_CA_BUNDLE
            binds.append((str(self.ca_bundle.resolve()), inside))
        if not self.zygote:
            binds += rootfs.prefix_binds(self.prefixes)
            binds += rootfs.runtime_binds(self.runtime_dir, self.lang_dir)
        order: dict[str, Any] = {"op": "plant", "binds": binds, "listen": self._listeners()}
        if self.root is not None:
            order["root"] = str(self.root.resolve())
        if self.prestart is not None:
            argv = (*self.prestart.command, *self.prestart.options)
            order["prestart"] = {"argv": argv, "environment": dict(self.prestart.environment)}
        return order

    def _listeners(self) -> list[tuple[str, str, str, int]]:
        """(name, protocol, address, port), no port twice."""
        wanted = [
            ("runtime", "tcp", "127.0.0.1", 9001),
            ("dns", "udp", "127.0.0.1", 53),
            ("http", "tcp", "0.0.0.0", 80),
            ("https", "tcp", "0.0.0.0", 443),
            ("front", "tcp", "127.0.0.1", self.front_door_port),
            *((f"tcp:{port}", "tcp", "0.0.0.0", port) for port in self.ports),
            ("xray", "tcp", XRAY_HOST, XRAY_PORT),
            ("xray-udp", "udp", XRAY_HOST, XRAY_PORT),
        ]
        taken: set[tuple[str, int]] = set()
        chosen = []
        for entry in wanted:
            if (place := (entry[1], entry[3])) not in taken:
                taken.add(place)
                chosen.append(entry)
        return chosen


@record
class Ground:
    """What all launchers of one driver share."""

    folder: Path
    python: Path
    """For the launcher that is no zygote."""
    rootless: bool
    cgroups: tuple[Path, ...]
    """Our folder in each hierarchy."""


class Launcher:
    """A running launcher process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked: dict[int, asyncio.Future[list[int]]] = {}
        """Work under way: its number, and the descriptors that come of it."""
        self._serial = 0
        self.link: Link

    @classmethod
    async def start(cls, key: LauncherKey, ground: Ground) -> "Launcher":
        """Start one and wait until it stands in its root. Raises SandboxError with the step that failed."""
        folder = ground.folder
        root = folder / "root"
        root.mkdir(parents=True, exist_ok=True)
        link_box: list[Launcher] = []
        link = Link(lambda message, rights: link_box[0]._on_message(message, rights), lambda: link_box[0]._on_close())
        python = key.python or ground.python
        main = Path(launcher_package.__path__[0]) / "main.py"
        arguments = ("-I", "-S", str(main), str(link.theirs.fileno()), str(Path(undercast.__path__[0]).parent))
        try:
            with (folder / "launcher.log").open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    str(python), *arguments, env=_environment(key), cwd="/", stdin=DEVNULL, stdout=DEVNULL, stderr=log,
                    pass_fds=(link.theirs.fileno(),), start_new_session=True,
                )  # fmt: skip
        except BaseException as error:
            link.close()
            if isinstance(error, OSError):
                raise SandboxError(f"the launcher for {python} cannot be started: {error}") from error
            raise
        self = cls(process)
        self.link = link
        link_box.append(self)
        link.theirs.close()
        link.send(_configuration(key, root, ground))
        try:
            async with asyncio.timeout(_START_LIMIT_S):
                await self._ready
        except TimeoutError:
            await self.stop()
            raise SandboxError(f"the launcher for {python} did not start in {_START_LIMIT_S:.0f} s") from None
        return self

    @property
    def pid(self) -> int:
        """The host's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can still make sandboxes."""
        return not self.link.closed

    def create(self, message: dict[str, Any], descriptors: Sequence[int]) -> bool:
        """Ask for a sandbox; its init process answers on the first descriptor. False when the launcher is gone."""
        return self.link.send(message, descriptors)

    def ask(self, order: dict[str, Any], descriptors: Sequence[int]) -> asyncio.Future[list[int]]:
        """Have it work on a sandbox: "place" a function's own files, take a "snapshot" (one descriptor), "restore" it.

        The outcome may be a SandboxError with the step that failed.
        """
        self._serial += 1
        serial = self._serial
        asked = self._asked[serial] = asyncio.get_running_loop().create_future()
        asked.add_done_callback(lambda done: (self._asked.pop(serial), done.cancelled() or done.exception()))
        if not self.link.send({"serial": serial, **order}, descriptors):
            asked.set_exception(SandboxError("the launcher is gone"))
        return asked

    async def stop(self) -> None:
        """End it; the kernel kills the sandboxes that are left."""
        self.link.close()
        try:
            async with asyncio.timeout(_STOP_LIMIT_S):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    def _on_message(self, message: dict[str, Any], descriptors: list[int]) -> None:
        asked = self._asked.get(message.get("done", 0))
        if asked is not None and not asked.done() and "error" not in message:
            asked.set_result(descriptors)
            return
        close_all(descriptors)
        if asked is not None and not asked.done():
            asked.set_exception(SandboxError(message["error"]))
        if self._ready.done():
            return
        if "error" in message:
            self._ready.set_exception(SandboxError(f"launcher: {message['error']}"))
        else:
            self._ready.set_result(None)

    def _on_close(self) -> None:
        for asked in tuple(self._asked.values()):
            if not asked.done():
                asked.set_exception(SandboxError("the launcher is gone"))
        if not self._ready.done():
            self._ready.set_exception(SandboxError("the launcher ended while starting; see launcher.log"))


def _environment(key: LauncherKey) -> dict[str, str]:
    # The forked runtime's own variables take the place of the padding in /proc/self/environ.
    return {**_ENVIRONMENT, "PADDING": "=" * _ENVIRONMENT_BYTES} if key.python else _ENVIRONMENT


def _configuration(key: LauncherKey, root: Path, ground: Ground) -> dict[str, Any]:
    return {
        "root": str(root.resolve()),
        "rootless": ground.rootless,
        "cgroups": [str(parent) for parent in ground.cgroups],
        "preload": key.python is not None,
        "lang": rootfs.LANG if key.lang_dir is not None else "",
        "python": str(key.python or ground.python),
        "template": asdict(rootfs.template(key.prefixes, key.runtime_dir, key.lang_dir)),
        "filter": seccomp.filter_program(platform.machine(), traces=key.traces).hex(),
        "inside_uid": rootfs.INSIDE_UID,
        "inside_gid": rootfs.INSIDE_GID,
    }
