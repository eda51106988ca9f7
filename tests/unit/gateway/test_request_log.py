"""The request log: batched, and no reason for the platform to fail."""

import asyncio
import json
from pathlib import Path

import pytest

from undercast.gateway.request_log import RequestLine, RequestLog


def a_line(request_id: str = "r-1") -> RequestLine:
    """As dispatch fills it in when nothing is known but the outcome."""
    line = RequestLine(1700000000.25, request_id)
    line.status, line.milliseconds = 404, 1.23456
    return line


def test_a_line_is_json_with_what_is_known() -> None:
    """What is not known is left out."""
    expected = {"at": 1700000000.25, "id": "r-1", "status": 404, "ms": 1.235}
    assert json.loads(a_line().text()) == expected


def test_a_line_quotes_what_callers_choose() -> None:
    """Names hold any character; a line of the log is one line all the same."""
    line = a_line()
    line.operation, line.by = "s3:PutObject", 'arn:aws:iam::1:user/"a"\n\u00e9\u2028'
    line.cause, line.error = "r-0\\", "No\tSuch"
    assert line.text().count("\n") == 1
    assert json.loads(line.text()) == {
        "at": 1700000000.25,
        "id": "r-1",
        "op": "s3:PutObject",
        "by": 'arn:aws:iam::1:user/"a"\n\u00e9\u2028',
        "cause": "r-0\\",
        "error": "No\tSuch",
        "status": 404,
        "ms": 1.235,
    }


async def test_lines_are_there_after_a_stop(tmp_path: Path) -> None:
    """One JSON object per request."""
    log = RequestLog(tmp_path / "requests.log")
    await log.start()
    log.add(a_line())
    await log.stop()
    assert json.loads((tmp_path / "requests.log").read_text())["id"] == "r-1"


async def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A full disk costs the lines, is told once, and the next lines are written as soon as they can be."""
    path = tmp_path / "requests.log"
    path.mkdir()
    log = RequestLog(path)
    await log.start()
    async with asyncio.timeout(20):
        while not caplog.messages:
            log.add(a_line("1"))
            await asyncio.sleep(0.01)
    log.add(a_line("2"))
    log.flush()
    assert len(caplog.messages) == 1
    path.rmdir()
    log.add(a_line("3"))
    await log.stop()
    assert json.loads(path.read_text())["id"] == "3"
