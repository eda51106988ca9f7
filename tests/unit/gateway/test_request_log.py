"""The request log: batched, and no reason for the platform to fail."""

import asyncio
import json
from pathlib import Path

import pytest

from undercast.gateway.request_log import RequestLog


async def test_lines_are_there_after_a_stop(tmp_path: Path) -> None:
    """One JSON object per request."""
    log = RequestLog(tmp_path / "requests.log")
    await log.start()
    log.add({"operation": "PutObject"})
    await log.stop()
    assert json.loads((tmp_path / "requests.log").read_text()) == {"operation": "PutObject"}


async def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk costs the lines, is told once, and the next lines are written as soon as they can be."""
    path = tmp_path / "requests.log"
    path.mkdir()
    log = RequestLog(path)
    await log.start()
    async with asyncio.timeout(20):
        while not caplog.messages:
            log.add({"number": 1})
            await asyncio.sleep(0.01)
    log.add({"number": 2})
    log.flush()
    assert len(caplog.messages) == 1
    path.rmdir()
    log.add({"number": 3})
    await log.stop()
    assert json.loads(path.read_text()) == {"number": 3}
