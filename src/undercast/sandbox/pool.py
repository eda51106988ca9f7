"""The execution environments of all functions: finds an idle one, starts one, or lets the invocation wait.

A warm invoke goes through here without a task switch. Idle environments are reused last in, first out, frozen after a
moment and shut down after `idle_timeout_s` of host time.
AWS: Lambda Developer Guide, "Understanding Lambda function scaling".
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from undercast.core.errors import ServiceError
from undercast.core.recurring import every, recur
from undercast.core.tasks import NotBegun, Tasks
from undercast.sandbox.admission import (
    QUEUE_LIMIT_S,
    Admission,
    Waiter,
    being_emptied,
    fleet_key,
    no_room,
    shutting_down,
)
from undercast.sandbox.checkpoints import Checkpoints
from undercast.sandbox.creation import Creation, Start
from undercast.sandbox.driver import SandboxError
from undercast.sandbox.environment import PROVISIONED_INIT_TIMEOUT_S, Environment, Watchers
from undercast.sandbox.fleet import SETTLE_S, Fleet
from undercast.sandbox.freezer import Freezer
from undercast.sandbox.lifecycle import State
from undercast.sandbox.model import (
    Debug,
    FunctionVersion,
    Invocation,
    InvocationResult,
)
from undercast.sandbox.plans import Plans
from undercast.sandbox.pool_parts import PoolParts, creation, watchers
from undercast.sandbox.provision import INIT_FAILURE, Provisioned
from undercast.sandbox.scaling import Begin, Evict, Scaling
from undercast.sandbox.snapstart import InitFailed
from undercast.sandbox.waiting import until

log = logging.getLogger(__name__)

_STOP_LIMIT_S = 4.0
"""For SHUTDOWN: it takes up to 2 s where there are extensions, and a moment without."""
_MAX_REAP_INTERVAL_S = 15.0


class Pool:
    """See the module. `start` before anything, `stop` at the end."""

    _loop: asyncio.AbstractEventLoop

    def __init__(self, parts: PoolParts) -> None:
        self._parts = parts
        self._clock = parts.host_clock
        self._admission = Admission(parts.limits)
        self._debugging = parts.debugging
        self._scaling = Scaling(self._admission)
        self._fleets, self._waiting = self._scaling.fleets, self._scaling.waiting
        self._provisioned = self._scaling.provisioned
        self._fleet_of: dict[str, Fleet] = {}
        self._plans = Plans(parts.runtimes)
        self._creation: Creation | None = None
        self._watchers: Watchers | None = None
        self._tasks = Tasks(_tell)
        self._serial = 0
        self._freezer = Freezer(parts.host_clock)
        self._checkpoints = Checkpoints(parts.driver, self._admission, parts.host_clock)
        self._settle_timer: asyncio.TimerHandle | None = None
        self._stopped = asyncio.Event()
        self._ends_abandoned = False
        self._emptied = 0
        """How many blocks of `emptied` are open."""
        self._epoch = 0
        """How often all functions went: an environment that was being made then has no INIT any more."""
        self._initialising: set[asyncio.Task[Any]] = set()

    async def start(self, front_door_port: int | None = None) -> None:
        """Begin to take invocations. The port is the one that the front door really has."""
        parts, self._loop = self._parts, asyncio.get_running_loop()
        self._creation = creation(parts, front_door_port or parts.config.port)
        self._watchers = watchers(parts, self)
        self._checkpoints.start(self._creation, self._watchers)
        interval_s = min(parts.config.idle_timeout_s / 4, _MAX_REAP_INTERVAL_S)
        self._tasks.spawn(recur("the reaper of execution environments", self._reap, every(interval_s)))

    async def stop(self) -> None:
        """Destroy every environment; running invocations end with an error. For SHUTDOWN there are 4 s for all; each is
        destroyed then, which takes as long as it takes. What runs is killed before anything else is waited for."""
        self._stopped.set()
        self._freezer.stop()
        if self._settle_timer is not None:
            self._settle_timer.cancel()
        self._fail_waiters(shutting_down())
        members = [fleet.members[name] for name, fleet in self._fleet_of.items() if name in fleet.members]
        self._tasks.cancel()
        ends = [self._checkpoints.stop(), self._debugging.close(), *(self._destroy(member) for member in members)]
        try:
            async with asyncio.timeout(_STOP_LIMIT_S):
                for end in await asyncio.gather(*ends, return_exceptions=True):
                    if isinstance(end, Exception):
                        _tell(end)
                await self._tasks.ended()
        except TimeoutError:
            # The driver's own stop takes what is left with it.
            return

    @contextlib.asynccontextmanager
    async def emptied(self) -> AsyncIterator[None]:
        """Destroy every environment, within 4 s; for the length of the block none begins, and invocations are refused.

        Running invocations end with an error.
        """
        self._emptied += 1
        try:
            await self._end_all()
            yield
        finally:
            self._emptied -= 1
            self._dispatch()

    async def _end_all(self) -> None:
        known = [fleet.members.get(name) for name, fleet in self._fleet_of.items()]
        idle = {environment for fleet in self._fleets.values() for environment in fleet.idle}
        busy = [member for member in known if member is not None and member not in idle]
        self.forget()
        self._fail_waiters(being_emptied())
        for environment in busy:
            self._tasks.spawn(self._destroy(environment))
        for task in self._initialising:
            task.cancel()
        self._checkpoints.abandon()
        # An environment that is destroyed counts until nothing of it is left; one that is being made ends before INIT.
        await until(lambda: not self._admission.environments, _STOP_LIMIT_S)

    def forget(self) -> None:
        """All functions are gone: what is about to begin for them does not."""
        self._epoch += 1
        for arn in {fleet.function.arn for fleet in self._fleets.values()}:
            self.retire(arn)

    def _fail_waiters(self, error: ServiceError) -> None:
        for fleet in self._waiting:
            while (waiter := fleet.queue.pop()) is not None:
                waiter.fail(error)
        self._waiting.clear()

    def end_abandoned(self) -> None:
        """From now on, an invocation whose caller is cancelled runs no longer.

        A stop cancels what the next start does again: ended well meanwhile, it would have been done twice.
        """
        self._ends_abandoned = True

    def _abandoned(self, outcome: "asyncio.Future[InvocationResult]") -> None:
        if not self._ends_abandoned:
            return
        for name, fleet in tuple(self._fleet_of.items()):
            environment = fleet.members.get(name)
            if environment is not None and environment.runs_for(outcome) and environment.cut_off():
                self._tasks.spawn(self._kill(environment))

    def takes_images(self) -> str:
        """Why container images cannot run here; "" when they can."""
        return self._parts.driver.takes_images()

    async def prepare(self, function: FunctionVersion) -> None:
        """Get ready for a first invocation; the function's code need not be there yet."""
        if self._creation is not None and function.container is None:
            await self._plans.prepare(function, self._creation)

    async def lacks(self, function: FunctionVersion) -> str:
        """What its runtime needs and this machine has not, with the fix; "" when it can be started."""
        return await self._plans.lacks(function)

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """Run one invocation. Raises ServiceError where there is no answer of function or sandbox.

        Raises NotBegun where the caller is cancelled before an environment has it.
        """
        if self._stopped.is_set():
            raise shutting_down()
        if self._emptied:
            raise being_emptied()
        if self._debugging.active:
            invocation = self._debugging.applied(invocation)
        function = invocation.function
        # `_fleet` and `fleet_key`, written out: every warm invoke would pay for two calls more.
        fleet = self._fleets.get((function.arn, function.version, function.revision))
        if fleet is None:
            fleet = self._fleets[fleet_key(function)] = Fleet(function)
        outcome: asyncio.Future[InvocationResult] = self._loop.create_future()
        environment = fleet.take()
        while environment is not None and self._is_spent(fleet, environment):
            self._tasks.spawn(self._destroy(environment))
            environment = fleet.take()
        if environment is not None:
            environment.begin(invocation, outcome)
            try:
                return await outcome
            except asyncio.CancelledError:
                self._abandoned(outcome)
                raise
        self._serial += 1
        waiter = Waiter(invocation, outcome, self._serial, self._clock.monotonic())
        fleet.queue.add(waiter)
        self._waiting.add(fleet)
        try:
            self._dispatch()
            return await outcome
        except asyncio.CancelledError:
            if waiter.begun:
                self._abandoned(outcome)
                raise
            fleet.queue.drop(waiter)
            self._unless_waiting(fleet)
            raise NotBegun from None

    def waiting(self, function: FunctionVersion) -> bool:
        """Whether invocations of it wait for an environment."""
        fleet = self._fleets.get(fleet_key(function))
        return fleet is not None and len(fleet.queue) > 0

    def room_for(self, function: FunctionVersion) -> int:
        """How many environments of it this machine has room for."""
        return self._admission.most(function.memory_mb)

    def provision(self, function: FunctionVersion, wanted: int) -> None:
        """Keep so many environments of a version initialised from now on; 0 gives them up."""
        if not wanted and fleet_key(function) not in self._fleets:
            return
        fleet = self._fleet(function)
        fleet.provision.want(wanted)
        if wanted:
            self._provisioned[fleet.key] = fleet
        else:
            self._provisioned.pop(fleet.key, None)
        self._end(fleet, fleet.surplus())
        self._dispatch()

    async def snapshot(self, function: FunctionVersion) -> str:
        """Initialise a SnapStart version; "" when it can be restored or is initialised ahead, else its INIT's error."""
        fleet = self._fleet(function)
        try:
            image = await self._image(fleet)
        except InitFailed as error:
            return str(error)
        except (ServiceError, OSError) as error:
            log.warning("%s has no snapshot yet: %s", function.arn, error)
            return ""
        if image is not None:
            os.close(image)
            return ""
        provision = fleet.provision
        await until(lambda: provision.ready or bool(provision.failure) or fleet.retired, PROVISIONED_INIT_TIMEOUT_S)
        return provision.failure if provision.failure == INIT_FAILURE else ""

    def _fleet(self, function: FunctionVersion) -> Fleet:
        fleet = self._fleets.get(fleet_key(function))
        if fleet is None:
            fleet = self._fleets[fleet_key(function)] = Fleet(function)
        return fleet

    async def _image(self, fleet: Fleet) -> int | None:
        """What its next environment is restored from. None: it has an INIT of its own, and one is kept ready."""
        if self._emptied:
            raise being_emptied()
        await self._plans.of(fleet)
        image = await self._checkpoints.image(fleet)
        if image is None and fleet.ahead and not fleet.provision.wanted and not fleet.retired:
            self.provision(fleet.function, 1)
        return image

    def provisioned(self, function: FunctionVersion) -> Provisioned:
        """How many of them there are."""
        fleet = self._fleets.get(fleet_key(function))
        return fleet.provisioned if fleet is not None else Provisioned()

    def retire(self, function_arn: str, version: str | None = None) -> None:
        """The function was updated or deleted: its environments (of one version, or all) take no new invocation."""
        for key, fleet in tuple(self._fleets.items()):
            if key[0] == function_arn and version in (None, key[1]):
                del self._fleets[key]
                self._provisioned.pop(key, None)
                fleet.retired = True
                self._end(fleet, tuple(fleet.idle))
        self._tasks.spawn(self._checkpoints.drop(function_arn, version))

    async def debug(self, function: str, port: int, *, wait: bool) -> Debug:
        """Start a function, by name or ARN, under its debugger from now on. Raises PortTaken, TooMany."""
        settings = await self._debugging.begin(function, port, wait=wait)
        self._retire_named(function)
        return settings

    async def debug_no_more(self, function: str) -> bool:
        """Start it without; whether it was debugged."""
        was = await self._debugging.end(function)
        self._retire_named(function)
        return was

    def _retire_named(self, function: str) -> None:
        for arn in {fleet.function.arn for fleet in self._fleets.values() if fleet.is_named(function)}:
            self.retire(arn)

    def status(self) -> Mapping[str, Any]:
        """For `undercast status`: environments by function, queues, limits."""
        functions = [fleet.status() for fleet in self._fleets.values()]
        debugged = {"debugged": self._debugging.status()} if self._debugging.active else {}
        return {"driver": self._parts.driver.name, "functions": functions, **debugged, **self._admission.status()}

    # Owner of the environments

    def on_idle(self, environment: Environment) -> None:
        """See Owner."""
        fleet = self._fleet_of.get(environment.id)
        if fleet is None or self._stopped.is_set():
            return
        if environment.id not in fleet.members:
            if environment.provisioned and environment.state is State.STALE:
                fleet.provision.fail(INIT_FAILURE)
                return  # `_start` takes it away
            self._started(fleet, environment)
        if len(fleet.queue) and not environment.held and self._scaling.gives_way(fleet, self._clock.monotonic()):
            self._evict(environment)
            return
        if self._is_spent(fleet, environment):
            self._tasks.spawn(self._destroy(environment))
            return
        waiter = fleet.queue.pop()
        self._unless_waiting(fleet)
        if waiter is not None:
            waiter.begun = True
            environment.begin(waiter.invocation, waiter.outcome)
        elif fleet.retired or fleet.has_surplus(environment):
            self._tasks.spawn(self._destroy(environment))
        else:
            self._rest(fleet, environment)

    def _is_spent(self, fleet: Fleet, environment: Environment) -> bool:
        """Whether it takes no more invocations: its session ends, or what its INIT lacked has been installed."""
        return environment.usable_until <= self._clock.now() or (environment.state is State.STALE and fleet.plan_is_old)

    def on_gone(self, environment: Environment) -> None:
        """See Owner."""
        self._tasks.spawn(self._bury(environment))

    @contextlib.asynccontextmanager
    async def init_again(self) -> AsyncIterator[None]:
        """See Owner."""
        await self._admission.init_again()
        try:
            yield
        finally:
            self._admission.init_over()
            self._dispatch()

    async def _bury(self, environment: Environment, *, evicted: bool = False) -> None:
        """Nothing runs in it any more: take away what is left of it."""
        try:
            await self._release(environment)
        finally:
            try:
                await environment.sandbox.destroy()
            finally:
                self._scaling.evicting -= evicted
                self._forget(environment)
                self._dispatch()

    def _rest(self, fleet: Fleet, environment: Environment) -> None:
        fleet.rest(environment)
        if environment.state is State.READY:
            self._freezer.watch(environment)
        if self._waiting or self._provisioned:
            self._dispatch()

    def _started(self, fleet: Fleet, environment: Environment) -> None:
        fleet.join(environment)
        self._admission.init_over()

    # Starting, evicting, ending

    def _dispatch(self) -> None:
        """Start environments as far as the machine allows."""
        if self._stopped.is_set() or self._emptied:
            return
        now = self._clock.monotonic()
        while (step := self._scaling.next(now)) is not None:
            if isinstance(step, Evict):
                self._evict(step.environment)
            else:
                self._begin_start(step)
        if self._settle_timer is None and self._scaling.awaits_a_moment(now):
            self._settle_timer = self._loop.call_later(SETTLE_S, self._on_settle_timer)

    def _begin_start(self, step: Begin) -> None:
        fleet = step.fleet
        fleet.starting += 1
        fleet.provision.starting += step.provisioned
        self._admission.enter(fleet.memory_mb)
        self._tasks.spawn(self._start(fleet, self._epoch, provisioned=step.provisioned))

    def _on_settle_timer(self) -> None:
        self._settle_timer = None
        self._dispatch()

    async def _start(self, fleet: Fleet, epoch: int, *, provisioned: bool) -> None:
        """Create an environment and run its INIT; whoever waits gets it through `on_idle`."""
        assert self._creation is not None
        assert self._watchers is not None
        environment: Environment | None = None
        image: int | None = None
        problem: ServiceError | None = ServiceError("ServiceException", "No execution environment could be made", 500)
        try:
            plan = await self._plans.of(fleet)
            if fleet.function.snap_start and fleet.function.debug is None:
                with contextlib.suppress(InitFailed):  # the environment's own INIT tells it to somebody
                    image = await self._image(fleet)
            start = _start_of(fleet, image, provisioned=provisioned)
            environment = await self._creation.create(fleet.function, plan, self._watchers, start)
            self._fleet_of[environment.id] = fleet
            await self._initialise(environment, epoch)
            problem = None
        except ServiceError as error:
            problem = error
        except (SandboxError, OSError) as error:
            problem = ServiceError("ServiceException", f"No execution environment could be made: {error}", 500)
            if image is not None:  # its launcher may be gone: the next start takes another one
                await self._checkpoints.drop(fleet.function.arn, fleet.function.version)
        finally:
            if image is not None:
                os.close(image)
            # Also behind an error that is a defect of ours: nobody waits for ever.
            if problem is not None and provisioned:
                fleet.provision.fail(problem.message)
            elif problem is not None and (waiter := fleet.queue.pop()) is not None:
                waiter.fail(problem)
            self._unless_waiting(fleet)
            try:
                if environment is None or environment.id not in fleet.members:
                    await self._undo_start(fleet, environment, provisioned=provisioned)
            finally:
                self._dispatch()

    async def _initialise(self, environment: Environment, epoch: int) -> None:
        """Its INIT, which `emptied` cuts short."""
        if epoch != self._epoch:
            raise being_emptied()
        task = asyncio.current_task()
        assert task is not None
        self._initialising.add(task)
        try:
            await environment.start()
        finally:
            self._initialising.discard(task)

    async def _undo_start(self, fleet: Fleet, environment: Environment | None, *, provisioned: bool) -> None:
        if environment is None or self._fleet_of.pop(environment.id, None) is not None:
            fleet.not_started(provisioned)
            self._admission.init_over()
            self._admission.leave(fleet.function.memory_mb)
        if environment is not None:
            try:
                await self._release(environment)
            finally:
                await environment.destroy()

    def _unless_waiting(self, fleet: Fleet) -> None:
        if not len(fleet.queue):
            self._waiting.discard(fleet)

    def _evict(self, environment: Environment) -> None:
        fleet = self._fleet_of[environment.id]
        if environment in fleet.idle:
            fleet.idle.remove(environment)
        self._scaling.evicting += 1
        self._tasks.spawn(self._destroy(environment, evicted=True))

    def _end(self, fleet: Fleet, idle: Iterable[Environment]) -> None:
        for environment in idle:
            fleet.idle.remove(environment)
            self._tasks.spawn(self._destroy(environment))

    async def _destroy(self, environment: Environment, *, evicted: bool = False) -> None:
        """Its room counts as taken until nothing of it is left, or nothing more can be done about it."""
        runs = environment.runs
        try:
            await environment.shut_down()
        finally:
            end = self._kill if environment.cut_off() and runs else self._bury
            await end(environment, evicted=evicted)

    async def _kill(self, environment: Environment, *, evicted: bool = False) -> None:
        """End what runs first: the end of its session may wait for a long write, and it could end well meanwhile."""
        try:
            await environment.sandbox.kill_processes()
        finally:
            await self._bury(environment, evicted=evicted)

    def _forget(self, environment: Environment) -> None:
        fleet = self._fleet_of.pop(environment.id, None)
        if fleet is None:
            return
        if environment in fleet.idle:
            fleet.idle.remove(environment)
        if fleet.members.pop(environment.id, None) is None:
            fleet.not_started(environment.provisioned)
            self._admission.init_over()
        self._admission.leave(fleet.function.memory_mb)

    async def _release(self, environment: Environment) -> None:
        if self._creation is not None:
            await self._creation.release(environment.id)

    # Time

    async def _reap(self) -> None:
        self.reap()

    def reap(self) -> None:
        """Shut down what has been idle for long or is about to lose its session; give up who has waited very long."""
        now, wall = self._clock.monotonic(), self._clock.now()
        unused_since = now - self._parts.config.idle_timeout_s
        for fleet in tuple(self._fleets.values()):
            self._end(fleet, fleet.outdated(unused_since, wall))
            if fleet.is_empty:
                del self._fleets[fleet.key]
        for fleet in self._provisioned.values():
            fleet.provision.paused = False
        self._dispatch()
        for fleet in tuple(self._waiting):
            patient = fleet.function.debug is not None  # who looks at a breakpoint takes his time
            for waiter in () if patient else fleet.queue.expire(now - QUEUE_LIMIT_S):
                waiter.fail(no_room())
            self._unless_waiting(fleet)


def _start_of(fleet: Fleet, image: int | None, *, provisioned: bool) -> Start:
    if fleet.function.snap_start:
        return Start(init_type="snap-start", provisioned=provisioned, image=image, notice=fleet.ahead)
    return Start(init_type="provisioned-concurrency", provisioned=True) if provisioned else Start()


def _tell(error: BaseException) -> None:
    log.error("work on an execution environment failed", exc_info=error)
