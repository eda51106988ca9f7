"""DynamoDB's tables.

An item is a row of its own; its key is in an index that is in DynamoDB's order: by the hash of the partition key, the
partition key, the sort key. An entry of a secondary index points to its item. A change is what an item was before it,
NULL for none; only tables with point-in-time recovery have them. Times are platform-clock seconds.
"""

SCHEMA = (
    """
    CREATE TABLE dynamodb_table (
        id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
        table_id TEXT NOT NULL, created_at REAL NOT NULL, definition TEXT NOT NULL, tags TEXT NOT NULL,
        ttl_attribute TEXT NOT NULL, ttl_changed_at REAL NOT NULL, UNIQUE (account_id, region, name)
    );
    CREATE TABLE dynamodb_index (
        id INTEGER PRIMARY KEY AUTOINCREMENT, table_id INTEGER NOT NULL REFERENCES dynamodb_table ON DELETE CASCADE,
        name TEXT NOT NULL, UNIQUE (table_id, name)
    );
    CREATE TABLE dynamodb_item (
        id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL REFERENCES dynamodb_table ON DELETE CASCADE,
        hash BLOB NOT NULL, range BLOB NOT NULL, size INTEGER NOT NULL, expires_at INTEGER, item TEXT NOT NULL
    );
    CREATE UNIQUE INDEX dynamodb_item_key ON dynamodb_item (table_id, hash, range);
    CREATE INDEX dynamodb_item_expiry ON dynamodb_item (table_id, expires_at) WHERE expires_at IS NOT NULL;
    CREATE TABLE dynamodb_entry (
        index_id INTEGER NOT NULL REFERENCES dynamodb_index ON DELETE CASCADE, hash BLOB NOT NULL,
        range BLOB NOT NULL, base BLOB NOT NULL, item_id INTEGER NOT NULL,
        PRIMARY KEY (index_id, hash, range, base)
    ) WITHOUT ROWID;
    CREATE TABLE dynamodb_token (
        account_id TEXT NOT NULL, region TEXT NOT NULL, token TEXT NOT NULL, digest TEXT NOT NULL,
        ends_at REAL NOT NULL, PRIMARY KEY (account_id, region, token)
    );
    CREATE INDEX dynamodb_token_end ON dynamodb_token (ends_at);
    """,
    """
    CREATE TABLE dynamodb_backup (
        id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL, region TEXT NOT NULL,
        arn TEXT NOT NULL UNIQUE, name TEXT NOT NULL, table_name TEXT NOT NULL, table_id TEXT NOT NULL,
        table_created_at REAL NOT NULL, created_at REAL NOT NULL, items INTEGER NOT NULL, bytes INTEGER NOT NULL,
        definition TEXT NOT NULL
    );
    CREATE TABLE dynamodb_backup_item (
        id INTEGER PRIMARY KEY, backup_id INTEGER NOT NULL REFERENCES dynamodb_backup ON DELETE CASCADE,
        hash BLOB NOT NULL, range BLOB NOT NULL, size INTEGER NOT NULL, item TEXT NOT NULL
    );
    CREATE INDEX dynamodb_backup_item_backup ON dynamodb_backup_item (backup_id);
    """,
    """
    ALTER TABLE dynamodb_table ADD COLUMN recovery_days INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE dynamodb_table ADD COLUMN recovery_since REAL NOT NULL DEFAULT 0;
    CREATE INDEX dynamodb_table_recovery ON dynamodb_table (recovery_since) WHERE recovery_since > 0;
    CREATE TABLE dynamodb_change (
        id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL REFERENCES dynamodb_table ON DELETE CASCADE,
        at REAL NOT NULL, hash BLOB NOT NULL, range BLOB NOT NULL, size INTEGER NOT NULL, item TEXT
    );
    CREATE INDEX dynamodb_change_at ON dynamodb_change (table_id, at);
    ALTER TABLE dynamodb_backup ADD COLUMN type TEXT NOT NULL DEFAULT 'USER';
    ALTER TABLE dynamodb_backup ADD COLUMN expires_at REAL;
    CREATE INDEX dynamodb_backup_end ON dynamodb_backup (expires_at) WHERE expires_at IS NOT NULL;
    """,
    """
    CREATE TABLE dynamodb_transfer (
        id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, account_id TEXT NOT NULL, region TEXT NOT NULL,
        arn TEXT NOT NULL UNIQUE, table_arn TEXT NOT NULL, token TEXT NOT NULL, digest TEXT NOT NULL,
        principal TEXT NOT NULL, cause TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL,
        description TEXT NOT NULL
    );
    CREATE INDEX dynamodb_transfer_of ON dynamodb_transfer (account_id, region, kind);
    """,
)
