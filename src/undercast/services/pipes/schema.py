"""Pipes' tables. All times are platform-clock seconds.

`given` is what CreatePipe or UpdatePipe got. pipes_progress says how far a pipe has read its stream, as
`services/event_sources/progress.py` keeps it.
"""

SCHEMA = (
    """
    CREATE TABLE pipes_pipe (
        id TEXT PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, given TEXT NOT NULL,
        tags TEXT NOT NULL, desired TEXT NOT NULL, state TEXT NOT NULL, created_at REAL NOT NULL,
        changed_at REAL NOT NULL, UNIQUE (account_id, region, name)
    );
    CREATE TABLE pipes_progress (
        id TEXT NOT NULL REFERENCES pipes_pipe ON DELETE CASCADE, shard_id TEXT NOT NULL, factor INTEGER NOT NULL,
        lane INTEGER NOT NULL, sequence TEXT NOT NULL, since REAL NOT NULL, ended INTEGER NOT NULL,
        window_start REAL NOT NULL, state TEXT NOT NULL, PRIMARY KEY (id, shard_id, factor, lane)
    );
    """,
)
