"""What comes to the daemon and is no segment."""

import json
from pathlib import Path

import pytest

from tests.fakes import FakeClock
from tests.fakes_sandbox import a_function
from undercast.core.errors import ServiceError
from undercast.services.xray.documents import MAX_BYTES
from undercast.services.xray.intake import MAX_BACKLOG_BYTES, Intake
from undercast.services.xray.schema import JOURNAL_SCHEMA
from undercast.services.xray.sink import _params
from undercast.store.journal import Journal
from undercast.store.migrations import migrate_all

HEAD = b'{"format": "json", "version": 1}\n'
GOOD = {"name": "n", "id": "a" * 16, "trace_id": f"1-5759e988-{'b' * 24}", "start_time": 1, "end_time": 2}


async def test_packets_that_are_no_segments_are_dropped_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The daemon's protocol has no answer; thousands of wrong packets are one line of the platform's log."""
    journal = Journal.open(tmp_path / "journal.db")
    migrate_all(journal.database, {"xray": JOURNAL_SCHEMA})
    intake = Intake(journal, FakeClock())
    good = HEAD + json.dumps(GOOD).encode()
    wrong = (b"[" * 5000, b"", b"\xff", b"[]\n{}", HEAD, HEAD + b"\xff", HEAD + b"{}", HEAD.replace(b"1", b"2") + b"{}")
    surrogate = HEAD + json.dumps(GOOD | {"id": "b" * 16, "name": "\ud800"}).encode()
    for packet in (*wrong, HEAD + b"[" * 5000, surrogate, good):
        intake.packet(a_function(), packet)
    rows = await journal.read(lambda tx: tx.all("SELECT id FROM xray_segment"))
    assert [row["id"] for row in rows] == ["a" * 16]
    assert len(caplog.records) == 1
    await journal.close()


async def test_a_flood_of_segments_fills_no_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What the file has no time for is dropped and told once; Lambda's own segments have a reserve."""
    journal = Journal.open(tmp_path / "journal.db")
    migrate_all(journal.database, {"xray": JOURNAL_SCHEMA})
    intake = Intake(journal, FakeClock())
    room = MAX_BACKLOG_BYTES // MAX_BYTES
    for number in range(room + 20):
        large = json.dumps(GOOD | {"id": f"{number:016x}", "user": ""})
        intake.packet(
            a_function(),
            HEAD + json.dumps(GOOD | {"id": f"{number:016x}", "user": "x" * (MAX_BYTES - len(large))}).encode(),
        )
    intake.lambda_segment(a_function(), GOOD | {"id": "f" * 16})
    rows = await journal.read(lambda tx: tx.all("SELECT id FROM xray_segment"))
    assert sorted(row["id"] for row in rows) == [*(f"{number:016x}" for number in range(room)), "f" * 16]
    assert len(caplog.records) == 1
    intake.packet(a_function(), HEAD + json.dumps(GOOD | {"id": "e" * 16}).encode())
    (row,) = await journal.read(lambda tx: tx.all("SELECT id FROM xray_segment WHERE id LIKE 'e%'"))
    assert row["id"] == "e" * 16
    await journal.close()


async def test_times_of_a_function_are_moved_with_the_platforms_clock(tmp_path: Path) -> None:
    """Functions keep the machine's time; a trace is found at the platform's, its parts in their order."""
    journal = Journal.open(tmp_path / "journal.db")
    migrate_all(journal.database, {"xray": JOURNAL_SCHEMA})
    clock = FakeClock()
    intake = Intake(journal, clock)
    clock.advance(7200)
    part = {"name": "p", "id": "c" * 16, "start_time": 1.25, "in_progress": True, "annotations": {"a": "ä\\\ud800"}}
    intake.packet(a_function(), HEAD + json.dumps(GOOD | {"subsegments": [part]}).encode())
    (row,) = await journal.read(lambda tx: tx.all("SELECT started_at, document FROM xray_segment"))
    document = json.loads(row["document"])
    assert (row["started_at"], document["start_time"], document["end_time"]) == (7201, 7201, 7202)
    assert document["subsegments"] == [part | {"start_time": 7201.25}]
    await journal.close()


def test_what_is_nested_deeply_is_malformed_at_the_tcp_port() -> None:
    """InvalidRequestException, as for any other text that cannot be read."""
    with pytest.raises(ServiceError, match="Nested too deeply"):
        _params(b"[" * 5000)
