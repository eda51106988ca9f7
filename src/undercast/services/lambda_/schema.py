"""Lambda's tables in state.db. Each string is one migration; they are only ever appended to."""

SCHEMA = (
    """
    CREATE TABLE lambda_function (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        tags TEXT NOT NULL,
        reserved_concurrency INTEGER,
        recursive_loop TEXT NOT NULL,
        PRIMARY KEY (account_id, region, name)
    );
    CREATE TABLE lambda_last_number (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (account_id, region, name)
    );
    CREATE TABLE lambda_version (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        number INTEGER NOT NULL,
        configuration TEXT NOT NULL,
        code_sha256 TEXT NOT NULL,
        code_size INTEGER NOT NULL,
        revision_id TEXT NOT NULL,
        modified_at REAL NOT NULL,
        state TEXT NOT NULL,
        state_reason TEXT NOT NULL,
        update_status TEXT NOT NULL,
        update_reason TEXT NOT NULL,
        PRIMARY KEY (account_id, region, name, number)
    );
    CREATE INDEX lambda_version_by_code ON lambda_version (code_sha256);
    CREATE TABLE lambda_alias (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        alias TEXT NOT NULL,
        version TEXT NOT NULL,
        description TEXT NOT NULL,
        weights TEXT NOT NULL,
        revision_id TEXT NOT NULL,
        PRIMARY KEY (account_id, region, name, alias)
    );
    CREATE TABLE lambda_policy (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        qualifier TEXT NOT NULL,
        statements TEXT NOT NULL,
        revision_id TEXT NOT NULL,
        PRIMARY KEY (account_id, region, name, qualifier)
    );
    CREATE TABLE lambda_event_invoke_config (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        qualifier TEXT NOT NULL,
        configuration TEXT NOT NULL,
        modified_at REAL NOT NULL,
        PRIMARY KEY (account_id, region, name, qualifier)
    );
    """,
    """
    CREATE TABLE lambda_layer (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        last_version INTEGER NOT NULL,
        PRIMARY KEY (account_id, region, name)
    );
    CREATE TABLE lambda_layer_version (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        version INTEGER NOT NULL,
        configuration TEXT NOT NULL,
        code_sha256 TEXT NOT NULL,
        code_size INTEGER NOT NULL,
        unzipped_bytes INTEGER NOT NULL,
        created_at REAL NOT NULL,
        statements TEXT NOT NULL,
        policy_revision_id TEXT NOT NULL,
        PRIMARY KEY (account_id, region, name, version)
    );
    CREATE TABLE lambda_function_layer (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        number INTEGER NOT NULL,
        position INTEGER NOT NULL,
        layer_arn TEXT NOT NULL,
        code_sha256 TEXT NOT NULL,
        code_size INTEGER NOT NULL,
        unzipped_bytes INTEGER NOT NULL,
        PRIMARY KEY (account_id, region, name, number, position)
    );
    CREATE INDEX lambda_function_layer_by_code ON lambda_function_layer (code_sha256);
    ALTER TABLE lambda_version ADD COLUMN unzipped_bytes INTEGER NOT NULL DEFAULT 0;
    """,
    """
    CREATE TABLE lambda_provisioned (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        qualifier TEXT NOT NULL,
        requested INTEGER NOT NULL,
        modified_at REAL NOT NULL,
        PRIMARY KEY (account_id, region, name, qualifier)
    );
    """,
    """
    CREATE TABLE lambda_code_signing_config (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        id TEXT NOT NULL,
        configuration TEXT NOT NULL,
        tags TEXT NOT NULL,
        modified_at REAL NOT NULL,
        PRIMARY KEY (account_id, region, id)
    );
    CREATE TABLE lambda_function_signing (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        config_arn TEXT NOT NULL,
        PRIMARY KEY (account_id, region, name)
    );
    CREATE TABLE lambda_runtime_management (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        qualifier TEXT NOT NULL,
        update_on TEXT NOT NULL,
        version_arn TEXT NOT NULL,
        PRIMARY KEY (account_id, region, name, qualifier)
    );
    """,
    """
    CREATE TABLE lambda_url (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        qualifier TEXT NOT NULL,
        id TEXT NOT NULL,
        configuration TEXT NOT NULL,
        created_at REAL NOT NULL,
        modified_at REAL NOT NULL,
        PRIMARY KEY (account_id, region, name, qualifier)
    );
    CREATE UNIQUE INDEX lambda_url_by_id ON lambda_url (id);
    """,
    """
    ALTER TABLE lambda_version ADD COLUMN code_folder TEXT NOT NULL DEFAULT '';
    """,
    """
    CREATE TABLE lambda_event_source_mapping (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        id TEXT NOT NULL,
        source_arn TEXT NOT NULL,
        function_arn TEXT NOT NULL,
        configuration TEXT NOT NULL,
        enabled INTEGER NOT NULL,
        state TEXT NOT NULL,
        tags TEXT NOT NULL,
        modified_at REAL NOT NULL,
        PRIMARY KEY (account_id, region, id)
    );
    """,
    """
    CREATE TABLE lambda_event_source_position (
        id TEXT NOT NULL PRIMARY KEY,
        shard_id TEXT NOT NULL,
        sequence TEXT NOT NULL
    );
    """,
    """
    CREATE TABLE lambda_image (
        name TEXT NOT NULL PRIMARY KEY,
        image TEXT NOT NULL,
        loaded_at REAL NOT NULL
    );
    ALTER TABLE lambda_version ADD COLUMN image TEXT NOT NULL DEFAULT '';
    """,
    """
    CREATE TABLE lambda_event_source_progress (
        id TEXT NOT NULL, shard_id TEXT NOT NULL, factor INTEGER NOT NULL, lane INTEGER NOT NULL,
        sequence TEXT NOT NULL, since REAL NOT NULL, ended INTEGER NOT NULL, window_start REAL NOT NULL,
        state TEXT NOT NULL, PRIMARY KEY (id, shard_id, factor, lane)
    );
    INSERT INTO lambda_event_source_progress
        (id, shard_id, factor, lane, sequence, since, ended, window_start, state)
        SELECT id, shard_id, 1, 0, sequence, 0, 0, 0, '' FROM lambda_event_source_position WHERE shard_id <> '';
    DROP TABLE lambda_event_source_position;
    """,
)
