-- version causality 2
-- version cloudwatch 1
-- version iam 1
-- version logs 1
-- version xray 2
CREATE TABLE causal_edge (
        account_id TEXT NOT NULL, region TEXT NOT NULL, ord INTEGER PRIMARY KEY, at REAL NOT NULL,
        from_kind TEXT NOT NULL, from_id TEXT NOT NULL, to_kind TEXT NOT NULL, to_id TEXT NOT NULL,
        label TEXT NOT NULL, environment_id TEXT NOT NULL
    , from_label TEXT NOT NULL DEFAULT '');
CREATE INDEX causal_edge_from ON causal_edge (from_id);
CREATE INDEX causal_edge_to ON causal_edge (to_id);
CREATE TABLE cloudwatch_series (
        key INTEGER PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL, namespace TEXT NOT NULL,
        name TEXT NOT NULL, dimensions TEXT NOT NULL
    );
CREATE INDEX cloudwatch_series_name ON cloudwatch_series (account_id, region, namespace, name);
CREATE TABLE cloudwatch_point (
        series INTEGER NOT NULL, at INTEGER NOT NULL, width INTEGER NOT NULL, unit TEXT NOT NULL,
        count REAL NOT NULL, total REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL, sample TEXT,
        PRIMARY KEY (series, at, width, unit)
    ) WITHOUT ROWID;
CREATE INDEX cloudwatch_point_age ON cloudwatch_point (width, at);
CREATE TABLE iam_key_use (
        account_id TEXT NOT NULL, access_key_id TEXT NOT NULL PRIMARY KEY, used_at REAL NOT NULL,
        service TEXT NOT NULL, region TEXT NOT NULL
    );
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
CREATE INDEX xray_segment_by_start ON xray_segment (account_id, region, started_at);
