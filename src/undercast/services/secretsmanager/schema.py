"""Secrets Manager's tables: a row per secret, a row per version. Values are sealed with a data key of KMS each."""

SCHEMA = (
    """
    CREATE TABLE secretsmanager_secret (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, suffix TEXT NOT NULL,
        description TEXT NOT NULL, kms_key_id TEXT NOT NULL, tags TEXT NOT NULL, policy TEXT NOT NULL,
        created_at REAL NOT NULL, changed_at REAL NOT NULL, accessed_at REAL, deleted_at REAL, ends_at REAL,
        rotation_lambda TEXT NOT NULL, rotation_rules TEXT NOT NULL, rotated_at REAL, rotates_at REAL,
        rotating TEXT NOT NULL, PRIMARY KEY (account_id, region, name)
    );
    CREATE TABLE secretsmanager_version (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL,
        blob BLOB NOT NULL, data_key BLOB NOT NULL, digest TEXT NOT NULL, stages TEXT NOT NULL,
        created_at REAL NOT NULL, accessed_at REAL, ord INTEGER NOT NULL,
        PRIMARY KEY (account_id, region, name, id)
    );
    """,
    """
    ALTER TABLE secretsmanager_secret ADD COLUMN primary_region TEXT NOT NULL DEFAULT '';
    CREATE TABLE secretsmanager_replica (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, replica_region TEXT NOT NULL,
        kms_key_id TEXT NOT NULL, status TEXT NOT NULL, message TEXT NOT NULL,
        PRIMARY KEY (account_id, region, name, replica_region)
    );
    """,
    """
    ALTER TABLE secretsmanager_secret ADD COLUMN testing TEXT NOT NULL DEFAULT '';
    """,
)
