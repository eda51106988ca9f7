"""The page `/_undercast/console`: what a browser shows of the platform, read only.

Functions and their environments, deliveries that were given up, and the mails, text messages and push notifications
that would have left the machine. Pure: one HTML page without scripts and without anything to load; what users' events
hold is text in it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from undercast.core.http import HttpResponse

SHOWN = 100
"""So many deliveries, and so many messages."""
_HEADERS = (
    ("content-type", "text/html; charset=utf-8"),
    ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    ("cache-control", "no-store"),
)
_STYLE = (
    "body{font:14px sans-serif;margin:2em}table{border-collapse:collapse}td,th{padding:.2em .8em .2em 0;"
    "text-align:left;vertical-align:top}pre{margin:0;white-space:pre-wrap;max-width:60em}"
)

Answer = Mapping[str, Any]


def response(status: Answer, dead: Sequence[Answer], items: Sequence[Answer]) -> HttpResponse:
    """The page. `items` are the outbox's, the oldest first."""
    functions = [_function(one) for one in status["sandboxes"]["functions"]]
    clock = status["clock"]
    parts = (
        f"<h1>Undercast</h1><p>{_text(status['url'])}, {_at(clock['now'])}, {clock['ahead_s']:.0f} s ahead</p>",
        _table("Functions", ("function", "version", "environments", "waiting"), functions, "No function has run."),
        _table(
            "Deliveries given up",
            ("at", "id", "target", "attempts", "why", "sent on to"),
            [_dead(one) for one in dead],
            "No delivery was given up.",
        ),
        _table(
            "Outbox",
            ("at", "by", "to", "subject", "message"),
            [_item(one) for one in reversed(items)],
            "SNS has sent no mail, text message or push notification.",
        ),
    )
    page = (
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="10">'
        f"<title>Undercast</title><style>{_STYLE}</style>{''.join(parts)}</html>\n"
    )
    return HttpResponse(status=200, headers=_HEADERS, body=page.encode())


def _function(one: Answer) -> Sequence[str]:
    return (_text(one["function"]), _text(one["version"]), str(len(one["environments"])), str(one["waiting"]))


def _dead(one: Answer) -> Sequence[str]:
    sent_to = " ".join(one["sent_to"]) or "nothing"
    texts = (one["id"], one["target"], one["attempts"], one["reason"], sent_to)
    return (_at(one["at"]), *map(_text, texts))


def _item(one: Answer) -> Sequence[str]:
    texts = (one["protocol"], one["destination"], one["subject"] or "")
    return (_at(one["at"]), *map(_text, texts), f"<pre>{_text(one['body'])}</pre>")


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> str:
    if not rows:
        return f"<h2>{title}</h2><p>{empty}</p>"
    lines = "".join(f"<tr>{''.join(f'<td>{cell}' for cell in row)}" for row in rows)
    return f"<h2>{title}</h2><table><tr>{''.join(f'<th>{name}' for name in head)}{lines}</table>"


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _text(value: object) -> str:
    return escape(str(value))
