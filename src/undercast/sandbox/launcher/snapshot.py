"""Takes the memory of a paused runtime as an image, and gives it to another process that pauses: SnapStart.

Both were forked by this launcher, so that the address space up to the function's own part is the same. The image holds
no descriptor, namespace or right of the first process: what the second one may do is what its own sandbox gave it.
Sources: proc(5) (maps, pagemap), memfd_create(2), ptrace(2). AWS: Lambda Developer Guide, "Improving startup
performance with Lambda SnapStart".
"""

from __future__ import annotations

import array
import fcntl
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from undercast.sandbox.launcher.places import HOST
from undercast.sandbox.launcher.tracing import (
    BRK,
    CHDIR,
    CLOSE,
    EINTR,
    MAP_ANONYMOUS,
    MAP_FIXED,
    MAP_GROWSDOWN,
    MAP_NORESERVE,
    MAP_PRIVATE,
    MMAP,
    MUNMAP,
    PAGE,
    READ,
    RT_SIGACTION,
    SIGALTSTACK,
    UMASK,
    WRITE,
    Call,
    Mapping,
    Tracee,
    data_place,
    gap,
    mappings,
)

IMAGE = 4
"""The image's descriptor in a runner that waits to be restored; 0 to 3 are every runtime's."""
_SIGNALS = [number for number in range(1, 65) if number not in (9, 19)]
_ACTION = 32
"""Bytes of the kernel's struct sigaction."""
_STACK_T = 24
_SCRATCH = 1 << 20
_MOST_REGIONS = 8000
_MOST_BYTES = 8 << 30
"""Of address space that can hold something; the memory in it is limited by the sandbox."""
_PAUSE_LIMIT_S = 5.0
_LOOK_S = 0.001
_PRESENT, _SWAPPED, _OF_FILE = 1 << 63, 1 << 62, 1 << 61
_ANYWHERE = (1 << 64) - 1
_KEPT, _SAVED, _NOTHING, _STACK = range(4)


class Unfit(Exception):
    """The process cannot be taken as it is. The text says why, for the user."""


def take(init: int, inside: int) -> int:
    """The image of the process `inside` of the sandbox whose first process is `init`: the descriptor of a memfd.

    The process goes on in either case. Raises Unfit or OSError.
    """
    pid = _find(init, inside)
    tracee = _paused(pid)
    try:
        before = tracee.registers()
        try:
            _check(init, pid)
            return _write_image(tracee, before, inside)
        finally:
            tracee.set_registers({**before, "orig_rax": -1, "rax": -EINTR})
    finally:
        tracee.release()


def restore(init: int, inside: int, image: int) -> None:
    """Make the process `inside` of another sandbox of this launcher the one that the image shows. Raises OSError."""
    layout = _layout(image)
    if layout["inside"] != inside:
        raise OSError("the runtime has another process id than the snapshot")
    pid = _find(init, inside)
    tracee = _paused(pid)
    own_area = _argument_area(pid)
    own_text = tracee.read(own_area[0], own_area[1] - own_area[0])
    there = mappings(pid)
    calls, data = _rebuild(layout, there)
    taken = there + [Mapping(start, end, "", 0, "", "") for start, end, *_ in layout["regions"]]
    scratch = gap(taken, _SCRATCH)
    place = data_place(scratch)
    tracee.run(scratch, [_placed(call, place) for call in calls], data)
    for start, end, _, kind, offset in layout["regions"]:
        if kind == _STACK:
            for page, size in _data_of(image, offset, end - start):
                tracee.write(start + page, os.pread(image, size, offset + page))
    tracee.write(own_area[0], own_text)
    tracee.set_extended(bytes.fromhex(layout["extended"]))
    tracee.set_registers({**layout["registers"], "orig_rax": -1, "rax": -EINTR})
    tracee.set_signal_mask(layout["mask"])
    tracee.release()


def _find(init: int, inside: int) -> int:
    """Our number for a child of a sandbox's first process."""
    with open(f"{HOST}/proc/{init}/task/{init}/children") as file:
        for child in file.read().split():
            if _status(child, "NSpid").split()[-1:] == [str(inside)]:
                return int(child)
    raise OSError("the runtime is gone")


def _paused(pid: int) -> Tracee:
    """Stop it where it waits: it has said that it will, and may not have come to it."""
    until = time.monotonic() + _PAUSE_LIMIT_S
    while True:
        tracee = Tracee(pid)
        if tracee.pauses():
            return tracee
        tracee.release()
        if time.monotonic() > until:
            raise Unfit("the runtime does not wait for its snapshot")
        time.sleep(_LOOK_S)


