"""`undercast doctor`: what this machine can isolate and run, what degrades, and the fix.

What holds is named; what does not has a line with the reason and the fix.
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from undercast.cli.output import show, working

if TYPE_CHECKING:
    from undercast.sandbox.runtimes.survey import RuntimeState

_WORDS = {
    "ready": "ready",
    "nearest": "runs on another version",
    "no SDK": "without AWS's SDK",
    "no client": "lacks AWS's runtime client",
    "hidden": "not usable",
    "missing": "missing",
    "unsupported": "not served",
}


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with every promise and runtime.")] = False,
) -> None:
    """Check this machine: isolation, limits, runtimes, tools."""
    from undercast.app.sandboxes import examine
    from undercast.cli.environment import config_from
    from undercast.cli.start_options import DEFAULTS
    from undercast.sandbox.runtimes.survey import summary

    with working("making a sandbox to see what holds"):
        found, states = asyncio.run(examine(config_from({**DEFAULTS, "port": 0, "ephemeral": True})))
    if as_json:
        show({**found, "runtimes": summary(states)}, True)
    else:
        show({"driver": found["driver"], **_promises(found["promises"]), "notes": found["notes"]}, False)
        show({"runtimes": dict(_runtimes(states))}, False)
        print("what installs a runtime: undercast runtimes list; everything: undercast doctor --json")


def _promises(promises: Mapping[str, str]) -> dict[str, Any]:
    """Those that hold by name; the others with the reason, under how far they go."""
    found: dict[str, Any] = {"hard": []}
    for name, text in promises.items():
        strength, _, how = text.partition(": ")
        if strength == "hard":
            found["hard"].append(name)
        else:
            found.setdefault(strength, {})[name] = how
    return found


def _runtimes(states: "tuple[RuntimeState, ...]") -> Iterator[tuple[str, str]]:
    """What they can do -> the identifiers, with the version where it is not their own."""
    for state, words in _WORDS.items():
        names = [
            f"{one.identifier} ({one.version})" if state == "nearest" else one.identifier
            for one in states
            if one.state == state or (state == "no SDK" and one.lacks_sdk)
        ]
        if names:
            yield words, ", ".join(names)
