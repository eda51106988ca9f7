"""`undercast logs`: print a function's log, and follow it.

Times are the platform clock's, as in CloudWatch: behind `undercast clock advance` they are ahead of this machine's.
"""

import datetime
import json
import time
from typing import Annotated, Any

import typer

from undercast.cli.client import DataOption, ask, aws, locate
from undercast.cli.output import fail, styled

POLL_S = 0.5


def logs(
    function: Annotated[str, typer.Argument(help="Function name, or a log group that starts with /.")],
    tail: Annotated[bool, typer.Option("--tail", help="Go on printing what is added.")] = False,
    since: Annotated[float, typer.Option(help="How many minutes back to start, on the platform's clock.")] = 60.0,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per event, each on a line.")] = False,
) -> None:
    """Print the log events of a function.

    Times are UTC on the platform's clock: where it was advanced (`undercast clock advance`), they are as far ahead
    of this machine's; `undercast clock` shows by how much.
    """
    group = function if function.startswith("/") else f"/aws/lambda/{function}"
    url = locate(data)
    now = ask(url, "/_undercast/status")["clock"]["now"]
    client = aws(url, "logs")
    seen: set[str] = set()
    start_ms = int((now - since * 60) * 1000)
    while True:
        for event in _events(client, group, start_ms):
            if event["eventId"] in seen:
                continue
            seen.add(event["eventId"])
            start_ms = max(start_ms, int(event["timestamp"]) - 5000)
            _print(event, as_json)
        if not tail:
            return
        time.sleep(POLL_S)


def _events(client: Any, group: str, start_ms: int) -> list[dict[str, Any]]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=start_ms)
        return [event for page in pages for event in page["events"]]
    except (ClientError, BotoCoreError) as error:
        missing = "ResourceNotFoundException" in str(error)
        return fail(str(error), "a log group appears with the first run of its function" if missing else "")


def _print(event: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(event), flush=True)
        return
    moment = datetime.datetime.fromtimestamp(event["timestamp"] / 1000, tz=datetime.UTC)
    print(f"{styled(moment.isoformat(timespec='milliseconds'), '2')} {event['message'].rstrip()}", flush=True)
