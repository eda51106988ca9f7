"""The page of the platform: what it shows, and that what users' events hold stays text."""

from typing import Any

from undercast.gateway import console

STATUS = {
    "url": "http://localhost:4566",
    "clock": {"now": 1_700_000_000.0, "ahead_s": 21_600.0},
    "sandboxes": {
        "functions": [{"function": "arn:f", "version": "$LATEST", "environments": {"e": "frozen"}, "waiting": 2}]
    },
}
DEAD = {"at": 1_700_000_000.0, "id": "d-1", "target": "arn:q", "attempts": 3, "reason": "gone", "sent_to": ["arn:dlq"]}
MAIL = {"at": 1_700_000_000.0, "protocol": "email", "destination": "a@b.example", "subject": "s", "body": "news"}


def page(*, dead: tuple[Any, ...] = (), items: tuple[Any, ...] = (), status: Any = STATUS) -> str:
    body = console.response(status, dead, items).body
    assert isinstance(body, bytes)
    return body.decode()


def test_it_shows_functions_what_was_given_up_and_the_outbox() -> None:
    """The newest message first."""
    shown = page(dead=(DEAD,), items=(MAIL, {**MAIL, "protocol": "sms", "subject": None, "body": "code 1"}))
    assert "<td>arn:f<td>$LATEST<td>1<td>2" in shown
    assert "<td>2023-11-14 22:13:20<td>d-1<td>arn:q<td>3<td>gone<td>arn:dlq" in shown
    assert shown.index("<td>sms<td>a@b.example<td><td><pre>code 1</pre>") < shown.index("<td>s<td><pre>news</pre>")
    assert "21600 s ahead" in shown


def test_where_there_is_nothing_it_says_so() -> None:
    """No table without rows."""
    shown = page()
    assert "No delivery was given up." in shown and "SNS has sent no mail" in shown


def test_what_events_hold_is_text_in_it() -> None:
    """A mail's body or a function's error is not the platform's own page; nor may a script of it run."""
    script = "</pre><script>alert(1)</script>"
    names = {"function": script, "version": script, "environments": {}, "waiting": 0}
    shown = page(
        dead=({**DEAD, "reason": script},),
        items=({**MAIL, "body": script, "subject": script},),
        status={**STATUS, "sandboxes": {"functions": [names]}},
    )
    assert "<script" not in shown
    assert shown.count("&lt;script&gt;") == 5
    policy = dict(console.response(STATUS, (), ()).headers)["content-security-policy"]
    assert policy.startswith("default-src 'none';")
