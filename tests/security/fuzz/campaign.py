"""A whole fuzz: one live platform, a warm-up, so many cases among honest requests, and what is left afterwards.

Whatever fails is written to a folder as the bytes that were sent, with a line on how to make them again. AWS: none.
"""

import asyncio
import contextlib
import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests import platform as platforms
from tests.security.fuzz import audit, garden, slow_clients, watch
from tests.security.fuzz.cases import Case, Cases, whole
from tests.security.fuzz.client import Failure, Sender, Tally
from tests.security.fuzz.corpus import seeds
from tests.security.fuzz.watch import Holdings

CONNECTIONS = 24
WARM_UP = 4000
"""Cases before the first look: by then every operation was compiled, every thread pool and cache has its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a campaign found."""

    seed: int
    tally: Tally
    before: Holdings
    after: Holdings
    honest_rounds: int
    honest_error: Exception | None
    inconsistencies: list[str]
    breaches: list[str]
    exit_status: int
    reports: Path | None

    def __str__(self) -> str:
        tally = self.tally
        lines = [
            f"seed {self.seed}: {tally.sent} cases, {self.honest_rounds} honest rounds",
            f"protocols {dict(tally.protocols.most_common())}",
            f"kinds {dict(tally.kinds.most_common())}",
            f"statuses {dict(sorted(tally.statuses.items()))}",
            f"before {self.before}",
            f"after  {self.after}",
        ]
        lines += [
            f"FAILED case {failure.case.number} ({failure.case.kind}, {failure.case.operation}): {failure.why}: "
            f"{failure.answer[-400:]!r} (bytes in {self.reports})"
            for failure in tally.failures
        ]
        return "\n".join(lines)


def run(seed: int, cases: int, rss_mib: float) -> Outcome:
    """Run a campaign of so many cases. `rss_mib`: by how much memory may grow (waited for, not judged, here)."""
    with tempfile.TemporaryDirectory(prefix="undercast-test-") as data:
        # Sandboxes of fuzzed invocations are gone soon, so that children can be counted at the end.
        platform = platforms.start(Path(data) / "data", ["--idle-timeout", "2"])
        try:
            tally, before, gardener = _run_on(platform, seed, cases)
            platform.drain()
            asking = garden.Clients(platform, garden.FUZZED)
            wrong = audit.inconsistencies(asking)
            asking.close()
            after = watch.settled(platform, before, rss_mib)
        finally:
            status = platforms.stop(platform)
        return Outcome(
            seed=seed,
            tally=tally,
            before=before,
            after=after,
            honest_rounds=gardener.done,
            honest_error=gardener.error,
            inconsistencies=wrong,
            breaches=asyncio.run(audit.breaches(platform.data)),
            exit_status=status,
            reports=_reported(seed, tally.failures),
        )


def _run_on(platform: platforms.RunningPlatform, seed: int, count: int) -> tuple[Tally, Holdings, garden.Gardener]:
    maker = Cases(seed, garden.prepare(platform))
    port = int(platform.url.rpartition(":")[2])
    tally = Tally()
    with garden.Gardener(platform) as gardener:
        warm_up = itertools.chain(
            (whole(-1 - number, one) for number, one in enumerate(seeds())), map(maker.case, range(-WARM_UP, 0))
        )
        _send(port, tally, warm_up)
    # The second look is the platform without the gardener's keep-alive connections.
    before = watch.settled(platform)
    with garden.Gardener(platform) as gardener:
        _send(port, tally, map(maker.case, range(count)), slow=True)
    return tally, before, gardener


def _send(port: int, tally: Tally, cases: Iterator[Case], *, slow: bool = False) -> None:
    async def send() -> None:
        creeping = asyncio.create_task(slow_clients.creep(port)) if slow else None
        try:
            await Sender(port, tally).send_all(cases, CONNECTIONS)
        finally:
            if creeping is not None:
                creeping.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await creeping

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(send())


def _reported(seed: int, failures: list[Failure]) -> Path | None:
    if not failures:
        return None
    folder = Path(tempfile.mkdtemp(prefix=f"undercast-fuzz-{seed}-"))
    for failure in failures:
        case = failure.case
        name = f"{case.number}-{case.kind}"
        (folder / f"{name}.bin").write_bytes(case.data)
        text = f"seed {seed}, case {case.number} ({case.kind}, {case.protocol}, {case.operation}): {failure.why}\n"
        (folder / f"{name}.txt").write_bytes(text.encode() + failure.answer)
    return folder
