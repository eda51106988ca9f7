"""X-Ray's tables: segments, telemetry and sampling statistics in the journal file; rules and groups in state.db.

`created_at` is the time in the trace's id, `received_at` the platform clock's at the arrival, `started_at` the
document's own.
"""

SCHEMA = (
    """
    CREATE TABLE xray_rule (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        rule TEXT NOT NULL,
        tags TEXT NOT NULL,
        created_at REAL NOT NULL,
        modified_at REAL NOT NULL,
        PRIMARY KEY (account_id, region, name)
    );
    CREATE TABLE xray_group (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        arn TEXT NOT NULL,
        filter TEXT NOT NULL,
        insights TEXT NOT NULL,
        tags TEXT NOT NULL,
        PRIMARY KEY (account_id, region, name)
    );
    """,
)
JOURNAL_SCHEMA = (
    """
    CREATE TABLE xray_segment (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        trace_id TEXT NOT NULL,
        id TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        received_at REAL NOT NULL,
        started_at REAL NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (account_id, region, trace_id, id)
    );
    CREATE INDEX xray_segment_by_creation ON xray_segment (account_id, region, created_at);
    CREATE INDEX xray_segment_by_arrival ON xray_segment (received_at);
    CREATE TABLE xray_telemetry (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        received_at REAL NOT NULL,
        record TEXT NOT NULL
    );
    CREATE TABLE xray_statistics (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        rule TEXT NOT NULL,
        at REAL NOT NULL,
        requests INTEGER NOT NULL,
        borrowed INTEGER NOT NULL,
        sampled INTEGER NOT NULL
    );
    CREATE INDEX xray_statistics_by_rule ON xray_statistics (account_id, region, rule, at);
    """,
    "CREATE INDEX xray_segment_by_start ON xray_segment (account_id, region, started_at);",
)