def _check(init: int, pid: int) -> None:
    if _status(pid, "Threads") != "1":
        raise Unfit("the function has started threads in its INIT")
    for number in os.listdir(f"{HOST}/proc/{pid}/fd"):
        if int(number) >= IMAGE:
            what = os.readlink(f"{HOST}/proc/{pid}/fd/{number}").partition(":")[0]
            raise Unfit(f"the function has left open what it opened in its INIT ({what})")
    with open(f"{HOST}/proc/{init}/task/{init}/children") as file:
        alone = len(file.read().split()) == 1
    with open(f"{HOST}/proc/{pid}/task/{pid}/children") as file:
        alone = alone and not file.read().strip()
    if not alone:
        raise Unfit("the function has started processes in its INIT")
    if os.listdir(f"{HOST}/proc/{pid}/root/tmp"):
        raise Unfit("the function has written to /tmp in its INIT")


def _write_image(tracee: Tracee, registers: dict[str, int], inside: int) -> int:
    pid = tracee.pid
    found = mappings(pid)
    if len(found) > _MOST_REGIONS:
        raise Unfit("the function has more memory mappings than a snapshot takes")
    image = os.memfd_create("snapshot", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        ours = set(mappings("self"))
        regions = []
        offset = 0
        with open(f"{HOST}/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
            for mapping in found:
                kind = _kind(mapping, ours, pagemap.fileno())
                regions.append([mapping.start, mapping.end, mapping.protection, kind, offset])
                if kind in (_SAVED, _STACK):
                    if offset + mapping.end - mapping.start > _MOST_BYTES:
                        raise Unfit("the function has mapped more memory than a snapshot takes")
                    _save(tracee, mapping, pagemap.fileno(), image, offset)
                    offset += mapping.end - mapping.start
        layout = {
            "inside": inside,
            "regions": [region for region, mapping in zip(regions, found) if not mapping.of_kernel],
            "registers": registers,
            "extended": tracee.extended().hex(),
            "mask": tracee.signal_mask(),
            "umask": int(_status(pid, "Umask"), 8),
            "cwd": os.readlink(f"{HOST}/proc/{pid}/cwd"),
            **_settings(tracee, found),
        }
        _seal(image, offset, json.dumps(layout).encode())
    except BaseException:
        os.close(image)
        raise
    return image


def _kind(mapping: Mapping, ours: set[Mapping], pagemap: int) -> int:
    if mapping.name == "[stack]":
        return _STACK
    if mapping.mode[3] == "s" and mapping.protection & WRITE:
        raise Unfit("the function has memory that it shares")
    if not mapping.protection and not mapping.name:
        return _NOTHING
    if mapping in ours and mapping.name.startswith("/") and not any(_own_pages(mapping, pagemap)):
        return _KEPT
    return _SAVED


def _own_pages(mapping: Mapping, pagemap: int) -> Iterator[tuple[int, int]]:
    """Ranges (start, size) of pages that are the process's own copies, or anonymous."""
    step = 1 << 22
    begin = None
    for start in range(mapping.start, mapping.end, step):
        count = min(step, mapping.end - start) // PAGE
        entries = array.array("Q", os.pread(pagemap, count * 8, start // PAGE * 8))
        for number, entry in enumerate(entries):
            address = start + number * PAGE
            if entry & (_PRESENT | _SWAPPED) and not entry & _OF_FILE:
                begin = address if begin is None else begin
            elif begin is not None:
                yield begin, address - begin
                begin = None
    if begin is not None:
        yield begin, mapping.end - begin


def _save(tracee: Tracee, mapping: Mapping, pagemap: int, image: int, offset: int) -> None:
    ranges: Any = _own_pages(mapping, pagemap)
    if mapping.name.startswith("/"):
        ranges = ((start, min(1 << 20, mapping.end - start)) for start in range(mapping.start, mapping.end, 1 << 20))
    for start, size in ranges:
        try:
            data = tracee.read(start, size)
        except OSError:
            continue  # behind the end of a file: nobody can read it
        os.pwrite(image, data, offset + start - mapping.start)


def _settings(tracee: Tracee, found: list[Mapping]) -> dict[str, Any]:
    """What the kernel keeps beside the memory: signal actions, the alternate stack, the end of the heap."""
    scratch = gap(found, _SCRATCH)
    place = data_place(scratch)
    calls = [Call(RT_SIGACTION, (number, 0, place + index * _ACTION, 8)) for index, number in enumerate(_SIGNALS)]
    calls += [Call(SIGALTSTACK, (0, place + len(_SIGNALS) * _ACTION)), Call(BRK, (0,))]
    results, data = tracee.run(scratch, calls, bytes(len(_SIGNALS) * _ACTION + _STACK_T))
    return {"data": data.hex(), "brk": results[-1]}


def _seal(image: int, size: int, layout: bytes) -> None:
    """The layout stands behind the memory, its length at the end; nobody can change either any more."""
    os.pwrite(image, layout + len(layout).to_bytes(8, "little"), size)
    seals = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
    fcntl.fcntl(image, fcntl.F_ADD_SEALS, seals)


def _layout(image: int) -> dict[str, Any]:
    size = os.fstat(image).st_size - 8
    length = int.from_bytes(os.pread(image, 8, size), "little")
    layout: dict[str, Any] = json.loads(os.pread(image, length, size - length))
    return layout


def _rebuild(layout: dict[str, Any], there: list[Mapping]) -> tuple[list[Call], bytes]:
    """The calls that make the address space; addresses of the data behind them count from 0 (see `_placed`)."""
    regions = layout["regions"]
    _check_kept(regions, there)
    calls = [Call(BRK, (layout["brk"],))]
    for start, end, protection, kind, offset in regions:
        size = end - start
        if kind == _SAVED:
            calls.append(Call(MMAP, (start, size, protection, MAP_PRIVATE | MAP_FIXED, IMAGE, offset)))
        elif kind == _NOTHING:
            flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE
            calls.append(Call(MMAP, (start, size, 0, flags, _ANYWHERE, 0)))
        elif kind == _STACK:
            flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN
            calls.append(Call(MMAP, (start, size, READ | WRITE, flags, _ANYWHERE, 0)))
    calls += [Call(MUNMAP, (start, end - start)) for start, end in _left_over(regions, there)]
    actions = len(_SIGNALS) * _ACTION
    cwd = layout["cwd"].encode("utf-8", "surrogateescape") + b"\0"
    calls += [Call(RT_SIGACTION, (number, index * _ACTION, 0, 8)) for index, number in enumerate(_SIGNALS)]
    calls += [Call(SIGALTSTACK, (actions, 0)), Call(CHDIR, (actions + _STACK_T,), strict=False)]
    calls += [Call(UMASK, (layout["umask"],)), Call(CLOSE, (IMAGE,))]
    return calls, bytes.fromhex(layout["data"]) + cwd


_DATA_ARGUMENT = {RT_SIGACTION: 1, SIGALTSTACK: 0, CHDIR: 0}


def _placed(call: Call, place: int) -> Call:
    """With the address of its data."""
    at = _DATA_ARGUMENT.get(call.number)
    if at is None:
        return call
    arguments = list(call.arguments)
    arguments[at] += place
    return call._replace(arguments=tuple(arguments))


def _check_kept(regions: list[list[int]], there: list[Mapping]) -> None:
    same = {(mapping.start, mapping.end, mapping.protection) for mapping in there if mapping.name.startswith("/")}
    for start, end, protection, kind, _ in regions:
        if kind == _KEPT and (start, end, protection) not in same:
            raise OSError("the launcher's address space has changed since the snapshot")


def _left_over(regions: list[list[int]], there: list[Mapping]) -> Iterator[tuple[int, int]]:
    """What is mapped here and was not there. Both are in the order of their addresses."""
    first = 0
    for mapping in there:
        if mapping.of_kernel:
            continue
        start = mapping.start
        while first < len(regions) and regions[first][1] <= start:
            first += 1
        at = first
        while at < len(regions) and regions[at][0] < mapping.end:
            if regions[at][0] > start:
                yield start, regions[at][0]
            start = max(start, regions[at][1])
            at += 1
        if start < mapping.end:
            yield start, mapping.end


def _argument_area(pid: int) -> tuple[int, int]:
    """Where argv and the environment of the process stand: they are its own, as its runner has written them."""
    with open(f"{HOST}/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    return int(fields[45]), int(fields[48])


def _data_of(image: int, offset: int, size: int) -> Iterator[tuple[int, int]]:
    """Ranges of a part of the image that hold something."""
    place = offset
    while place < offset + size:
        try:
            start = os.lseek(image, place, os.SEEK_DATA)
        except OSError:
            return
        if start >= offset + size:
            return
        place = min(os.lseek(image, start, os.SEEK_HOLE), offset + size)
        yield start - offset, place - start


def _status(pid: int | str, name: str) -> str:
    with open(f"{HOST}/proc/{pid}/status") as file:
        for line in file:
            key, _, value = line.partition(":")
            if key == name:
                return value.strip()
    raise OSError(f"/proc/{pid}/status has no {name}")
