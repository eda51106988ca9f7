"""EventBridge's tables. All times are platform-clock seconds.

An event is not kept, unless an archive wants it: what is left of it are the deliveries to targets. The default bus of
an account and region has a row once somebody changes it. `next_at` is when a schedule comes round, NULL for none. A
connection's secrets are in Secrets Manager; `shown` is what is left without them. `last_at` and `last_id` say how far a
replay is.
"""

SCHEMA = (
    """
    CREATE TABLE events_bus (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, policy TEXT NOT NULL,
        settings TEXT NOT NULL, tags TEXT NOT NULL, created_at REAL NOT NULL, changed_at REAL NOT NULL,
        PRIMARY KEY (account_id, region, name)
    );
    CREATE TABLE events_rule (
        account_id TEXT NOT NULL, region TEXT NOT NULL, bus TEXT NOT NULL, name TEXT NOT NULL, pattern TEXT NOT NULL,
        schedule TEXT NOT NULL, state TEXT NOT NULL, description TEXT, role_arn TEXT NOT NULL,
        created_by TEXT NOT NULL, tags TEXT NOT NULL, anchored_at REAL NOT NULL, next_at REAL,
        PRIMARY KEY (account_id, region, bus, name)
    );
    CREATE INDEX events_rule_next ON events_rule (next_at) WHERE next_at IS NOT NULL;
    CREATE TABLE events_target (
        account_id TEXT NOT NULL, region TEXT NOT NULL, bus TEXT NOT NULL, rule TEXT NOT NULL, id TEXT NOT NULL,
        arn TEXT NOT NULL, given TEXT NOT NULL, PRIMARY KEY (account_id, region, bus, rule, id)
    );
    """,
    """
    CREATE TABLE events_connection (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, description TEXT,
        kind TEXT NOT NULL, shown TEXT NOT NULL, state TEXT NOT NULL, secret_arn TEXT NOT NULL,
        kms_key_id TEXT NOT NULL, from_sandbox INTEGER NOT NULL, created_at REAL NOT NULL, changed_at REAL NOT NULL,
        authorized_at REAL, PRIMARY KEY (account_id, region, name)
    );
    CREATE TABLE events_destination (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, description TEXT,
        connection TEXT NOT NULL, endpoint TEXT NOT NULL, method TEXT NOT NULL, rate INTEGER,
        from_sandbox INTEGER NOT NULL, created_at REAL NOT NULL, changed_at REAL NOT NULL,
        PRIMARY KEY (account_id, region, name)
    );
    CREATE TABLE events_archive (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, bus TEXT NOT NULL, pattern TEXT NOT NULL,
        description TEXT, retention_days INTEGER NOT NULL, kms_key_id TEXT NOT NULL, created_at REAL NOT NULL,
        PRIMARY KEY (account_id, region, name)
    );
    CREATE INDEX events_archive_bus ON events_archive (account_id, region, bus);
    CREATE TABLE events_archived (
        id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL, region TEXT NOT NULL, archive TEXT NOT NULL,
        at REAL NOT NULL, stored_at REAL NOT NULL, size INTEGER NOT NULL, event TEXT NOT NULL
    );
    CREATE INDEX events_archived_time ON events_archived (account_id, region, archive, at, id);
    CREATE TABLE events_replay (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, description TEXT, archive_arn TEXT NOT NULL,
        destination TEXT NOT NULL, begins_at REAL NOT NULL, ends_at REAL NOT NULL, state TEXT NOT NULL,
        reason TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL, last_at REAL, last_id INTEGER NOT NULL,
        PRIMARY KEY (account_id, region, name)
    );
    """,
    """
    CREATE INDEX events_archived_age ON events_archived (account_id, region, archive, stored_at, size);
    """,
    """
    ALTER TABLE events_connection ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
    ALTER TABLE events_destination ADD COLUMN made_by TEXT NOT NULL DEFAULT '';
    """,
)
