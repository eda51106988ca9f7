"""Scheduler's tables. All times are platform-clock seconds.

The group "default" of an account and region has a row once somebody tags it. `nominal_at` is when a schedule comes
round, `next_at` when its target is called: later by a part of a flexible window. Both are NULL for one that does not
come again.
"""

SCHEMA = (
    """
    CREATE TABLE scheduler_group (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, tags TEXT NOT NULL, token TEXT NOT NULL,
        created_at REAL NOT NULL, changed_at REAL NOT NULL, PRIMARY KEY (account_id, region, name)
    );
    CREATE TABLE scheduler_schedule (
        account_id TEXT NOT NULL, region TEXT NOT NULL, grp TEXT NOT NULL, name TEXT NOT NULL,
        given TEXT NOT NULL, begins_at REAL, ends_at REAL, token TEXT NOT NULL, created_at REAL NOT NULL,
        changed_at REAL NOT NULL, anchored_at REAL NOT NULL, nominal_at REAL, next_at REAL,
        PRIMARY KEY (account_id, region, grp, name)
    );
    CREATE INDEX scheduler_schedule_next ON scheduler_schedule (next_at) WHERE next_at IS NOT NULL;
    """,
    # Of the request that the token came with; of what was made before, none is the same.
    """
    ALTER TABLE scheduler_group ADD COLUMN digest TEXT NOT NULL DEFAULT '';
    ALTER TABLE scheduler_schedule ADD COLUMN digest TEXT NOT NULL DEFAULT '';
    """,
)
