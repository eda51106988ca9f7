"""One body on its way into the store: digests and a draft file, in flat memory.

Synchronous. A small body stays in memory and never becomes a file. The lanes of the work on one block may run at once
in several threads, the blocks come one after the other. What others compute of the body is not computed again.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from undercast.store.digests import new_digest
from undercast.store.files import sync_file, sync_folder

INLINE_BYTES = 32 * 1024
"""Up to this size a blob is a row of state.db: one write instead of a file, and no fsync of its own."""
Lane = Callable[[bytes | memoryview], None]


class Intake:
    """`take` the blocks in order, then `place` the file, or `discard` everything."""

    def __init__(
        self, draft: Path, digests: Iterable[str], others: tuple[Callable[[memoryview], None], ...] = ()
    ) -> None:
        self._draft = draft
        self._digests = {name: new_digest(name) for name in digests}
        md5 = self._digests.get("md5")
        self._rest = (*(digest.update for digest in self._digests.values() if digest is not md5), *others)
        self.lanes: tuple[Lane, ...] = (self._keep,) if md5 is None else (md5.update, self._keep)
        """What has to be done with each block. MD5 takes as long as everything else: beside it, not behind it."""
        self._head: list[bytes] = []
        self._descriptor: int | None = None
        self.size_bytes = 0

    def take(self, block: bytes | memoryview) -> None:
        """The next bytes of the body, in this thread."""
        for lane in self.lanes:
            lane(block)

    def _keep(self, piece: bytes | memoryview) -> None:
        for see in self._rest:
            see(piece)  # type: ignore[arg-type]
        self.size_bytes += len(piece)
        if self.size_bytes <= INLINE_BYTES:
            self._head.append(bytes(piece))
            return
        if self._descriptor is None:
            self._descriptor = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            _write(self._descriptor, b"".join(self._head))
            self._head.clear()
        _write(self._descriptor, piece)

    def digests(self) -> Mapping[str, str]:
        """Name -> hexadecimal digest."""
        return {name: digest.hexdigest() for name, digest in self._digests.items()}

    def inline_body(self) -> bytes | None:
        """The body when it is small enough for a row, else None."""
        return b"".join(self._head) if self._descriptor is None else None

    def place(self, final: Path, *, sync: bool) -> None:
        """Rename the draft to its final path; with `sync` only once the device holds it."""
        if self._descriptor is None:
            raise RuntimeError("a small body has no file")
        if sync:
            sync_file(self._descriptor)
        os.close(self._descriptor)
        self._descriptor = None
        if final.exists():
            self._draft.unlink()
            if sync:
                _sync_path(final)  # it may have come without, under `--durability process`, a moment ago
        else:
            final.parent.mkdir(mode=0o700, exist_ok=True)
            self._draft.rename(final)
        if sync:
            sync_folder(final.parent)
            sync_folder(final.parent.parent)

    def discard(self) -> None:
        """Forget the body: it was refused, or its sender went away."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
            self._draft.unlink(missing_ok=True)


def _sync_path(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        sync_file(descriptor)
    finally:
        os.close(descriptor)


def _write(descriptor: int, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
