"""What an environment's lifecycle makes of a sink of traces that fails: nothing."""

import asyncio
from dataclasses import replace
from typing import cast

import pytest

from tests.fakes_sandbox import FixedCredentials, echo
from tests.unit.sandbox.conftest import StartBench
from tests.unit.sandbox.test_pool import until
from undercast.sandbox.model import FunctionVersion, TracedRun, Tracing
from undercast.sandbox.outbound import Outbound
from undercast.sandbox.xray_daemon import XRayDaemon

TRACING = Tracing(
    trace_id="1-5759e988-bd862e3fe1be46a994272793",
    parent_id="",
    service_id="a" * 16,
    function_id="b" * 16,
    accepted_at=0.0,
)


class Failing:
    """A TraceSink that takes nothing."""

    def segment(self, function: FunctionVersion, packet: bytes) -> None:
        raise RuntimeError("no segment")

    def connection(self, function: FunctionVersion) -> asyncio.Protocol:
        raise RuntimeError("no connection")

    def ran(self, run: TracedRun) -> None:
        raise RuntimeError("nothing ran")


async def test_an_environment_whose_run_cannot_be_traced_is_idle_again(
    start: StartBench, caplog: pytest.LogCaptureFixture
) -> None:
    """The next event finds it, and the log says what went wrong."""
    made = await start(echo, traces=Failing())
    plain = made.invocation()
    for number in (1, 2):
        invocation = replace(plain, request_id=f"r-{number}", tracing=TRACING, tail_log=True)
        await made.pool.invoke(invocation)
        await until(lambda number=number: caplog.text.count("nothing ran") >= number)
    assert len(made.driver.sandboxes) == 1


class Step:
    """A part of the network: its end is noted, and fails."""

    def __init__(self) -> None:
        self.closed = 0


class Daemon(Step):
    """In the place of an XRayDaemon."""

    def close(self) -> None:
        self.closed += 1
        raise RuntimeError("the daemon did not close")


class WayOut(Step):
    """In the place of an Outbound."""

    async def close(self) -> None:
        self.closed += 1
        raise asyncio.CancelledError


async def test_each_step_of_a_release_is_done_whatever_another_raises(start: StartBench) -> None:
    """Descriptors and temporary credentials do not outlive an environment whose last packet was refused."""
    made = await start(echo)
    await made.pool.invoke(made.invocation())
    (sandbox,) = made.driver.sandboxes
    creation, credentials = made.pool._creation, made.pool._parts.credentials
    assert creation is not None
    assert isinstance(credentials, FixedCredentials)
    daemon, way_out = Daemon(), WayOut()
    creation._daemons[sandbox.environment_id] = cast(XRayDaemon, daemon)
    creation._ways_out[sandbox.environment_id] = cast(Outbound, way_out)
    made.door.served.add(sandbox.environment_id)
    with pytest.raises(asyncio.CancelledError) as raised:
        await creation.release(sandbox.environment_id)
    assert str(raised.value.__context__) == "the daemon did not close"
    assert (daemon.closed, way_out.closed) == (1, 1)
    assert made.door.served == set()
    assert credentials.ended == [sandbox.environment_id]
