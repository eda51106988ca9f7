"""A stop goes on whatever one part of it does, and its exit status tells."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from undercast.app.ending import Ending, Work
from undercast.store.folder import holder


async def raises() -> None:
    raise OSError("disk full")


async def hangs() -> None:
    await asyncio.get_running_loop().create_future()


async def refuses() -> None:
    """Does not even end when it is cancelled, once."""
    try:
        await hangs()
    except asyncio.CancelledError:
        await hangs()


async def test_one_that_fails_keeps_nobody_from_ending(caplog: pytest.LogCaptureFixture) -> None:
    """The log says who; the others are waited for."""
    ended: list[str] = []

    async def slow() -> None:
        await asyncio.sleep(0)
        ended.append("slow")

    ending = Ending()
    await ending.together({"pipes": raises, "lambda": slow}, 30)
    assert ended == ["slow"]
    assert ending.failed == ["pipes"]
    assert [record.getMessage() for record in caplog.records] == ["the stop of pipes failed"]
    assert "disk full" in caplog.text


async def test_one_that_cannot_even_be_called_is_one_that_fails() -> None:
    """A part may fail before there is anything to wait for."""

    def broken() -> None:
        raise RuntimeError("never started")

    ending = Ending()
    await ending.part("sqs", broken, 30)
    assert ending.failed == ["sqs"]


@pytest.mark.parametrize("part", [hangs, refuses])
async def test_one_that_does_not_end_is_left(part: Work, caplog: pytest.LogCaptureFixture) -> None:
    """After the limit, with a line in the log."""
    ending = Ending()
    before = asyncio.all_tasks()
    await ending.part("pipes", part, 0)
    assert ending.failed == ["pipes"]
    assert [record.getMessage() for record in caplog.records] == [
        "the stop of pipes has not ended after 0.0 s and is left"
    ]
    for left in asyncio.all_tasks() - before:
        left.cancel()


async def test_one_that_gets_on_is_waited_for() -> None:
    """However long it takes: what is left gets less within each span."""
    left, third = iter(range(1000, 0, -1)), asyncio.Event()

    def count() -> int:
        now = next(left)
        if now <= 997:
            third.set()
        return now

    async def many() -> None:
        await third.wait()

    ending = Ending()
    await ending.part("the driver", many, 0.01, count)
    assert third.is_set()
    assert ending.failed == []


async def test_one_that_gets_on_no_more_is_left(caplog: pytest.LogCaptureFixture) -> None:
    """The same number is left after a whole span."""
    left = iter([3, 2, 2])
    ending = Ending()
    await ending.part("the driver", hangs, 0.01, lambda: next(left))
    assert ending.failed == ["the driver"]
    assert "the stop of the driver has not got on for 0.0 s and is left" in caplog.text


async def test_parts_share_the_seconds_of_the_whole(caplog: pytest.LogCaptureFixture) -> None:
    """Each may take ten; together they have those of their stage. Who comes late is called all the same."""
    called: list[str] = []
    ending = Ending()
    ending.stage(0.02)
    async with asyncio.timeout(5):
        await ending.part("the router", hangs, 10)
        await ending.part("pipes", hangs, 10)
        await ending.part("the port", lambda: called.append("the port"), 10)
    assert ending.failed == ["the router", "pipes"]
    assert "the stop of pipes has not ended after 0.0 s and is left" in caplog.text
    assert called == ["the port"]


async def test_a_later_stage_has_seconds_of_its_own() -> None:
    """What was kept for it, whatever those before it took."""

    async def slow() -> None:
        await asyncio.sleep(0.05)

    ending = Ending()
    ending.stage(0.01)
    await ending.part("the router", hangs, 10)
    assert ending.within(10) == 0
    ending.stage(60)
    await ending.part("the journal", slow, 10)
    assert ending.failed == ["the router"]
    assert 40 < ending.within(100) <= 60


async def test_one_that_gets_on_is_left_when_the_seconds_of_the_whole_are_over() -> None:
    """There is less left whenever one looks, and never nothing."""
    left = iter(range(1_000_000, 0, -1))
    ending = Ending()
    ending.stage(0.05)
    async with asyncio.timeout(5):
        await ending.part("the driver", hangs, 0.01, lambda: next(left))
    assert ending.failed == ["the driver"]
    assert 1 < 1_000_000 - next(left) < 100


WOUNDED = """
import asyncio, sys, threading
from dataclasses import replace
from importlib import import_module
from undercast.app import stopping
from undercast.cli.main import main

async def raises(instance):
    raise OSError("disk full")

async def blocked(instance):
    await asyncio.to_thread(threading.Event().wait)

def wound(service, **changes):
    module = import_module(f"undercast.services.{service}.service")
    module.MANIFEST = replace(module.MANIFEST, **changes)

wound("cloudwatch", stop=raises)
if "blocked" in sys.argv[0]:
    wound("dynamodb", stop=blocked)
if "start" in sys.argv[0]:
    wound("sqs", start=raises)
stopping.PART_S = 1.0
main()
"""


@pytest.mark.parametrize(
    ("wound", "told"),
    [
        ("stop", "the stop of cloudwatch failed"),
        ("stop, blocked", "the stop of dynamodb has not ended after 1.0 s and is left"),
        ("start", "disk full"),
    ],
)
def test_a_platform_gives_back_all_that_it_holds_and_says_what_failed(tmp_path: Path, wound: str, told: str) -> None:
    """A service that raises, one that waits for a thread for ever, and one that cannot even start: exit status 1, what
    was journalled is on disk, and the WAL is folded into a database that was closed."""
    program = f"import sys; sys.argv = [{wound!r}, 'start', '--port', '0', '--data', {str(tmp_path)!r}]\n{WOUNDED}"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready ")
        if wound != "start":
            process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1, errors
    assert told in errors
    assert holder(tmp_path) is None
    for name in ("state.db", "journal.db"):
        wal = tmp_path / f"{name}-wal"
        assert not wal.exists() or not wal.stat().st_size, errors
