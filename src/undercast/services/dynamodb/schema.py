"""DynamoDB's tables.

An item is a row of its own; its key is in an index that is in DynamoDB's order: by the hash of the partition key, the
partition key, the sort key. An entry of a secondary index points to its item. Times are platform-clock seconds.
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
)
