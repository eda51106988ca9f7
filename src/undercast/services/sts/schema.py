"""The table of STS: temporary credentials, kept over a restart so that running environments stay who they are.

`expires_at` is host-clock seconds: expiry of credentials never follows the platform clock.
"""

SCHEMA = (
    """
    CREATE TABLE sts_session (
        account_id TEXT NOT NULL, access_key_id TEXT NOT NULL PRIMARY KEY, secret TEXT NOT NULL, token TEXT NOT NULL,
        expires_at REAL NOT NULL, kind TEXT NOT NULL, arn TEXT NOT NULL, user_id TEXT NOT NULL, role_arn TEXT,
        known INTEGER NOT NULL, policies TEXT NOT NULL, tags TEXT NOT NULL, environment_id TEXT
    );
    """,
)
