"""SQS's tables. All times are platform-clock seconds.

Queues have ids from `sqs_queue_number`, which gives each once: a request that waits for its turn holds one, and so does
whoever has a receipt handle.

`sqs_message.sequence` orders the messages of a queue; `visible_at` says when a message may be received (again). `leads`
is 1 for the first message that a group of a FIFO queue still has: a receive looks at the groups, not at their backlogs.
"""

SCHEMA = (
    """
    CREATE TABLE sqs_queue (
        id INTEGER PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
        created_at REAL NOT NULL, modified_at REAL NOT NULL, purged_at REAL NOT NULL, attributes TEXT NOT NULL,
        tags TEXT NOT NULL, UNIQUE (account_id, region, name)
    );
    CREATE TABLE sqs_message (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT, queue_id INTEGER NOT NULL REFERENCES sqs_queue ON DELETE CASCADE,
        id TEXT NOT NULL, body TEXT NOT NULL, body_md5 TEXT NOT NULL, attributes TEXT NOT NULL,
        attributes_md5 TEXT NOT NULL, sender_id TEXT NOT NULL, trace_header TEXT NOT NULL, group_id TEXT NOT NULL,
        deduplication_id TEXT NOT NULL, source_arn TEXT NOT NULL, sent_at REAL NOT NULL, visible_at REAL NOT NULL,
        receives INTEGER NOT NULL, first_received_at REAL NOT NULL, receipt TEXT NOT NULL
    );
    CREATE INDEX sqs_message_order ON sqs_message (queue_id, sequence);
    CREATE INDEX sqs_message_due ON sqs_message (queue_id, visible_at, sequence);
    CREATE INDEX sqs_message_group ON sqs_message (queue_id, group_id, sequence) WHERE group_id != '';
    CREATE INDEX sqs_message_age ON sqs_message (queue_id, sent_at);
    CREATE TABLE sqs_deduplication (
        queue_id INTEGER NOT NULL REFERENCES sqs_queue ON DELETE CASCADE, key TEXT NOT NULL, message_id TEXT NOT NULL,
        sequence INTEGER NOT NULL, ends_at REAL NOT NULL, PRIMARY KEY (queue_id, key)
    );
    CREATE TABLE sqs_attempt (
        queue_id INTEGER NOT NULL REFERENCES sqs_queue ON DELETE CASCADE, id TEXT NOT NULL, sequences TEXT NOT NULL,
        ends_at REAL NOT NULL, PRIMARY KEY (queue_id, id)
    );
    CREATE TABLE sqs_move_task (
        id TEXT PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL, source_arn TEXT NOT NULL,
        destination_arn TEXT NOT NULL, rate INTEGER NOT NULL, status TEXT NOT NULL, failure TEXT NOT NULL,
        to_move INTEGER NOT NULL, moved INTEGER NOT NULL, started_at REAL NOT NULL
    );
    CREATE INDEX sqs_move_task_source ON sqs_move_task (source_arn, started_at);
    """,
    """
    ALTER TABLE sqs_message ADD COLUMN leads INTEGER NOT NULL DEFAULT 0;
    UPDATE sqs_message SET leads = 1 WHERE sequence IN (
        SELECT MIN(message.sequence) FROM sqs_message AS message JOIN sqs_queue AS queue ON queue.id = message.queue_id
        WHERE message.group_id != '' AND queue.name LIKE '%.fifo' GROUP BY message.queue_id, message.group_id);
    CREATE INDEX sqs_message_leads ON sqs_message (queue_id, sequence, visible_at) WHERE leads = 1;
    CREATE INDEX sqs_deduplication_end ON sqs_deduplication (ends_at);
    """,
    "ALTER TABLE sqs_message ADD COLUMN received_at REAL NOT NULL DEFAULT 0",
    """
    CREATE TABLE sqs_queue_number (id INTEGER PRIMARY KEY AUTOINCREMENT);
    INSERT INTO sqs_queue_number (id) SELECT id FROM sqs_queue;
    DELETE FROM sqs_queue_number;
    """,
)
