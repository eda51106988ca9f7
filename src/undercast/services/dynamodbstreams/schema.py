"""The tables of DynamoDB Streams: streams, their shards, the records. Times are platform-clock seconds.

A stream outlives its table by 24 hours, so nothing here refers to DynamoDB's rows. A record's sequence number is one
more than the newest, which is never removed.
"""

SCHEMA = (
    """
    CREATE TABLE dynamodbstreams_stream (
        id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL, region TEXT NOT NULL, table_name TEXT NOT NULL,
        label TEXT NOT NULL, arn TEXT NOT NULL UNIQUE, view_type TEXT NOT NULL, key_schema TEXT NOT NULL,
        created_at REAL NOT NULL, disabled_at REAL
    );
    CREATE INDEX dynamodbstreams_stream_table ON dynamodbstreams_stream (account_id, region, table_name);
    CREATE TABLE dynamodbstreams_shard (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        stream_id INTEGER NOT NULL REFERENCES dynamodbstreams_stream ON DELETE CASCADE, parent_id INTEGER,
        created_at REAL NOT NULL, closed_at REAL, first INTEGER NOT NULL, last INTEGER
    );
    CREATE INDEX dynamodbstreams_shard_stream ON dynamodbstreams_shard (stream_id, id);
    CREATE TABLE dynamodbstreams_record (
        sequence INTEGER PRIMARY KEY,
        shard_id INTEGER NOT NULL REFERENCES dynamodbstreams_shard ON DELETE CASCADE, at REAL NOT NULL,
        event_id TEXT NOT NULL, event_name TEXT NOT NULL, by_expiry INTEGER NOT NULL, size INTEGER NOT NULL,
        images TEXT NOT NULL
    );
    CREATE INDEX dynamodbstreams_record_shard ON dynamodbstreams_record (shard_id, sequence);
    """,
    """
    ALTER TABLE dynamodbstreams_stream ADD COLUMN policy TEXT NOT NULL DEFAULT '';
    ALTER TABLE dynamodbstreams_stream ADD COLUMN policy_revision TEXT NOT NULL DEFAULT '';
    """,
)
