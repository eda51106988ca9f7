"""The rows of pipes.

AWS: EventBridge Pipes API Reference.
"""

import json

from undercast.core.arn import Scope
from undercast.services.pipes.errors import no_pipe
from undercast.services.pipes.models import Pipe, pipe_of
from undercast.store.database import Tx


def find(tx: Tx, scope: Scope, name: str) -> Pipe | None:
    """None where there is no such pipe."""
    row = tx.one("SELECT * FROM pipes_pipe WHERE account_id = ? AND region = ? AND name = ?", (*scope, name))
    return None if row is None else pipe_of(row)


def existing(tx: Tx, scope: Scope, name: str) -> Pipe:
    """Raises NotFoundException."""
    pipe = find(tx, scope, name)
    if pipe is None:
        raise no_pipe(name)
    return pipe


def by_id(tx: Tx, identifier: str) -> Pipe | None:
    """None where it is gone."""
    row = tx.one("SELECT * FROM pipes_pipe WHERE id = ?", (identifier,))
    return None if row is None else pipe_of(row)


def of_scope(tx: Tx, scope: Scope) -> list[Pipe]:
    """By name."""
    rows = tx.all("SELECT * FROM pipes_pipe WHERE account_id = ? AND region = ? ORDER BY name", scope)
    return [pipe_of(row) for row in rows]


def every(tx: Tx) -> list[Pipe]:
    """Of all accounts."""
    return [pipe_of(row) for row in tx.all("SELECT * FROM pipes_pipe")]


def put(tx: Tx, pipe: Pipe) -> None:
    """Make it, or write all that it is anew; its progress stays."""
    tx.execute(
        "INSERT INTO pipes_pipe (id, account_id, region, name, given, tags, desired, state, created_at, changed_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET given = excluded.given,"
        " tags = excluded.tags, desired = excluded.desired, state = excluded.state, changed_at = excluded.changed_at",
        (
            pipe.id,
            *pipe.scope,
            pipe.name,
            json.dumps(dict(pipe.given)),
            json.dumps(dict(pipe.tags)),
            pipe.desired,
            pipe.state,
            pipe.created_at,
            pipe.changed_at,
        ),
    )


def remove(tx: Tx, pipe: Pipe) -> None:
    """With its progress."""
    tx.execute("DELETE FROM pipes_pipe WHERE id = ?", (pipe.id,))
