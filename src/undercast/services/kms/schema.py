"""KMS's tables. Key material lies in the data folder, which is its owner's alone; all times are platform-clock seconds.

A key has one row of material for each rotation; the newest encrypts, all decrypt.
"""

SCHEMA = (
    """
    CREATE TABLE kms_key (
        account_id TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, spec TEXT NOT NULL, usage TEXT NOT NULL,
        description TEXT NOT NULL, policy TEXT NOT NULL, tags TEXT NOT NULL, state TEXT NOT NULL,
        manager TEXT NOT NULL, created_at REAL NOT NULL, deletion_at REAL, multi_region INTEGER NOT NULL,
        rotation_days INTEGER NOT NULL, rotates_at REAL, PRIMARY KEY (account_id, region, id)
    );
    CREATE TABLE kms_material (
        key_id TEXT NOT NULL, number INTEGER NOT NULL, secret BLOB NOT NULL, made_at REAL NOT NULL,
        reason TEXT NOT NULL, PRIMARY KEY (key_id, number)
    );
    CREATE TABLE kms_alias (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, key_id TEXT NOT NULL,
        created_at REAL NOT NULL, updated_at REAL NOT NULL, PRIMARY KEY (account_id, region, name)
    );
    CREATE INDEX kms_alias_key ON kms_alias (key_id);
    CREATE TABLE kms_grant (
        account_id TEXT NOT NULL, region TEXT NOT NULL, id TEXT PRIMARY KEY, key_id TEXT NOT NULL, token TEXT NOT NULL,
        name TEXT NOT NULL, grantee TEXT NOT NULL, retiring TEXT NOT NULL, operations TEXT NOT NULL,
        constraints TEXT NOT NULL, created_at REAL NOT NULL
    );
    CREATE INDEX kms_grant_key ON kms_grant (key_id, id);
    CREATE INDEX kms_grant_token ON kms_grant (token);
    """,
    """
    CREATE INDEX kms_grant_grantee ON kms_grant (key_id, grantee, id);
    CREATE INDEX kms_grant_retiring ON kms_grant (account_id, region, retiring, id);
    """,
)
