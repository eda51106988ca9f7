"""What a process that may be killed at any moment has promised, kept outside of it; and the killer.

The process writes one JSON line per fact to a pipe, each with one write(2) of less than PIPE_BUF, so a line is there
whole or not at all. `will` comes before a change, `done` once it is acknowledged: in between both values are right.
"""

import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any

PATIENCE_S = 300.0
"""Bounds what never comes."""
LEAST_EVENTS = 30
"""A process that is killed at work has made so many: a busy machine may take all of a short time for less."""
Value = str | None
"""What a name must hold; None where it must not exist."""


def say(**fact: object) -> None:
    """Tell the ledger a fact, from within the process."""
    os.write(1, (json.dumps(fact) + "\n").encode())


def die_at_step(step: int, of: str = "") -> None:
    """Have this process SIGKILL itself at its n-th SQL statement, rename or removal, before it is carried out.

    A kill from outside hardly ever falls between the two halves of one transaction; this one does. With a pattern only
    statements that begin like it count.
    """
    left = step
    counts = re.compile(of, re.IGNORECASE)

    def tick(statement: str = "") -> None:
        nonlocal left
        if not counts.match(statement):
            return
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    class Traced(sqlite3.Connection):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.set_trace_callback(tick)

    vars(sqlite3)["connect"] = partial(sqlite3.connect, factory=Traced)
    sys.addaudithook(lambda event, _: tick() if event in ("os.rename", "os.remove") else None)


@dataclass
class Ledger:
    """Every promise, across all runs of the process."""

    allowed: dict[str, dict[str, set[Value]]] = field(default_factory=lambda: defaultdict(dict))
    """kind -> name -> what may be found: the acknowledged value and those attempted since."""
    least: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    """kind -> name -> how far something has got at least (a flushed journal)."""
    events: set[str] = field(default_factory=set)
    """Ids of events whose cause was acknowledged: their effect must happen."""
    effects: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def will(self, kind: str, name: str, value: Value) -> None:
        """A change is being attempted."""
        self.allowed[kind].setdefault(name, {None}).add(value)

    def done(self, kind: str, name: str, value: Value) -> None:
        """A change was acknowledged: from now on nothing else is right."""
        self.allowed[kind][name] = {value}

    def event(self, event_id: str) -> None:
        """The cause of an event was acknowledged."""
        self.events.add(event_id)

    def effect(self, event_id: str) -> None:
        """The effect of an event was seen."""
        self.effects[event_id] += 1

    def check(self, kind: str, found: Mapping[str, str]) -> None:
        """Compare everything of one kind with the promises; what was found is what holds from now on."""
        for name, allowed in self.allowed[kind].items():
            if found.get(name) not in allowed:
                self.problems.append(f"{kind} {name} holds {found.get(name)}, not one of {sorted(map(str, allowed))}")
            self.allowed[kind][name] = {found.get(name)}
        self.problems += [f"{kind} {name} was never written" for name in found.keys() - self.allowed[kind].keys()]

    def check_least(self, kind: str, found: Mapping[str, str]) -> None:
        """Compare how far everything of one kind has got with the promises."""
        for name, least in self.least[kind].items():
            if int(found.get(name, "0")) < least:
                self.problems.append(f"{kind} {name} ends at {found.get(name)}, {least} was acknowledged")

    def check_effects(self) -> None:
        """Every event whose cause was acknowledged had its effect at least once."""
        self.problems += [f"event {event} had no effect" for event in sorted(self.events - self.effects.keys())]


class Victim:
    """One run of a process that reports to a ledger, and can be killed."""

    def __init__(self, argv: Sequence[str], ledger: Ledger) -> None:
        self._ledger = ledger
        self._found: dict[str, dict[str, str]] = defaultdict(dict)
        self.said: set[str] = set()
        self._heard = threading.Condition()
        self._events_before = len(ledger.events)
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self._reader = threading.Thread(target=self._listen, args=(self.process.stdout,))
        self._reader.start()

    def wait_for(self, word: str) -> bool:
        """Wait until the process says a word ("ready"); False when it ended without."""
        with self._heard:
            ended = self._heard.wait_for(lambda: word in self.said or "end" in self.said, PATIENCE_S)
            assert ended, f"not {word} after {PATIENCE_S} s"
            return word in self.said

    def wait_for_events(self, count: int) -> None:
        """Wait until it has told of so many events, or has ended."""
        with self._heard:
            there = self._heard.wait_for(lambda: self._events >= count or "end" in self.said, PATIENCE_S)
            assert there, f"{self._events} of {count} events after {PATIENCE_S} s"

    @property
    def _events(self) -> int:
        return len(self._ledger.events) - self._events_before

    def kill_after(self, seconds: float) -> None:
        """SIGKILL after so long, unless it has ended; everything it said before is in the ledger on return."""
        with self._heard:
            self._heard.wait_for(lambda: "end" in self.said, seconds)
        self.process.send_signal(signal.SIGKILL)
        self._join()
        if self.process.returncode != -signal.SIGKILL:
            self._ledger.problems.append(f"the process ended by itself with {self.process.returncode}")

    def finish(self) -> int:
        """Let it end by itself; its exit status."""
        try:
            return self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
            self._join()

    def _join(self) -> None:
        self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)

    def _listen(self, pipe: IO[bytes]) -> None:
        with pipe:
            for line in pipe:
                self._hear(json.loads(line))
        self._hear({"say": "end"})

    def _hear(self, fact: dict[str, str]) -> None:
        ledger = self._ledger
        match fact:
            case {"say": word}:
                with self._heard:
                    self.said.add(word)
                    self._heard.notify_all()
            case {"will": kind, "name": name, "value": value}:
                ledger.will(kind, name, value)
            case {"done": kind, "name": name, "value": value}:
                ledger.done(kind, name, value)
            case {"event": event_id}:
                with self._heard:
                    ledger.event(event_id)
                    self._heard.notify_all()
            case {"effect": event_id}:
                ledger.effect(event_id)
            case {"found": kind, "name": name, "value": value}:
                self._found[kind][name] = value
            case {"least": kind, "name": name, "value": value}:
                ledger.least[kind][name] = int(value)
            case {"inventory": kind}:
                ledger.check(kind, self._found.pop(kind, {}))
            case {"progress": kind}:
                ledger.check_least(kind, self._found.pop(kind, {}))
            case {"problem": text}:
                ledger.problems.append(text)
            case _:
                ledger.problems.append(f"unknown fact {fact}")


class Killer:
    """Decides when: runs die by turns while they work, while they open, and at a step of their own."""

    def __init__(self, seed: int, *, opening_s: float = 0.05, working_s: float = 0.5, steps: int = 5000) -> None:
        self._random = random.Random(seed)
        self._opening_s = opening_s
        self._working_s = working_s
        self._steps = steps
        self._strikes = 0

    def strike(self, start: Callable[[int], Victim]) -> None:
        """Start a process, given the step at which it is to end itself (0: never), and see to its death."""
        self._strikes += 1
        match self._strikes % 3:
            case 0:
                victim = start(0)
                victim.wait_for("opening")
                victim.kill_after(self._random.uniform(0.0, self._opening_s))
            case 1:
                victim = start(0)
                victim.wait_for("ready")
                victim.wait_for_events(LEAST_EVENTS)
                victim.kill_after(self._random.uniform(0.0, self._working_s))
            case _:
                # As many deaths among the first ten steps as among the last thousands.
                start(int(self._steps ** self._random.random())).kill_after(PATIENCE_S)
