"""EventBridge's tables. All times are platform-clock seconds.

An event is not kept, unless an archive wants it: what is left of it are the deliveries to targets. The default bus of
an account and region has a row once somebody changes it. `next_at` is when a schedule comes round, NULL for none.
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
)
