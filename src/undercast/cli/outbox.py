"""`undercast outbox`: mails, text messages and push notifications of SNS that would have left this machine."""

import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from undercast.cli.client import DataOption, ask, locate
from undercast.cli.output import printable, show, styled


def outbox(
    data: DataOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="So many of the newest.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """Show what SNS would have mailed, texted and pushed."""
    items = ask(locate(data), f"/_undercast/outbox?limit={limit}")["items"]
    if as_json:
        show(items, True)
        return
    if not items:
        print("SNS has sent no mail, text message or push notification yet", file=sys.stderr)
    for item in items:
        print(_line(item))


def _line(item: dict[str, Any]) -> str:
    at = datetime.fromtimestamp(item["at"], UTC).strftime("%Y-%m-%d %H:%M:%S")
    head = f"{at}  {item['protocol']} to {item['destination']}"
    subject = f"  {item['subject']}" if item["subject"] else ""
    body = "\n".join(f"  {printable(line)}" for line in item["body"].splitlines())
    return f"{styled(printable(head), '1')}{printable(subject)}\n{body}"
