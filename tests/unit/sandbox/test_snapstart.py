"""SnapStart without processes: the Runtime API's part of it, the images that are kept, lines and events."""

import json
import os

import pytest

from tests.fakes import FakeHostClock
from tests.fakes_sandbox import FakeDriver, FakeRuntime, a_function
from tests.unit.sandbox.conftest import StartBench
from undercast.sandbox.admission import Admission, Limits
from undercast.sandbox.checkpoints import Checkpoints
from undercast.sandbox.errors import exited, timed_out
from undercast.sandbox.fleet import Fleet
from undercast.sandbox.logs import Report, Restored
from undercast.sandbox.platform_events import restore_events
from undercast.sandbox.snapstart import Snapshot, Snapshots, restore_failure


async def test_a_runtime_that_cannot_be_copied_goes_on_at_once(start: StartBench) -> None:
    """A custom runtime asks for restore/next between its hooks, once; it is restored when it asks for `next`."""
    seen: dict[str, object] = {}

    async def script(runtime: FakeRuntime) -> None:
        seen["type"] = runtime.environment["AWS_LAMBDA_INITIALIZATION_TYPE"]
        seen["group"] = runtime.environment.get("AWS_LAMBDA_LOG_GROUP_NAME")
        seen["restored"] = (await runtime.request("GET", "restore/next"))[0]
        seen["again"] = (await runtime.request("GET", "restore/next"))[0]
        request_id, _, _ = await runtime.next()
        await runtime.respond(request_id, b'"here"')
        await runtime.next()

    made = await start(script, script)
    result = await made.pool.invoke(made.invocation(snap_start=True, version="1"))
    assert result.payload == b'"here"'
    assert seen == {"type": "snap-start", "group": None, "restored": 200, "again": 403}
    text = "".join(made.log.messages)
    assert "SnapStart: this version is initialised ahead" in text
    assert "only Python runtimes can be copied here" in text
    assert "Restore Duration" not in text


async def test_an_after_restore_hook_that_fails_is_posted(start: StartBench) -> None:
    """POST restore/error, in the state Restoring only: else 403."""
    early: list[int] = []

    async def script(runtime: FakeRuntime) -> None:
        early.append((await runtime.request("POST", "restore/error", b"{}"))[0])
        await runtime.request("GET", "restore/next")
        await runtime.request("POST", "restore/error", b'{"errorType":"Runtime.AfterRestoreError"}')

    made = await start(*[script] * 4)
    result = await made.pool.invoke(made.invocation(snap_start=True, version="1"))
    assert result.function_error == "Unhandled"
    assert result.payload == b'{"errorType":"Runtime.AfterRestoreError"}'
    assert set(early) == {403}


def _snapshot(size_mb: int) -> Snapshot:
    image = os.memfd_create("test")
    return Snapshot(image=image, environment_id=str(image), usable_until=0.0, size_bytes=size_mb << 20)


def test_images_are_a_fourth_of_the_room_and_the_longest_unused_gives_way() -> None:
    """Of 400 MB for environments 100 are for images; what goes is closed, and told, for its session ends."""
    kept = Snapshots(400)
    one, two, three = (_snapshot(40) for _ in range(3))
    keys = [("arn", str(number), "r") for number in range(3)]
    assert kept.keep(keys[0], one) == kept.keep(keys[1], two) == []
    assert kept.get(keys[0]) is one
    assert kept.keep(keys[2], three) == [two]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(two.image)
    assert kept.of("arn", "2") == [keys[2]]
    assert set(map(id, kept.clear())) == {id(one), id(three)}
    assert kept.size_bytes == 0


def test_an_image_beyond_the_room_is_kept_alone_and_a_new_one_of_its_version_replaces_it() -> None:
    """A function whose image no room is large enough for still has it; two of one version nobody would use."""
    kept, key = Snapshots(400), ("arn", "1", "r")
    small, large, larger = (_snapshot(size) for size in (40, 101, 200))
    assert kept.keep(("arn", "2", "r"), small) == []
    assert kept.keep(key, large) == [small]
    assert kept.get(key) is large
    assert kept.keep(key, larger) == [large]
    assert (kept.get(key), kept.size_bytes) == (larger, 200 << 20)
    kept.clear()


async def test_no_environment_is_restored_into_a_session_that_is_about_to_end() -> None:
    """Its clients would call with credentials that have expired. Until then each user gets a descriptor of its own."""
    clock = FakeHostClock()
    checkpoints = Checkpoints(FakeDriver(), Admission(Limits(inits=1, memory_mb=400)), clock)
    fleet = Fleet(a_function(), ahead="no other snapshot can be taken here")
    snapshot = _snapshot(1)
    snapshot.usable_until = clock.now() + 60
    checkpoints._snapshots.keep(fleet.key, snapshot)
    clock.tick(59)
    image = await checkpoints.image(fleet)
    assert image is not None
    assert image != snapshot.image
    assert os.path.samestat(os.fstat(image), os.fstat(snapshot.image))
    os.close(image)
    clock.tick(1)
    assert await checkpoints.image(fleet) is None
    await checkpoints.stop()


def test_the_report_line_names_the_restore() -> None:
    """Restore Duration and Billed Restore Duration; Billed Duration has the latter in it."""
    report = Report(
        request_id="r", duration_ms=9.02, memory_mb=512, max_memory_used_mb=94, restored=Restored(684.56, 208)
    )
    assert report.line() == (
        "REPORT RequestId: r\tDuration: 9.02 ms\tBilled Duration: 218 ms\tMemory Size: 512 MB\tMax Memory Used: 94 MB\t"
        "Restore Duration: 684.56 ms\tBilled Restore Duration: 208 ms\t\n"
    )


def test_telemetry_of_a_restore() -> None:
    """platform.restoreRuntimeDone and platform.restoreReport, with the error's type where there is one."""
    done, report = restore_events(12.3456)
    assert (done.type, done.record) == ("platform.restoreRuntimeDone", {"status": "success"})
    assert (report.type, report.record) == (
        "platform.restoreReport",
        {"status": "success", "metrics": {"durationMs": 12.346}},
    )
    assert report.text == "RESTORE_REPORT Restore Duration: 12.35 ms\n"
    _, failed = restore_events(10000.0, "timeout", "Sandbox.Timedout")
    assert failed.text == "RESTORE_REPORT Restore Duration: 10000.00 ms\tStatus: timeout\n"
    assert json.loads(json.dumps(failed.record))["errorType"] == "Sandbox.Timedout"


def test_the_errors_of_a_restore() -> None:
    """408 when its 10 s are over, 400 when a hook failed: the model's texts."""
    late, failed = restore_failure(timed_out(10)), restore_failure(exited(65, None))
    assert (late.code, late.status) == ("SnapStartTimeoutException", 408)
    assert (failed.code, failed.status) == ("SnapStartException", 400)
