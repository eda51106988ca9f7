"""SNS's tables. All times are platform-clock seconds.

A published message is not kept: what is left of it are the deliveries to the subscriptions and the rows of the local
outbox, which stands for mail, SMS and push services. `confirmed_at` is 0 while a subscription is pending. Topics have
ids from `sns_topic_number`, which gives each once: a request that waits for its turn holds one.
"""

SCHEMA = (
    """
    CREATE TABLE sns_topic (
        id INTEGER PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
        created_at REAL NOT NULL, attributes TEXT NOT NULL, tags TEXT NOT NULL, sequence INTEGER NOT NULL,
        deleted_subscriptions INTEGER NOT NULL, UNIQUE (account_id, region, name)
    );
    CREATE TABLE sns_subscription (
        id TEXT PRIMARY KEY, topic_id INTEGER NOT NULL REFERENCES sns_topic ON DELETE CASCADE, topic_arn TEXT NOT NULL,
        account_id TEXT NOT NULL, region TEXT NOT NULL, protocol TEXT NOT NULL, endpoint TEXT NOT NULL,
        attributes TEXT NOT NULL, principal TEXT NOT NULL, token TEXT NOT NULL, created_at REAL NOT NULL,
        confirmed_at REAL NOT NULL, confirmed_by TEXT NOT NULL, base_url TEXT NOT NULL, from_sandbox INTEGER NOT NULL,
        needs_authentication INTEGER NOT NULL, UNIQUE (topic_id, protocol, endpoint)
    );
    CREATE INDEX sns_subscription_owner ON sns_subscription (account_id, region, topic_arn, id);
    CREATE TABLE sns_deduplication (
        topic_id INTEGER NOT NULL REFERENCES sns_topic ON DELETE CASCADE, key TEXT NOT NULL, message_id TEXT NOT NULL,
        sequence INTEGER NOT NULL, ends_at REAL NOT NULL, PRIMARY KEY (topic_id, key)
    );
    CREATE INDEX sns_deduplication_end ON sns_deduplication (ends_at);
    CREATE TABLE sns_outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL, region TEXT NOT NULL, at REAL NOT NULL,
        protocol TEXT NOT NULL, destination TEXT NOT NULL, message_id TEXT NOT NULL, topic_arn TEXT NOT NULL,
        subject TEXT NOT NULL, body TEXT NOT NULL, attributes TEXT NOT NULL
    );
    CREATE TABLE sns_application (
        arn TEXT PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL, platform TEXT NOT NULL,
        name TEXT NOT NULL, attributes TEXT NOT NULL
    );
    CREATE INDEX sns_application_owner ON sns_application (account_id, region, arn);
    CREATE TABLE sns_endpoint (
        arn TEXT PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL,
        application_arn TEXT NOT NULL REFERENCES sns_application ON DELETE CASCADE, token TEXT NOT NULL,
        attributes TEXT NOT NULL, UNIQUE (application_arn, token)
    );
    CREATE TABLE sns_opted_out (
        account_id TEXT NOT NULL, region TEXT NOT NULL, phone_number TEXT NOT NULL,
        PRIMARY KEY (account_id, region, phone_number)
    );
    CREATE TABLE sns_sms_settings (
        account_id TEXT NOT NULL, region TEXT NOT NULL, attributes TEXT NOT NULL, PRIMARY KEY (account_id, region)
    );
    CREATE TABLE sns_signer (
        account_id TEXT NOT NULL, region TEXT NOT NULL, private_key BLOB NOT NULL, certificate BLOB NOT NULL,
        PRIMARY KEY (account_id, region)
    );
    """,
    """
    CREATE TABLE sns_sandbox_number (
        account_id TEXT NOT NULL, region TEXT NOT NULL, phone_number TEXT NOT NULL, password TEXT NOT NULL,
        made_at REAL NOT NULL, status TEXT NOT NULL, PRIMARY KEY (account_id, region, phone_number)
    );
    """,
    """
    CREATE TABLE sns_invalid_token (
        application_arn TEXT NOT NULL REFERENCES sns_application ON DELETE CASCADE, token TEXT NOT NULL,
        PRIMARY KEY (application_arn, token)
    );
    """,
    """
    CREATE TABLE sns_topic_number (id INTEGER PRIMARY KEY AUTOINCREMENT);
    INSERT INTO sns_topic_number (id) SELECT id FROM sns_topic;
    DELETE FROM sns_topic_number;
    """,
)
