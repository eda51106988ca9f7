"""What a run writes into docs/benchmarks.md: what was measured, the figures, every measurement. Pure.

Nobody writes these blocks by hand: each stands between two marks of its name.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.figures import Round
from benchmarks.judging import Verdict

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"


def blocks(about: Mapping[str, str], rounds: Sequence[Round], verdicts: Sequence[Verdict]) -> dict[str, str]:
    """Each block's name and Markdown."""
    return {
        "run": run_table(about),
        "figures": figure_table(verdicts),
        "measurements": measurement_table(rounds),
    }


def rewritten(page: str, written: Mapping[str, str]) -> str:
    """The page with the blocks between their marks; ValueError where the marks of one are not there once."""
    for name, block in written.items():
        marks = re.compile(rf"(<!-- {name}: written by benchmarks/run\.py -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        parts = marks.split(page)
        if len(parts) != 4:
            raise ValueError(f"the page has not got one place for {name}")
        page = f"{parts[0]}{parts[1]}\n{block}\n\n{parts[2]}{parts[3]}"
    return page


def load(rounds: Sequence[Round], quiet_cores: float) -> str:
    """Whether the machine was quiet before each part, and where it was not."""
    mark = "busy_cores_before_"
    found = [
        (one[name], name.removeprefix(mark), n + 1) for n, one in enumerate(rounds) for name in one if mark in name
    ]
    if not found:
        return "not measured"
    loud = [f"{cores:g} before {part} of round {number}" for cores, part, number in found if cores > quiet_cores]
    if loud:
        return f"other programs used more than {quiet_cores:g} cores: {', '.join(loud)}"
    return f"quiet: other programs used at most {max(found)[0]:g} cores before a part"


def run_table(about: Mapping[str, str]) -> str:
    """What was measured, on what."""
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in about.items())])


def figure_table(verdicts: Sequence[Verdict]) -> str:
    """The figures with their bounds and rounds; a round in which ours was faster than the floor reads "below"."""
    lines = ["| figure | bound | median | rounds | |", "|---|---|---|---|---|"]
    for verdict in verdicts:
        figure = verdict.figure
        bound = f"{'>=' if figure.at_least else '<='} {figure.bound:g}{'' if figure.over else f' {figure.unit}'}"
        shown = " ".join("below" if value is None else f"{value:.2f}" for value in verdict.rounds)
        median = "-" if verdict.median is None else f"{verdict.median:.2f}"
        lines.append(f"| {figure.name} | {bound} | {median} | {shown} | {verdict.word} |")
    return "\n".join(lines)


def measurement_table(rounds: Sequence[Round]) -> str:
    """Every measurement of every round."""
    lines = ["| measurement | " + " | ".join(f"round {n + 1}" for n in range(len(rounds))) + " |"]
    lines.append("|---" * (len(rounds) + 1) + "|")
    for name in sorted({name for one in rounds for name in one}):
        cells = " | ".join(f"{one[name]:.3g}" if name in one else "-" for one in rounds)
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)
