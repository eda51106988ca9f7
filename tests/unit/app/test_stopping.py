"""The order of a stop: what was acknowledged is written before sandboxes end."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from undercast.app import stopping
from undercast.app.ending import Ending
from undercast.core.clock import HostClock
from undercast.core.service import Manifest
from undercast.services.registry import Mounted
from undercast.store.database import Tx
from undercast.store.journal import Journal
from undercast.store.migrations import migrate


async def nothing(*_: Any) -> None:
    """A part that ends at once."""


def base_with(journal: Journal) -> Any:
    """What a stop ends of it, apart from the journal, has nothing to do."""
    front_door = SimpleNamespace(stop_accepting=nothing, close=nothing)
    door = SimpleNamespace(front_door=front_door, host_clock=HostClock(), journal=journal)
    log = SimpleNamespace(stop=nothing)
    parts = SimpleNamespace(causality=SimpleNamespace(close=nothing), blobs=SimpleNamespace(close=nothing))
    return SimpleNamespace(door=door, request_log=log, parts=parts)


async def test_answers_are_released_and_rows_written_before_sandboxes_end(tmp_path: Path) -> None:
    """The journal's timer has not come by then; a service whose release fails keeps no other from it."""
    journal = Journal.open(tmp_path / "journal.db")
    migrate(journal.database, "line", ("CREATE TABLE line (number INTEGER PRIMARY KEY);",))
    released: list[str] = []
    found: list[tuple[list[str], list[int]]] = []

    def release(name: str) -> None:
        released.append(name)
        if name == "logs":
            raise OSError(name)

    def sandboxes_end() -> None:
        found.append((list(released), journal.database.read_now(numbers)))

    services = {
        name: Mounted(manifest=Manifest(name=name, build=str, operations={}, release=release), instance=name)
        for name in ("logs", "sqs")
    }
    ending = Ending()
    journal.append("INSERT INTO line (number) VALUES (?)", (1,))
    begun = stopping.Begun(
        base=base_with(journal), services=services, deliveries={}, sandboxes={"the driver": sandboxes_end}
    )
    await stopping.stop(begun, ending)
    await journal.close()
    assert ending.failed == ["the answers of logs"]
    assert found == [(["logs", "sqs"], [1])]


async def test_a_stop_of_which_every_part_hangs_ends_within_its_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its parts is called, the sandboxes' too; the sum of what each may take by itself is minutes."""
    called: list[str] = []

    def hang(name: str) -> Any:
        async def part(*_: Any) -> None:
            called.append(name)
            await asyncio.get_running_loop().create_future()

        return part

    journal = Journal.open(tmp_path / "journal.db")
    migrate(journal.database, "line", ("CREATE TABLE line (number INTEGER PRIMARY KEY);",))
    base = base_with(journal)
    base.door.front_door = SimpleNamespace(stop_accepting=hang("front door"), close=hang("listeners"))
    base.parts.blobs.close = hang("blobs")
    parts = {"quiesce": hang("quiesce"), "release": hang("release"), "stop": hang("service")}
    manifest = Manifest(name="sqs", build=str, operations={}, **parts)
    sandboxes = {name: hang(name) for name in ("pool", "driver")}
    ending = Ending()
    for name, ends_s in (("WORK_S", 0.05), ("SANDBOXES_S", 0.1), ("REST_S", 0.15)):
        monkeypatch.setattr(stopping, name, ends_s)
    begun = stopping.Begun(
        base=base,
        services={"sqs": Mounted(manifest=manifest, instance="sqs")},
        deliveries={"router": hang("router")},
        sandboxes=sandboxes,
    )
    async with asyncio.timeout(10):
        await stopping.stop(begun, ending)
    await journal.close()
    assert called == [
        "router", "quiesce", "release", "front door", "pool", "driver", "listeners", "service", "blobs",
    ]  # fmt: skip
    assert len(ending.failed) == len(called)


async def test_a_start_and_sandboxes_that_are_slow_take_nothing_from_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Running attempts have their seconds behind a start that was waited for; services and logs behind sandboxes."""

    async def hangs(*_: Any) -> None:
        await asyncio.get_running_loop().create_future()

    async def takes_a_moment(*_: Any) -> None:
        await asyncio.sleep(0.01)

    journal = Journal.open(tmp_path / "journal.db")
    base = base_with(journal)
    base.request_log = SimpleNamespace(stop=takes_a_moment)
    manifest = Manifest(name="sqs", build=str, operations={}, quiesce=takes_a_moment, stop=takes_a_moment)
    services = {"sqs": Mounted(manifest=manifest, instance="sqs")}
    begun = stopping.Begun(base=base, services=services, deliveries={}, sandboxes={"the driver": hangs})
    ending = Ending()
    ending.stage(0.0)
    await ending.part("the start", hangs, 10)
    monkeypatch.setattr(stopping, "SANDBOXES_S", 0.1)
    async with asyncio.timeout(10):
        await stopping.stop(begun, ending)
    await journal.close()
    assert ending.failed == ["the start", "the driver"]


def numbers(tx: Tx) -> list[int]:
    """Of the lines in the file."""
    return [row["number"] for row in tx.all("SELECT number FROM line")]
