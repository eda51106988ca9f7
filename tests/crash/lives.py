"""One data folder and the platforms that live on it one after the other, each killed in its own way.

A life goes: start, compare what is there with the ledger, take traffic, die. The way and the moment of every death come
from a seed.
"""

import random
import select
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from tests.crash import inventory
from tests.crash.ledger import Ledger
from tests.crash.traffic import EFFECT_FUNCTION, FUNCTIONS, STATE, Clients, Traffic, Worker, prepare
from tests.platform import READY, RunningPlatform

PATIENCE_S = 300.0
"""Bounds what never comes. On a busy machine a start takes a minute: what is waited for is a state, or an end."""
LOOK_S = 0.005
MIGRATION = r"\s*(CREATE TABLE \w+_newer_|UPDATE \w+ SET \w+ = ('~'|SUBSTR)|INSERT INTO schema_version)"
MIGRATION_STEPS = range(1, 9)
"""So many statements has a migration of S3's and the logs' tables (`doomed`); there may be more than one to make."""


@dataclass(frozen=True, slots=True)
class Within:
    """A transaction to die in: how one of its statements begins, at which of them, and the clients that cause it."""

    statement: str
    steps: range
    kinds: tuple[type[Worker], ...]


WITHIN = {
    "put": Within(r"INSERT INTO s3_object \(", range(1, 40), STATE),
    "multipart completion": Within(r"INSERT INTO s3_object_part\b", range(1, 4), STATE),
    "create-function": Within(r"INSERT INTO lambda_function \(", range(1, 2), FUNCTIONS),
    "delivery": Within(r"(INSERT INTO|DELETE FROM|UPDATE) event_delivery\b", range(1, 40), FUNCTIONS),
    "log flush": Within(r"INSERT INTO logs_event\b", range(1, 200), (*STATE, *FUNCTIONS)),
}
WORKING_STEPS = range(120, 5000)
"""These come behind the ready line."""
Death = Callable[["Lives"], None]


