"""Lines, frames and reports of a function's log; pipes that are flooded."""

import asyncio
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undercast.sandbox.log_pipes import MAX_EVENT_BYTES, FrameReader, LineReader, LogFlow, LogPump
from undercast.sandbox.logs import Report, init_report_line


def frame(text: bytes, kind: int = 0x03) -> bytes:
    """A frame as awslambdaric writes it; type 1 has no time stamp."""
    stamp = b"" if kind == 1 else (1_700_000_000_000_000).to_bytes(8, "big")
    return b"\xa5\x5a\x00" + bytes((kind,)) + len(text).to_bytes(4, "big") + stamp + text


def test_report_line() -> None:
    """Tabs between the parts and at the end; INIT is billed."""
    report = Report(request_id="r", duration_ms=17.09, memory_mb=128, max_memory_used_mb=36, init_duration_ms=91.07)
    assert report.line() == (
        "REPORT RequestId: r\tDuration: 17.09 ms\tBilled Duration: 109 ms\tMemory Size: 128 MB\t"
        "Max Memory Used: 36 MB\tInit Duration: 91.07 ms\t\n"
    )


@pytest.mark.parametrize(
    ("header", "line"),
    [
        (
            "Root=1-643eb81e-7b15c13c3bff33247638ad8d;Parent=4c72ac137fd02fb0;Sampled=1",
            "XRAY TraceId: 1-643eb81e-7b15c13c3bff33247638ad8d\tSegmentId: 4c72ac137fd02fb0\tSampled: true\t\n",
        ),
        (
            "Root=1-643eb81e-7b15c13c3bff33247638ad8d;Parent=4c72ac137fd02fb0;Sampled=0",
            "XRAY TraceId: 1-643eb81e-7b15c13c3bff33247638ad8d\tSegmentId: 4c72ac137fd02fb0\tSampled: false\t\n",
        ),
        ("Root=made up;Parent=4c72ac137fd02fb0;Sampled=1", ""),
        ("", ""),
    ],
)
def test_report_names_the_trace(header: str, line: str) -> None:
    """Recorded: in the same event, behind a tab and a line break. A caller's words are no line of ours."""
    report = Report(request_id="r", duration_ms=1.0, memory_mb=128, max_memory_used_mb=36, trace_header=header)
    assert report.line().endswith(f"\tMax Memory Used: 36 MB\t\n{line}")


@pytest.mark.parametrize(("duration", "billed"), [(17.09, 18), (18.0, 18), (0.2, 1), (0.0, 1)])
def test_billed_duration_is_rounded_up(duration: float, billed: int) -> None:
    """1 ms steps since December 2020 (X8)."""
    assert Report(request_id="r", duration_ms=duration, memory_mb=1, max_memory_used_mb=1).billed_ms == billed


def test_init_report() -> None:
    """The recorded line of a failed INIT."""
    assert init_report_line(229.04, "init", "error", "Runtime.ImportModuleError") == (
        "INIT_REPORT Init Duration: 229.04 ms\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError\n"
    )
    assert init_report_line(9999.47, "init", "timeout").endswith("Status: timeout\n")


def test_lines_are_events() -> None:
    """Split at line feeds only; a carriage return joins lines, as awslambdaric uses it."""
    reader = LineReader()
    assert reader.feed(b"one\ntwo\rstill two\nthr") == ["one\n", "two\rstill two\n"]
    assert reader.feed(b"ee\n") == ["three\n"]
    assert reader.flush() == []


def test_last_line_without_break() -> None:
    """What is left at the end of an invocation is an event too."""
    reader = LineReader()
    reader.feed(b"no break")
    assert reader.flush() == ["no break"]


def test_long_line_is_split_at_256_kb_between_characters() -> None:
    """CloudWatch Logs takes 262,144 bytes including 26 of overhead; no character is torn."""
    reader = LineReader()
    line = "ü" * 400_000 + "\n"
    events = reader.feed(line.encode())
    assert "".join(events) == line
    assert all(len(event.encode()) <= MAX_EVENT_BYTES for event in events)
    assert len(events) == 4


