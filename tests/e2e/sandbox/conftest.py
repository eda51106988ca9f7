"""Pools on the real drivers. Each test leaves no process, cgroup, mount or listener of its own."""

import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
import uvloop

import undercast.sandbox
from tests.fakes_sandbox import Causes, ClosedDoor, FixedCredentials, MemoryLog, a_function, answer
from tests.machine import without_namespaces
from undercast.core.clock import HostClock, PlatformClock
from undercast.core.config import Config
from undercast.core.ids import SystemIds
from undercast.sandbox.admission import Limits
from undercast.sandbox.driver import Driver, SandboxError
from undercast.sandbox.drivers.choice import choose_driver
from undercast.sandbox.lifecycle import IDLE
from undercast.sandbox.model import FunctionVersion, Invocation, InvocationResult
from undercast.sandbox.pool import Pool
from undercast.sandbox.pool_parts import PoolParts
from undercast.sandbox.runtimes.families import Ground, installs_dir, language_families
from undercast.sandbox.runtimes.lookup import PythonLookup
from undercast.sandbox.runtimes.plan import Family, Runtimes
from undercast.sandbox.runtimes.programs import ProgramLookup
from undercast.sandbox.runtimes.python import PythonRuntime
from undercast.sandbox.waiting import until

CLIENT = Path(undercast.sandbox.__file__).parent / "client"
DriverName = Literal["namespace", "process"]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, object]:
    """The platform's loop."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def runtimes_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where /var/runtime is built, once."""
    return _open_to_all(tmp_path_factory.mktemp("runtimes"))


@pytest.fixture(params=["namespace", "process"])
def driver_name(request: pytest.FixtureRequest) -> str:
    """Both drivers."""
    return str(request.param)


@dataclass
class Stage:
    """A pool, its driver and its log."""

    pool: Pool
    driver: Driver
    log: MemoryLog
    causes: Causes
    folder: Path
    runtimes: PythonLookup
    serial: int = 0

    def function(self, source: str, *, runtime: str = "python3.11", **changes: object) -> FunctionVersion:
        """A Python function whose file app.py has this source."""
        self.serial += 1
        code = self.folder / f"code{self.serial}"
        code.mkdir(mode=0o755)
        (code / "app.py").write_text(source)
        return a_function(name=f"f{self.serial}", runtime=runtime, code_dir=code, **changes)

    async def invoke(
        self, function: FunctionVersion, payload: bytes = b"{}", *, tail: bool = False, client_context: str = ""
    ) -> InvocationResult:
        """Run it once."""
        self.serial += 1
        return await self.pool.invoke(
            Invocation(
                request_id=f"00000000-0000-4000-8000-{self.serial:012x}",
                function=function,
                payload=payload,
                invoked_arn=function.arn,
                tail_log=tail,
                client_context=client_context,
            )
        )

    async def value(self, function: FunctionVersion, payload: bytes = b"{}") -> Any:
        """The parsed result of a run that succeeds."""
        result = await self.invoke(function, payload)
        assert result.function_error is None, result.payload
        return answer(result.payload)

    async def error(self, function: FunctionVersion, payload: bytes = b"{}") -> dict[str, Any]:
        """The parsed error of a run that fails."""
        result = await self.invoke(function, payload)
        assert result.function_error == "Unhandled", result.payload
        parsed = answer(result.payload)
        assert isinstance(parsed, dict)
        return parsed

    async def rested(self) -> None:
        """Wait until no environment is at work: on a busy machine the next invocation would get one of its own."""
        idle = {str(state) for state in IDLE}

        def all_idle() -> bool:
            functions = self.pool.status()["functions"]
            return all(state in idle for one in functions for state in one["environments"].values())

        assert await until(all_idle, 20)


@pytest.fixture
async def stage(tmp_path: Path, runtimes_dir: Path, driver_name: DriverName) -> AsyncIterator[Stage]:
    """A running pool on one of the drivers."""
    config = Config(data_dir=tmp_path, driver=driver_name)
    driver = choose_driver(config, tmp_path / "run")
    try:
        await driver.start()
    except SandboxError as error:
        without_namespaces(f"no {driver_name} driver here: {error}")
    made = make_stage(driver, config, PythonRuntime(runtimes_dir=runtimes_dir, client_dir=CLIENT))
    await made.pool.start()
    yield made
    await made.pool.stop()
    await driver.stop()
    assert made.pool.status()["environments"] == 0


def make_stage(
    driver: Driver, config: Config, python: PythonRuntime, others: Mapping[str, Family] | None = None
) -> Stage:
    """A pool that has not been started. `others` stands for the machine's other languages."""
    others = others or families(config.data_dir / "runtimes", python.client_dir)
    log, causes, host = MemoryLog(), Causes(), HostClock()
    lookup = PythonLookup(tuple(os.environ["PATH"].split(os.pathsep)), Path.home())
    parts = PoolParts(
        driver=driver,
        runtimes=Runtimes(lookup, python, others),
        logs=log,
        credentials=FixedCredentials(),
        front_door=ClosedDoor(),
        causes=causes,
        host_clock=host,
        platform_clock=PlatformClock(host),
        ids=SystemIds(host),
        config=config,
        limits=Limits(inits=4, memory_mb=8192),
    )
    _open_to_all(config.data_dir)
    return Stage(pool=Pool(parts), driver=driver, log=log, causes=causes, folder=config.data_dir, runtimes=lookup)


def families(runtimes_dir: Path, client_dir: Path) -> Mapping[str, Family]:
    """The other languages of this machine, with what tests or users have installed."""
    search_path = tuple(os.environ["PATH"].split(os.pathsep))
    return language_families(
        Ground(
            lookup=ProgramLookup(search_path, Path.home()),
            runtimes_dir=runtimes_dir,
            client_dir=client_dir,
            installs_dir=installs_dir(Path.home()),
        )
    )


def _open_to_all(folder: Path) -> Path:
    """The function's user is another one: it must be able to come through."""
    for part in (folder, *list(folder.parents)[:3]):
        if part.stat().st_uid == os.getuid() and str(part) != "/tmp":
            part.chmod(0o755)
    return folder
