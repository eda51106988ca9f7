"""`make bench`: three interleaved rounds of floors, peers and Undercast; ratios, their median, every round.

Exits 1 on a miss that docs/benchmarks.md does not record, or that is clearly worse than recorded (`judging.py`). What
was not judged is told at the end. `--json FILE` keeps the rounds as they come, `--write` puts a whole run into
docs/benchmarks.md, `--from FILE` judges (and writes) rounds that were kept.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import about, bench_lambda, figures, judging, measure, peers, record

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
    """Measure, judge, print."""
    arguments = _arguments()
    if arguments.given:
        kept = json.loads(arguments.given.read_text())
        told, rounds = kept["about"], kept["rounds"]
    else:
        told, rounds = _measured(arguments)
    told = {**told, "load": record.load(rounds, bench_lambda.QUIET_CORES)}
    page = record.PAGE.read_text(encoding="utf-8")
    verdicts = judging.judge(rounds, judging.recorded_misses(page))
    written = record.blocks(told, rounds, verdicts)
    print("\n\n".join(written.values()))
    if arguments.write:
        record.PAGE.write_text(record.rewritten(page, written), encoding="utf-8")
    return _ending(verdicts)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=(*PARTS, *BY_NAME), action="append")
    parser.add_argument("--environments", type=int, default=300, help="how many the part density makes")
    parser.add_argument("--idle", type=float, default=60.0, help="seconds of idling before a cold start")
    parser.add_argument("--json", type=Path, help="keep the rounds in this file, written anew after each round")
    parser.add_argument("--from", dest="given", type=Path, help="judge the rounds of such a file; measure nothing")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    arguments = parser.parse_args()
    if arguments.write and arguments.only:
        parser.error("--write would leave out what --only leaves out")
    return arguments


def _measured(arguments: argparse.Namespace) -> tuple[dict[str, str], list[figures.Round]]:
    """What was measured, and the rounds."""
    measured = about.commit()
    peers.compile_platform()
    plan = measure.Plan(idle_s=arguments.idle, environments=arguments.environments)
    rounds: list[figures.Round] = []
    told: dict[str, str] = {}
    for number in range(arguments.rounds):
        found: dict[str, float] = {}
        for part in arguments.only or PARTS:
            peers.say(f"round {number + 1} of {arguments.rounds}: {part}")
            found[f"busy_cores_before_{part}"] = measure.busy_cores()
            found.update((PARTS | BY_NAME)[part](plan))
        rounds.append(found)
        told = about.about(measured, f"rounds: {len(rounds)}; idle for {plan.idle_s:g} s before the first cold start")
        if arguments.json:
            arguments.json.write_text(json.dumps({"about": told, "rounds": rounds}, indent=1))
    return told, rounds


def _ending(verdicts: Sequence[judging.Verdict]) -> int:
    """Tells what was not judged and what fails the run."""
    unjudged = [verdict for verdict in verdicts if verdict.word in judging.UNJUDGED]
    if unjudged:
        print(f"\nNot judged: {len(unjudged)} of {len(verdicts)} figures")
    for verdict in unjudged:
        print(f"- {verdict.figure.name}: {verdict.word}")
    missed = [verdict for verdict in verdicts if verdict.word in judging.FAILING]
    for verdict in missed:
        recorded = "no recorded miss" if verdict.recorded is None else f"recorded {verdict.recorded:g}"
        print(f"{verdict.word}: {verdict.figure.name}: {verdict.median:.2f} ({recorded})", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