def test_endless_line_does_not_grow() -> None:
    """A function that never writes a line break."""
    reader = LineReader()
    total = sum(len(event) for _ in range(100) for event in reader.feed(b"x" * 65_536))
    assert total + len(reader.flush()[0]) == 6_553_600


def test_frame_is_one_event_whatever_it_contains() -> None:
    """A record of several lines, in pieces."""
    data = frame(b"one\ntwo") + frame(b"old", kind=1) + frame(b"{}\n", kind=0x0E)
    reader = FrameReader()
    events = [event for byte in data for event in reader.feed(bytes((byte,)))]
    assert events == ["one\ntwo", "old", "{}\n"]


def test_what_is_no_frame_is_lines() -> None:
    """A function may write anything to the descriptor."""
    reader = FrameReader()
    assert reader.feed(frame(b"good") + b"bad\nworse") == ["good", "bad\n"]
    assert reader.flush() == ["worse"]


def test_frame_that_promises_gigabytes_is_passed_on_in_pieces() -> None:
    """The length is the function's word: memory must not follow it."""
    reader = FrameReader()
    head = b"\xa5\x5a\x00\x03" + (2**32 - 1).to_bytes(4, "big") + bytes(8)
    reader.feed(head)
    events = [event for _ in range(32) for event in reader.feed(b"y" * 65_536)]
    assert sum(map(len, events)) > 32 * 65_536 - 2 * MAX_EVENT_BYTES


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=200), max_size=10), st.integers(min_value=1, max_value=50))
def test_frames_survive_any_cut(records: list[bytes], step: int) -> None:
    """However the pipe splits them."""
    data = b"".join(frame(record) for record in records)
    reader = FrameReader()
    events = [event for at in range(0, len(data), step) for event in reader.feed(data[at : at + step])]
    assert events == [record.decode("utf-8", "replace") for record in records if record]


@settings(max_examples=200)
@given(st.binary(max_size=500))
def test_garbage_never_raises(data: bytes) -> None:
    """Nothing that a function writes is an error of ours."""
    for reader in (FrameReader(), LineReader()):
        reader.feed(data)
        reader.flush()


async def test_flooded_pipe_makes_its_writer_wait() -> None:
    """Behind a full read the pump rests, so that the loop has time for others; what is in the pipe stays there."""
    read_end, write_end = os.pipe()
    flow = LogFlow()
    got: list[str] = []
    pump = LogPump(read_end, LineReader(), got.extend, flow)
    os.set_blocking(write_end, False)
    os.write(write_end, (b"x" * 127 + b"\n") * 512)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(BlockingIOError):
        os.write(write_end, b"y" * 65_536)
        os.write(write_end, b"y" * 65_536)
    assert len(got) == 512
    os.close(write_end)
    pump.close()
    assert flow.flooding == 0


async def test_closed_pipe_ends_the_pump() -> None:
    """End of file: the last line is written and the descriptor is closed."""
    read_end, write_end = os.pipe()
    got: list[str] = []
    LogPump(read_end, LineReader(), got.extend, LogFlow())
    os.write(write_end, b"last")
    os.close(write_end)
    async with asyncio.timeout(5):
        while not got:
            await asyncio.sleep(0.001)
    assert got == ["last"]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(read_end)


def test_a_line_that_grows_byte_by_byte_costs_each_byte_once() -> None:
    """The pending part grows in place: it is neither copied nor searched again, and is the same event in the end."""
    reader, whole = LineReader(), LineReader()
    text = ("é" * 100_000).encode()
    assert [event for place in range(len(text)) for event in reader.feed(text[place : place + 1])] == []
    pending = reader._rest
    reader.feed(b".")
    assert (reader._rest is pending, reader.unfinished) == (True, True)
    assert reader.feed(b"\nnext") == whole.feed(text + b".\n")
    assert reader.flush() == ["next"]
