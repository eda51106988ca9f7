"""`undercast logs`: print a function's log, and follow it.

Standard output has what is in the log group, as on AWS. What the platform itself has to say of the function (this
machine lacks its runtime) goes to standard error: it is in no log group.
Times are the platform clock's, as in CloudWatch: behind `undercast clock advance` they are ahead of this machine's.
"""

import datetime
import json
import math
import re
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, NamedTuple

import typer

from undercast.cli import environment, whereabouts
from undercast.cli.client import DataOption, ask, aws, locate
from undercast.cli.log_group import log_group_of
from undercast.cli.output import fail, printable, styled

POLL_S = 0.5
_STATUS_EVERY = 10
"""Of this many looks at the log of a function that is followed, one asks the platform, too."""
_SLACK = 5
"""Minutes that a reader may take to repeat the command with the `--since` it was told."""
_APPEARS = "a log group appears with the first run of its function"
_BY_NAME = "undercast logs FUNCTION finds a function's log group, whatever its name"
_DEFAULT = "/aws/lambda/"


def logs(
    function: Annotated[str, typer.Argument(help="Function name, or a log group that starts with /.")],
    tail: Annotated[bool, typer.Option("--tail", help="Go on printing what is added.")] = False,
    since: Annotated[
        float, typer.Option(help="How many minutes back to start, on the platform's clock.", min=0)
    ] = 60.0,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per event, each on a line.")] = False,
) -> None:
    """Print the log events of a function; with --tail wait for its first run, too.

    Times are UTC on the platform's clock: where it was advanced (`undercast clock advance`), they are as far ahead
    of this machine's; `undercast clock` shows by how much. Where this machine cannot run the function, standard error
    says why.
    """
    try:
        _logs(function, locate(data), _Wish(tail, since, as_json))
    except KeyboardInterrupt:
        if not tail:  # of --tail it is the end that was meant
            raise


class _Wish(NamedTuple):
    tail: bool
    since: float
    as_json: bool


def _logs(function: str, url: str, wish: _Wish) -> None:
    tail, since, as_json = wish
    group = _group(url, function)
    platform = ask(url, "/_undercast/status")
    told = _told(platform, function, "")
    client = aws(url, "logs")
    seen: set[str] = set()
    start_ms = int((platform["clock"]["now"] - since * 60) * 1000)
    looks = 0
    while True:
        hint = partial(_hint, url, function, group, told)
        for event in _events(client, group, start_ms, waits=tail, hint=hint):
            if event["eventId"] in seen:
                continue
            seen.add(event["eventId"])
            start_ms = max(start_ms, int(event["timestamp"]) - 5000)
            _print(event, as_json)
        if not tail:
            if not seen:
                _tell_the_last(client, group, since, platform["clock"]["now"])
            return
        time.sleep(POLL_S)
        looks += 1
        if looks % _STATUS_EVERY == 0:
            told = _told(ask(url, "/_undercast/status"), function, told)
            group = _group(url, function)  # it may have been made, or told to log elsewhere, meanwhile


def _group(url: str, function: str) -> str:
    """Where to look; of a function that is not there, or not the caller's to read, where it logs by default."""
    return function if function.startswith("/") else _own_group(url, function) or f"{_DEFAULT}{function}"


def _own_group(url: str, function: str) -> str:
    """What the function says; "" where it cannot be asked."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return log_group_of(url, function)
    except (ClientError, BotoCoreError):
        return ""


def _tell_the_last(client: Any, group: str, since: float, now: float) -> None:
    """Nothing was printed: say so, and how far back the last event is."""
    words = f"nothing in the last {since:g} minutes"
    pages = client.get_paginator("describe_log_streams").paginate(logGroupName=group)
    times = [one["lastEventTimestamp"] for page in pages for one in page["logStreams"] if "lastEventTimestamp" in one]
    if times and (last := max(times) / 1000) < now - since * 60:
        at = datetime.datetime.fromtimestamp(last, tz=datetime.UTC)
        words += f"; the last event is of {at:%Y-%m-%d %H:%M}: --since {math.ceil((now - last) / 60) + _SLACK}"
    print(words, file=sys.stderr, flush=True)


def _told(platform: Mapping[str, Any], function: str, before: str) -> str:
    """Why this machine cannot run the function, "" when it can; printed where it is new."""
    name, key = function.removeprefix(_DEFAULT), environment.credentials()[0]
    account = key if re.fullmatch(r"\d{12}", key) else r"\d{12}"  # another key may be of any account
    arn = re.compile(f"arn:aws:lambda:{environment.region()}:{account}:function:{re.escape(name)}", re.ASCII)
    reason = next((one["reason"] for one in platform["cannot_run"] if arn.fullmatch(one["function"])), "")
    if reason and reason != before:
        print(f"undercast: {name} cannot be run here: {printable(reason)}", file=sys.stderr, flush=True)
    return reason


def _hint(url: str, function: str, group: str, told: str) -> str:
    """Why a log group is missing; `told` is what was said of its function already."""
    name = function.removeprefix(_DEFAULT)
    if told:
        return ""
    if name.startswith("/"):
        return _BY_NAME
    own = _own_group(url, name)
    if not own:
        return whereabouts.of_function(url, name)
    return _APPEARS if own == group else f"{name} logs to {own}"


def _events(client: Any, group: str, start_ms: int, *, waits: bool, hint: Callable[[], str]) -> list[dict[str, Any]]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=start_ms)
        return [event for page in pages for event in page["events"]]
    except (ClientError, BotoCoreError) as error:
        missing = "ResourceNotFoundException" in str(error)
        if missing and waits:
            return []
        return fail(str(error), hint() if missing else "")


def _print(event: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(event), flush=True)
        return
    moment = datetime.datetime.fromtimestamp(event["timestamp"] / 1000, tz=datetime.UTC)
    print(f"{styled(moment.isoformat(timespec='milliseconds'), '2')} {event['message'].rstrip()}", flush=True)
