"""`undercast deliveries`: events that the platform has given up delivering, and having them tried again."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from undercast.cli.client import DataOption, ask, change, locate
from undercast.cli.output import fail, show, table

app = typer.Typer(
    help="Events that could not be delivered: to functions, queues, topics, endpoints, as dead letters.",
    no_args_is_help=True,
)
HEAD = ("given up", "at", "what", "why", "sent on to")
_PATH = "/_undercast/deliveries"
_MAX_REASON = 200


@app.command("list")
def list_deliveries(
    data: DataOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="So many of the newest.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """Show what was given up, the newest first. `undercast trace ID` shows what led to one, and each attempt.

    The newest 1,000 are kept, of their events at most 64 MiB.
    """
    found = ask(locate(data), f"{_PATH}?limit={limit}")["deliveries"]
    if as_json:
        show(found, True)
        return
    table(HEAD, [row(one) for one in found], "no delivery was given up")


@app.command("retry")
def retry(
    ids: Annotated[list[str] | None, typer.Argument(help="As `list` shows them.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All that `list` shows.")] = False,
    data: DataOption = None,
) -> None:
    """Have deliveries tried again that were given up: under the same id, as if each had just been sent.

    Their attempts and their age begin anew. What was sent on to a dead-letter queue or a destination stays there.
    """
    if bool(ids) == every:
        fail("which deliveries?", "undercast deliveries retry ID [ID ...], or --all; undercast deliveries list")
    wish = {"all": True} if every else {"ids": ids}
    missing = "the ids of those that are kept: undercast deliveries list"
    answer = change(locate(data), f"{_PATH}/retry", wish, missing=missing)
    for one in answer["retried"]:
        print(one)


def row(delivery: Mapping[str, Any]) -> Sequence[str]:
    """One line of the table."""
    at = datetime.fromtimestamp(delivery["at"], tz=UTC).isoformat(timespec="seconds")
    source, attempts = delivery["source"], delivery["attempts"]
    what = f"{delivery['kind']} {delivery['target']}" + (f" from {source}" if source else "")
    tried = "1 attempt" if attempts == 1 else f"{attempts} attempts"
    why = f"{tried}: {delivery['reason'][:_MAX_REASON]}"
    return delivery["id"], at, what, why, ", ".join(delivery["sent_to"]) or "nothing"
