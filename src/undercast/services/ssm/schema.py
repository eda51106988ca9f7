"""Parameter Store's tables: a row per parameter, a row per version. Values of SecureStrings are KMS's ciphertext.

`due_at` is when the next of the parameter's policies is to be applied.
It was of Expiration alone before the third step: 0 has the first round behind it find the time of all.
"""

SCHEMA = (
    """
    CREATE TABLE ssm_parameter (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
        tags TEXT NOT NULL, expires_at REAL, PRIMARY KEY (account_id, region, name)
    );
    CREATE INDEX ssm_parameter_expiry ON ssm_parameter (expires_at) WHERE expires_at IS NOT NULL;
    CREATE TABLE ssm_version (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
        value TEXT NOT NULL, type TEXT NOT NULL, key_id TEXT NOT NULL, data_key TEXT NOT NULL,
        data_type TEXT NOT NULL, tier TEXT NOT NULL, description TEXT NOT NULL, allowed_pattern TEXT NOT NULL,
        policies TEXT NOT NULL, labels TEXT NOT NULL, modified_at REAL NOT NULL, modified_by TEXT NOT NULL,
        PRIMARY KEY (account_id, region, name, version)
    );
    """,
    """
    ALTER TABLE ssm_parameter RENAME COLUMN expires_at TO due_at;
    ALTER TABLE ssm_version ADD COLUMN applied TEXT NOT NULL DEFAULT '[]';
    """,
    """
    UPDATE ssm_parameter SET due_at = 0 WHERE EXISTS (
        SELECT 1 FROM ssm_version WHERE ssm_version.account_id = ssm_parameter.account_id
        AND ssm_version.region = ssm_parameter.region AND ssm_version.name = ssm_parameter.name
        AND ssm_version.version = ssm_parameter.version AND ssm_version.policies <> ''
    );
    """,
)
