"""`undercast status`: what the running platform is busy with."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from undercast.cli import deliveries
from undercast.cli.client import DataOption, ask, locate
from undercast.cli.output import show, table

_UNABLE_HEAD = ("cannot run here", "account", "region", "runtime", "what to do")
_DEAD_HINT = (
    "what led to one, and what became of each attempt: undercast trace ID. Once more: undercast deliveries retry ID."
)
_LOST = (
    "On AWS, what was sent on to nothing is lost: a dead-letter queue or an OnFailure destination of the function,\n"
    "a RedrivePolicy of the subscription or a DeadLetterConfig of the rule's target keeps it."
)
_HEAD = ("function", "version", "account", "region", "environments", "waiting")


def status(
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show functions, their environments, deliveries and the clock of the running platform.

    An environment is ready or frozen between two invokes; a stale one has failed, and its next invoke starts its
    runtime anew.
    """
    answer = ask(locate(data), "/_undercast/status")
    if as_json:
        show(answer, True)
        return
    show(summary(answer), False)
    print()
    rows = [row(function) for function in answer["sandboxes"]["functions"]]
    table(_HEAD, rows, "no function has run since this start")
    if unable := answer["cannot_run"]:
        print()
        table(_UNABLE_HEAD, [_unable(one) for one in unable], "")
    if dead := answer["dead_deliveries"]:
        print()
        table(deliveries.HEAD, [deliveries.row(one) for one in dead], "")
        print(hints(dead, answer["deliveries"]["dead"]))


def hints(dead: Sequence[Mapping[str, Any]], count: int) -> str:
    """What to do about deliveries that were given up, of which these are the last."""
    lost = [] if all(one["sent_to"] for one in dead) else [_LOST]
    more = [f"These are the last {len(dead)} of {count}; undercast deliveries list shows more."]
    return "\n".join([_DEAD_HINT, *lost, *(more if count > len(dead) else [])])


def summary(answer: Mapping[str, Any]) -> dict[str, str]:
    """The platform in a few lines."""
    sandboxes, clock = answer["sandboxes"], answer["clock"]
    limits = sandboxes["limits"]
    ahead = f", {clock['ahead_s']:.0f} s ahead of this machine" if clock["ahead_s"] else ""
    return {
        "platform": f"{answer['url']}  driver {answer['driver']}  pid {answer['pid']}",
        "data": str(answer["data"]),
        "clock": datetime.fromtimestamp(clock["now"], tz=UTC).isoformat(timespec="seconds") + ahead,
        "environments": f"{_of(sandboxes['environments'], limits['environments'])}, "
        f"{_of(sandboxes['memory_mb'], limits['memory_mb'])} MB, {_of(sandboxes['inits'], limits['inits'])} in INIT",
        "deliveries": ", ".join(f"{count} {kind.replace('_', ' ')}" for kind, count in answer["deliveries"].items()),
    }


def _unable(lacking: Mapping[str, str]) -> Sequence[str]:
    _, _, _, region, account, _, name, *_ = lacking["function"].split(":")
    return name, account, region, lacking["runtime"], lacking["reason"]


def row(function: Mapping[str, Any]) -> Sequence[str]:
    """One line of the table. `arn:aws:lambda:REGION:ACCOUNT:function:NAME`."""
    _, _, _, region, account, _, name, *_ = str(function["function"]).split(":")
    states = Counter(function["environments"].values())
    if function["starting"]:
        states["starting"] += function["starting"]
    environments = ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "none"
    return name, str(function["version"]), account, region, environments, str(function["waiting"])


def _of(number: int, limit: int | None) -> str:
    return str(number) if limit is None else f"{number} of {limit}"
