"""Tables of IAM. Everything that hangs on an entity names it by its unique id, so that a rename touches one row.

IAM is global: rows are kept per account. Names are compared without case, so each has a folded twin.
"""

SCHEMA = (
    """
    CREATE TABLE iam_entity (
        account_id TEXT NOT NULL, kind TEXT NOT NULL, folded_name TEXT NOT NULL,
        id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, path TEXT NOT NULL, created_at REAL NOT NULL,
        trust_policy TEXT NOT NULL, description TEXT NOT NULL, max_session_s INTEGER NOT NULL, boundary_arn TEXT,
        PRIMARY KEY (account_id, kind, folded_name)
    );
    CREATE TABLE iam_inline_policy (
        account_id TEXT NOT NULL, owner_id TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL,
        PRIMARY KEY (owner_id, name)
    );
    CREATE TABLE iam_attachment (
        account_id TEXT NOT NULL, owner_id TEXT NOT NULL, policy_arn TEXT NOT NULL, position INTEGER NOT NULL,
        PRIMARY KEY (owner_id, policy_arn)
    );
    CREATE INDEX iam_attachment_policy ON iam_attachment (account_id, policy_arn);
    CREATE TABLE iam_policy (
        account_id TEXT NOT NULL, folded_name TEXT NOT NULL, id TEXT NOT NULL UNIQUE, arn TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL, path TEXT NOT NULL, description TEXT NOT NULL, default_version INTEGER NOT NULL,
        latest_version INTEGER NOT NULL, created_at REAL NOT NULL, updated_at REAL NOT NULL,
        PRIMARY KEY (account_id, folded_name)
    );
    CREATE TABLE iam_policy_version (
        account_id TEXT NOT NULL, policy_id TEXT NOT NULL, version INTEGER NOT NULL, document TEXT NOT NULL,
        created_at REAL NOT NULL,
        PRIMARY KEY (policy_id, version)
    );
    CREATE TABLE iam_membership (
        account_id TEXT NOT NULL, group_id TEXT NOT NULL, user_id TEXT NOT NULL,
        PRIMARY KEY (group_id, user_id)
    );
    CREATE INDEX iam_membership_user ON iam_membership (user_id);
    CREATE TABLE iam_access_key (
        account_id TEXT NOT NULL, access_key_id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL,
        secret TEXT NOT NULL, status TEXT NOT NULL, created_at REAL NOT NULL
    );
    CREATE INDEX iam_access_key_user ON iam_access_key (user_id);
    CREATE TABLE iam_instance_profile (
        account_id TEXT NOT NULL, folded_name TEXT NOT NULL, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
        path TEXT NOT NULL, created_at REAL NOT NULL, role_id TEXT,
        PRIMARY KEY (account_id, folded_name)
    );
    CREATE TABLE iam_tag (
        account_id TEXT NOT NULL, owner_id TEXT NOT NULL, folded_key TEXT NOT NULL, key TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (owner_id, folded_key)
    );
    CREATE TABLE iam_account_alias (account_id TEXT NOT NULL PRIMARY KEY, alias TEXT NOT NULL UNIQUE);
    """,
)

JOURNAL_SCHEMA = (
    """
    CREATE TABLE iam_key_use (
        account_id TEXT NOT NULL, access_key_id TEXT NOT NULL PRIMARY KEY, used_at REAL NOT NULL,
        service TEXT NOT NULL, region TEXT NOT NULL
    );
    """,
)
"""When a key was last used may be lost with the journal's last batch; AWS itself reports it late."""