class Lives:
    """`next_death` again and again, then `judge`."""

    def __init__(self, folder: Path, seed: int, options: tuple[str, ...] = ()) -> None:
        self.data = folder / "data"
        self._errors = folder / "stderr"
        self.seed = seed
        self.count = 0
        self.newer = 0
        self.deaths: Counter[str] = Counter()
        """How many have fallen into what: "migration", and the names of `WITHIN`."""
        self._within = 0
        self._random = random.Random(seed)
        self._options = options
        self._port = _free_port()
        self._prepared = False
        self._before: list[psutil.Process] = []
        self._groups: set[str] = set()
        self._processes: list[subprocess.Popen[str]] = []
        self.clients = Clients(make=self._client, ledger=Ledger())
        self.ledger = self.clients.ledger

    def __enter__(self) -> "Lives":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            assert process.stdout is not None
            process.kill()
            process.wait(PATIENCE_S)
            process.stdout.close()

    def next_death(self) -> None:
        """One life, and its end."""
        self.count += 1
        _DEATHS[self.count % len(_DEATHS)](self)
        assert self.ledger.problems == [], self.context()

    def context(self) -> str:
        """What to say with a failure."""
        return f"seed {self.seed}, life {self.count}: {self.ledger.problems}; {self.errors()[-3000:]}"

    def errors(self) -> str:
        """What all lives have said on standard error."""
        lines = self._errors.read_text().splitlines()
        return "\n".join(line for line in lines if "let through" not in line)

    def judge(self) -> None:
        """A last life without violence: nothing is lost, every effect happens, nothing is left."""
        with self.alive() as platform:
            self._take_inventory(platform)
            inventory.invoke_all(self.clients)
            self._let_effects_happen(platform)
            self.ledger.problems += inventory.audit(self.data) + inventory.corrupt_blobs(self.data)
            self._remember(platform.process.pid)
        self.ledger.check_effects()
        self.ledger.problems += self.survivors() + self.kernel_leftovers() + self.groups_left()
        if "Traceback" in self.errors():
            self.ledger.problems.append("the platform has failed somewhere")
        assert self.ledger.problems == [], self.context()

    def _let_effects_happen(self, platform: RunningPlatform) -> None:
        for _ in range(20):
            platform.drain()
            if not inventory.waiting_deliveries(self.data):
                break
            platform.advance(300)
        for effect in inventory.effects(self.clients):
            self.ledger.effect(effect)

    # Ways to die

    def die_opening(self) -> None:
        """While it opens the folder."""
        process = self.start()
        lock = self.data / "lock"
        _wait(lambda: lock.exists() and lock.read_text().strip() == str(process.pid), process)
        with suppress(subprocess.TimeoutExpired):
            process.wait(self._random.uniform(0, 0.3))
        self._kill(process)
        self._bury(process)

    def die_migrating(self) -> None:
        """As a newer program, at a statement of its migrations, which may come behind the ready line."""
        self.newer += 1
        process = self.start(self._random.choice(MIGRATION_STEPS), MIGRATION)
        self.ready_line(process)
        self._bury(process)
        self.deaths["migration"] += 1

    def die_within(self) -> None:
        """In the midst of one transaction, of each kind by turns."""
        kind = list(WITHIN)[self._within % len(WITHIN)]
        within = WITHIN[kind]
        self.die_working(kinds=within.kinds, step=self._random.choice(within.steps), of=within.statement)
        self._within += 1
        self.deaths[kind] += 1

    def die_working(
        self, *, kinds: tuple[type[Worker], ...] = STATE, launchers: bool = False, step: int = 0, of: str = ""
    ) -> None:
        """Under traffic: from outside after a while, or at a statement, rename or removal of its own."""
        process = self.start(step, of)
        try:
            line = self.ready_line(process)
            self._remember(process.pid)
            if line:
                self._take_inventory(self._platform(line, process))
        except (BotoCoreError, OSError, HTTPException):
            if not step:
                raise
            self._bury(process)
            return
        events = len(self.ledger.events)
        traffic = Traffic(self.clients, kinds if line else (), self.count, self.seed)
        if step:
            assert traffic.wait(PATIENCE_S), self.context()
        else:
            if kinds != STATE:  # on a busy machine the first event comes late
                _wait(lambda: len(self.ledger.events) > events or bool(traffic.lost), process)
            traffic.wait(self._random.uniform(0.02, 0.6))
            self.ledger.problems += traffic.lost
            self._kill(process, launchers=launchers)
        self._bury(process)
        traffic.stop()

    def die_working_by_step(self, kinds: tuple[type[Worker], ...] = STATE) -> None:
        """Under traffic, at a step of its own."""
        self.die_working(kinds=kinds, step=self._random.choice(WORKING_STEPS))

    def die_frozen(self, *, launchers: bool) -> None:
        """While the environment of a function that has run waits for the next event; its log is in the file by then."""
        process = self.start()
        platform = self._platform(self.ready_line(process), process)
        self._take_inventory(platform)
        self.clients.functions.invoke(FunctionName=EFFECT_FUNCTION)
        _wait(lambda: "frozen" in str(platform.ask("/_undercast/status")["sandboxes"]["functions"]), process)
        _wait(lambda: inventory.has_report(self.data), process)
        self._kill(process, launchers=launchers)
        self._bury(process)
        assert self._before, "there is no sandbox to leave"

    def stop_working(self, limit_s: float) -> None:
        """No death: SIGTERM under all kinds of traffic."""
        self.count += 1
        process = self.start()
        self._take_inventory(self._platform(self.ready_line(process), process))
        traffic = Traffic(self.clients, (*STATE, *FUNCTIONS), self.count, self.seed)
        traffic.wait(self._random.uniform(0.1, 0.6))
        self._remember(process.pid)
        self.ledger.problems += traffic.lost
        busy = Busy(process.pid)
        process.terminate()
        status = process.poll()
        while status is None and busy.look() < limit_s:
            with suppress(subprocess.TimeoutExpired):
                status = process.wait(LOOK_S)
        assert status == 0, f"{status} after {busy.look():.1f} s of its own; {self.context()}"
        traffic.stop()
        assert self.ledger.problems == [], self.context()

    def _kill(self, process: subprocess.Popen[str], *, launchers: bool = False) -> None:
        self._remember(process.pid)
        if launchers:
            for launcher in psutil.Process(process.pid).children():
                launcher.kill()
        process.kill()

    def _bury(self, process: subprocess.Popen[str]) -> None:
        status = process.wait(PATIENCE_S)
        if status != -signal.SIGKILL:
            self.ledger.problems.append(f"the platform ended by itself with {status}")

    # Life

    @contextmanager
    def alive(self) -> Iterator[RunningPlatform]:
        """A platform that is ended by SIGTERM, with status 0."""
        process = self.start()
        line = self.ready_line(process)
        assert line, self.context()
        yield self._platform(line, process)
        process.terminate()
        assert process.wait(PATIENCE_S) == 0, self.context()

    def start(self, step: int = 0, of: str = "") -> subprocess.Popen[str]:
        """Start a platform on the folder."""
        with self._errors.open("a") as errors:
            process = subprocess.Popen(self.command(step, of), stdout=subprocess.PIPE, stderr=errors, text=True)
        self._processes.append(process)
        return process

    def command(self, step: int = 0, of: str = "") -> list[str]:
        """How a platform is started here."""
        program = [sys.executable, "-m", "tests.crash.doomed", str(step), of, str(self.newer), "start"]
        place = ["--port", str(self._port), "--data", str(self.data), "--max-environments", "4"]
        return [*program, *place, *self._options]

    def ready_line(self, process: subprocess.Popen[str]) -> str:
        """The ready line; "" when it died before. All that the life before had left has to be gone by then."""
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
        assert readable, f"no ready line within {PATIENCE_S} s; {self.context()}"
        line = process.stdout.readline()
        if line:
            self.ledger.problems += self.survivors()
        return line

    def survivors(self) -> list[str]:
        """Processes of an earlier life that are still there after a while."""
        before, self._before = self._before, []
        end = time.monotonic() + inventory.PATIENCE_S
        while (left := [process for process in before if _lives(process)]) and time.monotonic() < end:
            time.sleep(LOOK_S)
        return [f"{process} has survived its platform" for process in left]

    def kernel_leftovers(self) -> list[str]:
        """Mounts and loop devices that hold on to the folder, when no platform lives."""
        mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(self.data) in line]
        return [
            *mounts,
            *(str(loop) for loop in Path("/sys/block").glob("loop*/loop/backing_file") if self._ours(loop)),
        ]

    def groups_left(self) -> list[str]:
        """Cgroups that are still there, when no platform lives."""
        return [group for group in self._groups if Path(group).exists()]

    def _ours(self, backing_file: Path) -> bool:
        try:
            return str(self.data) in backing_file.read_text()
        except OSError:  # it has just gone
            return False

    def _take_inventory(self, platform: RunningPlatform) -> None:
        if not self._prepared:
            prepare(self.clients)
            self._prepared = True
        inventory.take(self.clients, self.data)
        problems = inventory.audit(self.data)
        if platform.process.poll() is None:  # else it has died meanwhile, and the next life has to sweep
            self.ledger.problems += problems
        assert self.ledger.problems == [], self.context()

    def _remember(self, pid: int) -> None:
        note = self.data / "run/namespace/cgroups"
        self._groups |= set(note.read_text().splitlines()) if note.exists() else set()
        try:
            self._before = psutil.Process(pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return

    def _platform(self, line: str, process: subprocess.Popen[str]) -> RunningPlatform:
        found = READY.search(line)
        assert found is not None, line
        return RunningPlatform(url=found["url"], driver=found["driver"] or "auto", data=self.data, process=process)

    def _client(self, service: str) -> Any:
        make: Any = boto3.client
        return make(
            service,
            endpoint_url=f"http://127.0.0.1:{self._port}",
            region_name="us-east-1",
            aws_access_key_id="000000000000",
            aws_secret_access_key="secret",
            # A platform that dies breaks the connection; one that is busy answers late.
            config=Config(retries={"max_attempts": 0}, connect_timeout=PATIENCE_S, read_timeout=PATIENCE_S),
        )


_DEATHS: tuple[Death, ...] = (
    Lives.die_within,
    Lives.die_migrating,
    Lives.die_working,
    Lives.die_working_by_step,
    Lives.die_within,
    lambda lives: lives.die_working(kinds=FUNCTIONS),
    Lives.die_within,
    lambda lives: lives.die_working(kinds=(*STATE, *FUNCTIONS), launchers=True),
    Lives.die_opening,
    lambda lives: lives.die_working_by_step(FUNCTIONS),
)


class Busy:
    """How long a process has taken, without the time for which its loop waited for a processor that others had.

    The main thread's waits alone: those of several threads go on at once, and their sum may be longer than the clock's.
    Linux: Documentation/scheduler/sched-stats.rst, /proc/PID/task/TID/schedstat: the second number, in nanoseconds.
    """

    def __init__(self, pid: int) -> None:
        self._schedstat = Path(f"/proc/{pid}/task/{pid}/schedstat")
        self._waited_s = 0.0
        self._began = time.monotonic()
        self._before_s = self._wait_s()

    def look(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self._began - (self._wait_s() - self._before_s)

    def _wait_s(self) -> float:
        with suppress(OSError, IndexError):  # it has ended, or this is no Linux
            self._waited_s = int(self._schedstat.read_text().split()[1]) / 1e9
        return self._waited_s


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _wait(until: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE_S
    while process.poll() is None and not until():
        assert time.monotonic() < end, f"nothing happened within {PATIENCE_S} s"
        time.sleep(LOOK_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
