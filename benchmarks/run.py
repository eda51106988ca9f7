"""`make bench`: three interleaved rounds of floors, peers and Undercast; ratios, their median, every round.

Exits 1 on a miss that docs/benchmarks.md does not record. `--only PART` (a name of `PARTS` or `BY_NAME`), `--rounds N`,
`--environments N` (of density), `--json FILE`.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import figures, measure, peers

Part = Callable[[measure.Plan], figures.Round]
PARTS: dict[str, Part] = {
    "warm": lambda _: measure.warm_and_throughput(),
    "services": measure.services,
    "sources": measure.event_sources,
    "burst": lambda _: measure.a_burst(),
    "pages": lambda _: measure.pages_of_a_query(),
    "cold": lambda plan: measure.cold(plan) | measure.cold_go(plan) | measure.cold_node(plan),
    "neighbour": lambda _: measure.neighbour_of_a_loop(),
    "extension": lambda _: measure.beside_an_extension(),
    "streaming": lambda _: measure.streamed(),
    "freeze": lambda _: measure.frozen(),
    "edit": measure.edited,
}
BY_NAME: dict[str, Part] = {"density": measure.many}
"""Measured only when they are named."""


def main() -> int:
    """Measure and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=(*PARTS, *BY_NAME), action="append")
    parser.add_argument("--environments", type=int, default=300, help="how many the part density makes")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds of idling before a cold start")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    peers.compile_platform()
    plan = measure.Plan(idle_s=arguments.idle, environments=arguments.environments)
    rounds: list[figures.Round] = []
    for number in range(arguments.rounds):
        found: dict[str, float] = {}
        for part in arguments.only or PARTS:
            peers.say(f"round {number + 1} of {arguments.rounds}: {part}")
            found[f"busy_cores_before_{part}"] = measure.busy_cores()
            found.update((PARTS | BY_NAME)[part](plan))
        rounds.append(found)
    verdicts = figures.judge(rounds)
    print(f"{measure.machine()}\n")
    print(figures.table(rounds, verdicts))
    if arguments.json:
        arguments.json.write_text(json.dumps(rounds, indent=1))
    missed = [verdict.figure.name for verdict in verdicts if verdict.kept is False and not verdict.recorded]
    for name in missed:
        print(f"MISS not recorded in docs/benchmarks.md: {name}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
