"""The tables of Kinesis: streams, their shards, records, consumers. Times are platform-clock seconds.

`newest` of a stream is the last sequence number that it has given: to a record, to a shard's opening or closing.
The bounds of a shard's hash keys have 39 digits, so that they sort as text.
"""

SCHEMA = (
    """
    CREATE TABLE kinesis_stream (
        id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
        created_at REAL NOT NULL, mode TEXT NOT NULL, retention_hours INTEGER NOT NULL, max_record_kib INTEGER NOT NULL,
        distribution TEXT NOT NULL, key_id TEXT NOT NULL, metrics TEXT NOT NULL, tags TEXT NOT NULL,
        policy TEXT NOT NULL, newest INTEGER NOT NULL, UNIQUE (account_id, region, name)
    );
    CREATE TABLE kinesis_shard (
        id INTEGER PRIMARY KEY AUTOINCREMENT, stream_id INTEGER NOT NULL REFERENCES kinesis_stream ON DELETE CASCADE,
        number INTEGER NOT NULL, parent INTEGER, adjacent INTEGER, low TEXT NOT NULL, high TEXT NOT NULL,
        created_at REAL NOT NULL, closed_at REAL, first INTEGER NOT NULL, last INTEGER, UNIQUE (stream_id, number)
    );
    CREATE TABLE kinesis_record (
        shard_id INTEGER NOT NULL REFERENCES kinesis_shard ON DELETE CASCADE, sequence INTEGER NOT NULL,
        at REAL NOT NULL, partition_key TEXT NOT NULL, encrypted INTEGER NOT NULL, size INTEGER NOT NULL,
        data BLOB NOT NULL, PRIMARY KEY (shard_id, sequence)
    );
    CREATE TABLE kinesis_consumer (
        id INTEGER PRIMARY KEY AUTOINCREMENT, stream_id INTEGER NOT NULL REFERENCES kinesis_stream ON DELETE CASCADE,
        name TEXT NOT NULL, arn TEXT NOT NULL UNIQUE, created_at REAL NOT NULL, tags TEXT NOT NULL,
        policy TEXT NOT NULL, UNIQUE (stream_id, name)
    );
    """,
)
