"""Tables in the journal file: groups, streams and events; in state.db: what is configured. Only ever appended to.

A stream's key is drawn at its creation, so that a stream of the same name made later never shows earlier events.
`logs_purge` holds keys of deleted streams whose events are still to be removed.
"""

SCHEMA = (
    """
    CREATE TABLE logs_subscription_filter (
        account_id TEXT NOT NULL, region TEXT NOT NULL, group_name TEXT NOT NULL, name TEXT NOT NULL,
        created_ms INTEGER NOT NULL, pattern TEXT NOT NULL, destination_arn TEXT NOT NULL, role_arn TEXT NOT NULL,
        distribution TEXT NOT NULL, PRIMARY KEY (account_id, region, group_name, name)
    );
    """,
    """
    CREATE TABLE logs_metric_filter (
        account_id TEXT NOT NULL, region TEXT NOT NULL, group_name TEXT NOT NULL, name TEXT NOT NULL,
        created_ms INTEGER NOT NULL, pattern TEXT NOT NULL, transformation TEXT NOT NULL,
        PRIMARY KEY (account_id, region, group_name, name)
    );
    """,
    """
    CREATE TABLE logs_query_definition (
        account_id TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, query TEXT NOT NULL,
        groups TEXT NOT NULL, modified_ms INTEGER NOT NULL, client_token TEXT NOT NULL,
        PRIMARY KEY (account_id, region, id)
    );
    """,
    """
    CREATE TABLE logs_destination (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, target_arn TEXT NOT NULL,
        role_arn TEXT NOT NULL, created_ms INTEGER NOT NULL, policy TEXT NOT NULL,
        PRIMARY KEY (account_id, region, name)
    );
    """,
    """
    CREATE TABLE logs_export_task (
        account_id TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL,
        group_name TEXT NOT NULL, stream_prefix TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,
        bucket TEXT NOT NULL, prefix TEXT NOT NULL, created_ms INTEGER NOT NULL, status TEXT NOT NULL,
        message TEXT NOT NULL, completed_ms INTEGER NOT NULL
    );
    """,
    """
    CREATE TABLE logs_resource_policy (
        account_id TEXT NOT NULL, region TEXT NOT NULL, scope TEXT NOT NULL, key TEXT NOT NULL,
        document TEXT NOT NULL, updated_ms INTEGER NOT NULL, revision TEXT NOT NULL,
        PRIMARY KEY (account_id, region, scope, key)
    );
    """,
)

JOURNAL_SCHEMA = (
    """
    CREATE TABLE logs_group (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        retention_days INTEGER,
        tags TEXT NOT NULL,
        class TEXT NOT NULL,
        kms_key TEXT NOT NULL,
        stored_bytes INTEGER NOT NULL,
        PRIMARY KEY (account_id, region, name)
    );
    CREATE TABLE logs_stream (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        group_name TEXT NOT NULL,
        name TEXT NOT NULL,
        key INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        PRIMARY KEY (account_id, region, group_name, name)
    );
    CREATE TABLE logs_event (
        id INTEGER PRIMARY KEY,
        stream_key INTEGER NOT NULL,
        timestamp_ms INTEGER NOT NULL,
        ingested_ms INTEGER NOT NULL,
        message TEXT NOT NULL
    );
    CREATE INDEX logs_event_by_time ON logs_event (stream_key, timestamp_ms);
    CREATE TABLE logs_purge (stream_key INTEGER PRIMARY KEY);
    """,
)
