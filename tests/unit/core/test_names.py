"""Addresses of host names, each looked up in a thread that ends."""

import asyncio
import socket
import threading

import pytest

from undercast.core import names
from undercast.core.names import addresses_of


async def test_the_machine_s_own_name_has_its_loopback_addresses() -> None:
    """In the form that a socket connects to."""
    found = await addresses_of("localhost", 80)
    assert {address.sockaddr[0] for address in found} <= {"127.0.0.1", "::1"}
    assert {address.sockaddr[1] for address in found} == {80}
    assert {address.family for address in found} <= {socket.AF_INET, socket.AF_INET6}


@pytest.mark.parametrize(("name", "port"), [("x" * 64 + ".example", 80), ("a\0b", 80), ("localhost", 1 << 80)])
async def test_what_no_resolver_takes_is_an_error_like_any_other(name: str, port: int) -> None:
    """Python raises ValueError and OverflowError for them."""
    with pytest.raises(OSError):
        await addresses_of(name, port)


async def test_an_answer_that_nobody_waits_for_any_more_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop that asked may be closed by then."""
    begun, go_on = threading.Event(), threading.Event()
    failed: list[object] = []

    def late(*_: object, **__: object) -> list[tuple[object, ...]]:
        begun.set()
        go_on.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", late)
    monkeypatch.setattr(threading, "excepthook", failed.append)
    loop = asyncio.new_event_loop()

    async def ask_in_vain() -> None:
        asking = asyncio.ensure_future(addresses_of("late.example", 80))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        asking.cancel()
        await asyncio.wait([asking])

    def run() -> None:
        loop.run_until_complete(ask_in_vain())
        loop.close()

    await asyncio.to_thread(run)
    go_on.set()
    while any(thread.name == names.THREAD for thread in threading.enumerate()):
        await asyncio.sleep(0.001)
    assert failed == []


async def test_a_machine_without_threads_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """RLIMIT_NPROC, or a cgroup's pids.max."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(OSError, match="no thread is left"):
        await addresses_of("localhost", 80)
