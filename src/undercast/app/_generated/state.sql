-- version blob 1
-- version causality 2
-- version clock 2
-- version cloudwatch 3
-- version dynamodb 4
-- version dynamodbstreams 2
-- version event 4
-- version events 4
-- version iam 1
-- version kinesis 1
-- version kms 2
-- version lambda 10
-- version logs 6
-- version pipes 1
-- version s3 2
-- version scheduler 2
-- version secretsmanager 3
-- version sns 4
-- version sqs 4
-- version ssm 3
-- version sts 1
-- version xray 1
CREATE TABLE blob (id TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, refs INTEGER NOT NULL, body BLOB);
CREATE TABLE event_delivery (
        account_id TEXT NOT NULL, region TEXT NOT NULL, id TEXT PRIMARY KEY, ord INTEGER NOT NULL,
        target_arn TEXT NOT NULL, kind TEXT NOT NULL, due_at REAL NOT NULL, payload BLOB NOT NULL,
        created_at REAL NOT NULL, cause_kind TEXT NOT NULL, cause_id TEXT NOT NULL, cause_environment_id TEXT,
        source_arn TEXT NOT NULL, attributes TEXT NOT NULL, attempts INTEGER NOT NULL, throttles INTEGER NOT NULL
    , message_group TEXT NOT NULL DEFAULT '');
CREATE INDEX event_delivery_due ON event_delivery (target_arn, message_group, due_at, ord, id);
CREATE TABLE event_dead (
        account_id TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL UNIQUE, ord INTEGER PRIMARY KEY,
        target_arn TEXT NOT NULL, kind TEXT NOT NULL, payload BLOB NOT NULL, created_at REAL NOT NULL,
        cause_kind TEXT NOT NULL, cause_id TEXT NOT NULL, cause_environment_id TEXT, source_arn TEXT NOT NULL,
        attributes TEXT NOT NULL, tries INTEGER NOT NULL, reason TEXT NOT NULL, given_up_at REAL NOT NULL,
        sent_to TEXT NOT NULL
    );
CREATE TABLE causal_edge (
        account_id TEXT NOT NULL, region TEXT NOT NULL, ord INTEGER PRIMARY KEY, at REAL NOT NULL,
        from_kind TEXT NOT NULL, from_id TEXT NOT NULL, to_kind TEXT NOT NULL, to_id TEXT NOT NULL,
        label TEXT NOT NULL, environment_id TEXT NOT NULL
    , from_label TEXT NOT NULL DEFAULT '');
CREATE INDEX causal_edge_from ON causal_edge (from_id);
CREATE INDEX causal_edge_to ON causal_edge (to_id);
CREATE TABLE clock (id INTEGER PRIMARY KEY, offset_s REAL NOT NULL);
CREATE TABLE clock_jump (id INTEGER PRIMARY KEY, begins_at REAL NOT NULL, ends_at REAL NOT NULL);
CREATE TABLE cloudwatch_alarm (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL, settings TEXT NOT NULL,
        actions_enabled INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, reason_data TEXT NOT NULL,
        updated_at REAL NOT NULL, transitioned_at REAL NOT NULL, configured_at REAL NOT NULL, tags TEXT NOT NULL, suppression TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (account_id, region, name)
    );
CREATE TABLE cloudwatch_alarm_history (
        id INTEGER PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,
        at REAL NOT NULL, type TEXT NOT NULL, summary TEXT NOT NULL, data TEXT NOT NULL
    );
CREATE INDEX cloudwatch_alarm_history_at ON cloudwatch_alarm_history (account_id, region, at);
CREATE TABLE cloudwatch_dashboard (
        account_id TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, modified_at REAL NOT NULL, tags TEXT NOT NULL,
        PRIMARY KEY (account_id, name)
    );
CREATE TABLE cloudwatch_detector (
        account_id TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, definition TEXT NOT NULL,
        PRIMARY KEY (account_id, region, id)
    );
CREATE TABLE dynamodb_table (
        id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
        table_id TEXT NOT NULL, created_at REAL NOT NULL, definition TEXT NOT NULL, tags TEXT NOT NULL,
        ttl_attribute TEXT NOT NULL, ttl_changed_at REAL NOT NULL, recovery_days INTEGER NOT NULL DEFAULT 0, recovery_since REAL NOT NULL DEFAULT 0, UNIQUE (account_id, region, name)
    );
CREATE TABLE dynamodb_index (
        id INTEGER PRIMARY KEY AUTOINCREMENT, table_id INTEGER NOT NULL REFERENCES dynamodb_table ON DELETE CASCADE,
        name TEXT NOT NULL, UNIQUE (table_id, name)
    );
CREATE TABLE dynamodb_item (
        id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL REFERENCES dynamodb_table ON DELETE CASCADE,
        hash BLOB NOT NULL, range BLOB NOT NULL, size INTEGER NOT NULL, expires_at INTEGER, item TEXT NOT NULL
    );
CREATE UNIQUE INDEX dynamodb_item_key ON dynamodb_item (table_id, hash, range);
CREATE INDEX dynamodb_item_expiry ON dynamodb_item (table_id, expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE dynamodb_entry (
        index_id INTEGER NOT NULL REFERENCES dynamodb_index ON DELETE CASCADE, hash BLOB NOT NULL,
        range BLOB NOT NULL, base BLOB NOT NULL, item_id INTEGER NOT NULL,
        PRIMARY KEY (index_id, hash, range, base)
    ) WITHOUT ROWID;
CREATE TABLE dynamodb_token (
        account_id TEXT NOT NULL, region TEXT NOT NULL, token TEXT NOT NULL, digest TEXT NOT NULL,
        ends_at REAL NOT NULL, PRIMARY KEY (account_id, region, token)
    );
CREATE INDEX dynamodb_token_end ON dynamodb_token (ends_at);
CREATE TABLE dynamodb_backup (
        id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL, region TEXT NOT NULL,
        arn TEXT NOT NULL UNIQUE, name TEXT NOT NULL, table_name TEXT NOT NULL, table_id TEXT NOT NULL,
        table_created_at REAL NOT NULL, created_at REAL NOT NULL, items INTEGER NOT NULL, bytes INTEGER NOT NULL,
        definition TEXT NOT NULL
    , type TEXT NOT NULL DEFAULT 'USER', expires_at REAL);
CREATE TABLE dynamodb_backup_item (
        id INTEGER PRIMARY KEY, backup_id INTEGER NOT NULL REFERENCES dynamodb_backup ON DELETE CASCADE,
        hash BLOB NOT NULL, range BLOB NOT NULL, size INTEGER NOT NULL, item TEXT NOT NULL
    );
CREATE INDEX dynamodb_backup_item_backup ON dynamodb_backup_item (backup_id);
CREATE INDEX dynamodb_table_recovery ON dynamodb_table (recovery_since) WHERE recovery_since > 0;
CREATE TABLE dynamodb_change (
        id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL REFERENCES dynamodb_table ON DELETE CASCADE,
        at REAL NOT NULL, hash BLOB NOT NULL, range BLOB NOT NULL, size INTEGER NOT NULL, item TEXT
    );
CREATE INDEX dynamodb_change_at ON dynamodb_change (table_id, at);
CREATE INDEX dynamodb_backup_end ON dynamodb_backup (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE dynamodb_transfer (
        id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, account_id TEXT NOT NULL, region TEXT NOT NULL,
        arn TEXT NOT NULL UNIQUE, table_arn TEXT NOT NULL, token TEXT NOT NULL, digest TEXT NOT NULL,
        principal TEXT NOT NULL, cause TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL,
        description TEXT NOT NULL
    );
CREATE INDEX dynamodb_transfer_of ON dynamodb_transfer (account_id, region, kind);
CREATE TABLE dynamodbstreams_stream (
        id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL, region TEXT NOT NULL, table_name TEXT NOT NULL,
        label TEXT NOT NULL, arn TEXT NOT NULL UNIQUE, view_type TEXT NOT NULL, key_schema TEXT NOT NULL,
        created_at REAL NOT NULL, disabled_at REAL
    , policy TEXT NOT NULL DEFAULT '', policy_revision TEXT NOT NULL DEFAULT '');
CREATE INDEX dynamodbstreams_stream_table ON dynamodbstreams_stream (account_id, region, table_name);
CREATE TABLE dynamodbstreams_shard (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        stream_id INTEGER NOT NULL REFERENCES dynamodbstreams_stream ON DELETE CASCADE, parent_id INTEGER,
        created_at REAL NOT NULL, closed_at REAL, first INTEGER NOT NULL, last INTEGER
    );
CREATE INDEX dynamodbstreams_shard_stream ON dynamodbstreams_shard (stream_id, id);
CREATE TABLE dynamodbstreams_record (
        sequence INTEGER PRIMARY KEY,
        shard_id INTEGER NOT NULL REFERENCES dynamodbstreams_shard ON DELETE CASCADE, at REAL NOT NULL,
        event_id TEXT NOT NULL, event_name TEXT NOT NULL, by_expiry INTEGER NOT NULL, size INTEGER NOT NULL,
        images TEXT NOT NULL
    );
CREATE INDEX dynamodbstreams_record_shard ON dynamodbstreams_record (shard_id, sequence);
CREATE TABLE events_bus (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, policy TEXT NOT NULL,
        settings TEXT NOT NULL, tags TEXT NOT NULL, created_at REAL NOT NULL, changed_at REAL NOT NULL,
        PRIMARY KEY (account_id, region, name)
    );
CREATE TABLE events_rule (
        account_id TEXT NOT NULL, region TEXT NOT NULL, bus TEXT NOT NULL, name TEXT NOT NULL, pattern TEXT NOT NULL,
        schedule TEXT NOT NULL, state TEXT NOT NULL, description TEXT, role_arn TEXT NOT NULL,
        created_by TEXT NOT NULL, tags TEXT NOT NULL, anchored_at REAL NOT NULL, next_at REAL,
        PRIMARY KEY (account_id, region, bus, name)
    );
CREATE INDEX events_rule_next ON events_rule (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE events_target (
        account_id TEXT NOT NULL, region TEXT NOT NULL, bus TEXT NOT NULL, rule TEXT NOT NULL, id TEXT NOT NULL,
        arn TEXT NOT NULL, given TEXT NOT NULL, PRIMARY KEY (account_id, region, bus, rule, id)
    );
CREATE TABLE events_connection (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, description TEXT,
        kind TEXT NOT NULL, shown TEXT NOT NULL, state TEXT NOT NULL, secret_arn TEXT NOT NULL,
        kms_key_id TEXT NOT NULL, from_sandbox INTEGER NOT NULL, created_at REAL NOT NULL, changed_at REAL NOT NULL,
        authorized_at REAL, made_by TEXT NOT NULL DEFAULT '', PRIMARY KEY (account_id, region, name)
    );
CREATE TABLE events_destination (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, description TEXT,
        connection TEXT NOT NULL, endpoint TEXT NOT NULL, method TEXT NOT NULL, rate INTEGER,
        from_sandbox INTEGER NOT NULL, created_at REAL NOT NULL, changed_at REAL NOT NULL, made_by TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (account_id, region, name)
    );
CREATE TABLE events_archive (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, bus TEXT NOT NULL, pattern TEXT NOT NULL,
        description TEXT, retention_days INTEGER NOT NULL, kms_key_id TEXT NOT NULL, created_at REAL NOT NULL,
        PRIMARY KEY (account_id, region, name)
    );
CREATE INDEX events_archive_bus ON events_archive (account_id, region, bus);
CREATE TABLE events_archived (
        id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL, region TEXT NOT NULL, archive TEXT NOT NULL,
        at REAL NOT NULL, stored_at REAL NOT NULL, size INTEGER NOT NULL, event TEXT NOT NULL
    );
CREATE INDEX events_archived_time ON events_archived (account_id, region, archive, at, id);
CREATE TABLE events_replay (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, description TEXT, archive_arn TEXT NOT NULL,
        destination TEXT NOT NULL, begins_at REAL NOT NULL, ends_at REAL NOT NULL, state TEXT NOT NULL,
        reason TEXT NOT NULL, started_at REAL NOT NULL, ended_at REAL, last_at REAL, last_id INTEGER NOT NULL,
        PRIMARY KEY (account_id, region, name)
    );
CREATE INDEX events_archived_age ON events_archived (account_id, region, archive, stored_at, size);
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
CREATE TABLE kinesis_stream (
        id INTEGER PRIMARY KEY AUTOINCREMENT, account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
        created_at REAL NOT NULL, mode TEXT NOT NULL, retention_hours INTEGER NOT NULL, max_record_kib INTEGER NOT NULL,
        distribution TEXT NOT NULL, key_id TEXT NOT NULL, metrics TEXT NOT NULL, tags TEXT NOT NULL,
        policy TEXT NOT NULL, newest INTEGER NOT NULL, UNIQUE (account_id, region, name)
    );
CREATE TABLE kinesis_shard (
        id INTEGER PRIMARY KEY AUTOINCREMENT, stream_id INTEGER NOT NULL REFERENCES kinesis_stream ON DELETE CASCADE,
        number INTEGER NOT NULL, parent INTEGER, adjacent INTEGER, low TEXT NOT NULL, high TEXT NOT NULL,
        created_at REAL NOT NULL, closed_at REAL, first INTEGER NOT NULL, last INTEGER, UNIQUE (stream_id, number)
    );
CREATE TABLE kinesis_record (
        shard_id INTEGER NOT NULL REFERENCES kinesis_shard ON DELETE CASCADE, sequence INTEGER NOT NULL,
        at REAL NOT NULL, partition_key TEXT NOT NULL, encrypted INTEGER NOT NULL, size INTEGER NOT NULL,
        data BLOB NOT NULL, PRIMARY KEY (shard_id, sequence)
    );
CREATE TABLE kinesis_consumer (
        id INTEGER PRIMARY KEY AUTOINCREMENT, stream_id INTEGER NOT NULL REFERENCES kinesis_stream ON DELETE CASCADE,
        name TEXT NOT NULL, arn TEXT NOT NULL UNIQUE, created_at REAL NOT NULL, tags TEXT NOT NULL,
        policy TEXT NOT NULL, UNIQUE (stream_id, name)
    );
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
CREATE INDEX kms_grant_grantee ON kms_grant (key_id, grantee, id);
CREATE INDEX kms_grant_retiring ON kms_grant (account_id, region, retiring, id);
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
        update_reason TEXT NOT NULL, unzipped_bytes INTEGER NOT NULL DEFAULT 0, code_folder TEXT NOT NULL DEFAULT '', image TEXT NOT NULL DEFAULT '',
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
CREATE TABLE lambda_provisioned (
        account_id TEXT NOT NULL,
        region TEXT NOT NULL,
        name TEXT NOT NULL,
        qualifier TEXT NOT NULL,
        requested INTEGER NOT NULL,
        modified_at REAL NOT NULL,
        PRIMARY KEY (account_id, region, name, qualifier)
    );
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
CREATE TABLE lambda_image (
        name TEXT NOT NULL PRIMARY KEY,
        image TEXT NOT NULL,
        loaded_at REAL NOT NULL
    );
CREATE TABLE lambda_event_source_progress (
        id TEXT NOT NULL, shard_id TEXT NOT NULL, factor INTEGER NOT NULL, lane INTEGER NOT NULL,
        sequence TEXT NOT NULL, since REAL NOT NULL, ended INTEGER NOT NULL, window_start REAL NOT NULL,
        state TEXT NOT NULL, PRIMARY KEY (id, shard_id, factor, lane)
    );
CREATE TABLE logs_subscription_filter (
        account_id TEXT NOT NULL, region TEXT NOT NULL, group_name TEXT NOT NULL, name TEXT NOT NULL,
        created_ms INTEGER NOT NULL, pattern TEXT NOT NULL, destination_arn TEXT NOT NULL, role_arn TEXT NOT NULL,
        distribution TEXT NOT NULL, PRIMARY KEY (account_id, region, group_name, name)
    );
CREATE TABLE logs_metric_filter (
        account_id TEXT NOT NULL, region TEXT NOT NULL, group_name TEXT NOT NULL, name TEXT NOT NULL,
        created_ms INTEGER NOT NULL, pattern TEXT NOT NULL, transformation TEXT NOT NULL,
        PRIMARY KEY (account_id, region, group_name, name)
    );
CREATE TABLE logs_query_definition (
        account_id TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, query TEXT NOT NULL,
        groups TEXT NOT NULL, modified_ms INTEGER NOT NULL, client_token TEXT NOT NULL,
        PRIMARY KEY (account_id, region, id)
    );
CREATE TABLE logs_destination (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, target_arn TEXT NOT NULL,
        role_arn TEXT NOT NULL, created_ms INTEGER NOT NULL, policy TEXT NOT NULL,
        PRIMARY KEY (account_id, region, name)
    );
CREATE TABLE logs_export_task (
        account_id TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL,
        group_name TEXT NOT NULL, stream_prefix TEXT NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL,
        bucket TEXT NOT NULL, prefix TEXT NOT NULL, created_ms INTEGER NOT NULL, status TEXT NOT NULL,
        message TEXT NOT NULL, completed_ms INTEGER NOT NULL
    );
CREATE TABLE logs_resource_policy (
        account_id TEXT NOT NULL, region TEXT NOT NULL, scope TEXT NOT NULL, key TEXT NOT NULL,
        document TEXT NOT NULL, updated_ms INTEGER NOT NULL, revision TEXT NOT NULL,
        PRIMARY KEY (account_id, region, scope, key)
    );
CREATE TABLE pipes_pipe (
        id TEXT PRIMARY KEY, account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, given TEXT NOT NULL,
        tags TEXT NOT NULL, desired TEXT NOT NULL, state TEXT NOT NULL, created_at REAL NOT NULL,
        changed_at REAL NOT NULL, UNIQUE (account_id, region, name)
    );
CREATE TABLE pipes_progress (
        id TEXT NOT NULL REFERENCES pipes_pipe ON DELETE CASCADE, shard_id TEXT NOT NULL, factor INTEGER NOT NULL,
        lane INTEGER NOT NULL, sequence TEXT NOT NULL, since REAL NOT NULL, ended INTEGER NOT NULL,
        window_start REAL NOT NULL, state TEXT NOT NULL, PRIMARY KEY (id, shard_id, factor, lane)
    );
CREATE TABLE s3_bucket (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (name)
);
CREATE TABLE s3_bucket_configuration (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    bucket TEXT NOT NULL,
    kind TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (bucket, kind)
);
CREATE TABLE s3_object (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    version_id TEXT NOT NULL,
    is_latest SMALLINT NOT NULL,
    is_delete_marker SMALLINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    etag TEXT NOT NULL,
    last_modified DOUBLE PRECISION NOT NULL,
    blob_id TEXT,
    parts_count INTEGER NOT NULL,
    owner_account_id TEXT NOT NULL,
    storage_class TEXT NOT NULL,
    checksum TEXT NOT NULL,
    headers TEXT NOT NULL,
    metadata TEXT NOT NULL,
    tags TEXT NOT NULL,
    acl TEXT NOT NULL,
    upload_id TEXT NOT NULL, data_key TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (bucket, key, sequence)
);
CREATE UNIQUE INDEX s3_object_version ON s3_object (bucket, key, version_id);
CREATE INDEX s3_object_listed ON s3_object (bucket, key) WHERE is_latest = 1 AND is_delete_marker = 0;
CREATE TABLE s3_object_part (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    bucket TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    part_number INTEGER NOT NULL,
    start_byte BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    blob_id TEXT NOT NULL,
    checksum TEXT NOT NULL,
    PRIMARY KEY (sequence, part_number)
);
CREATE TABLE s3_upload (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    bucket TEXT NOT NULL,
    key TEXT NOT NULL,
    upload_id TEXT NOT NULL,
    initiated_at DOUBLE PRECISION NOT NULL,
    initiator_arn TEXT NOT NULL,
    owner_account_id TEXT NOT NULL,
    storage_class TEXT NOT NULL,
    checksum_algorithm TEXT NOT NULL,
    checksum_type TEXT NOT NULL,
    checksum_requested SMALLINT NOT NULL,
    headers TEXT NOT NULL,
    metadata TEXT NOT NULL,
    tags TEXT NOT NULL,
    acl TEXT NOT NULL, data_key TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (bucket, key, upload_id)
);
CREATE TABLE s3_upload_part (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    bucket TEXT NOT NULL,
    upload_id TEXT NOT NULL,
    part_number INTEGER NOT NULL,
    size_bytes BIGINT NOT NULL,
    etag TEXT NOT NULL,
    blob_id TEXT NOT NULL,
    checksum TEXT NOT NULL,
    last_modified DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (upload_id, part_number)
);
CREATE TABLE s3_sequence (
    id SMALLINT NOT NULL,
    reserved BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE scheduler_group (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, tags TEXT NOT NULL, token TEXT NOT NULL,
        created_at REAL NOT NULL, changed_at REAL NOT NULL, digest TEXT NOT NULL DEFAULT '', PRIMARY KEY (account_id, region, name)
    );
CREATE TABLE scheduler_schedule (
        account_id TEXT NOT NULL, region TEXT NOT NULL, grp TEXT NOT NULL, name TEXT NOT NULL,
        given TEXT NOT NULL, begins_at REAL, ends_at REAL, token TEXT NOT NULL, created_at REAL NOT NULL,
        changed_at REAL NOT NULL, anchored_at REAL NOT NULL, nominal_at REAL, next_at REAL, digest TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (account_id, region, grp, name)
    );
CREATE INDEX scheduler_schedule_next ON scheduler_schedule (next_at) WHERE next_at IS NOT NULL;
CREATE TABLE secretsmanager_secret (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, suffix TEXT NOT NULL,
        description TEXT NOT NULL, kms_key_id TEXT NOT NULL, tags TEXT NOT NULL, policy TEXT NOT NULL,
        created_at REAL NOT NULL, changed_at REAL NOT NULL, accessed_at REAL, deleted_at REAL, ends_at REAL,
        rotation_lambda TEXT NOT NULL, rotation_rules TEXT NOT NULL, rotated_at REAL, rotates_at REAL,
        rotating TEXT NOT NULL, primary_region TEXT NOT NULL DEFAULT '', testing TEXT NOT NULL DEFAULT '', PRIMARY KEY (account_id, region, name)
    );
CREATE TABLE secretsmanager_version (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL,
        blob BLOB NOT NULL, data_key BLOB NOT NULL, digest TEXT NOT NULL, stages TEXT NOT NULL,
        created_at REAL NOT NULL, accessed_at REAL, ord INTEGER NOT NULL,
        PRIMARY KEY (account_id, region, name, id)
    );
CREATE TABLE secretsmanager_replica (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, replica_region TEXT NOT NULL,
        kms_key_id TEXT NOT NULL, status TEXT NOT NULL, message TEXT NOT NULL,
        PRIMARY KEY (account_id, region, name, replica_region)
    );
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
CREATE TABLE sns_sandbox_number (
        account_id TEXT NOT NULL, region TEXT NOT NULL, phone_number TEXT NOT NULL, password TEXT NOT NULL,
        made_at REAL NOT NULL, status TEXT NOT NULL, PRIMARY KEY (account_id, region, phone_number)
    );
CREATE TABLE sns_invalid_token (
        application_arn TEXT NOT NULL REFERENCES sns_application ON DELETE CASCADE, token TEXT NOT NULL,
        PRIMARY KEY (application_arn, token)
    );
CREATE TABLE sns_topic_number (id INTEGER PRIMARY KEY AUTOINCREMENT);
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
    , leads INTEGER NOT NULL DEFAULT 0, received_at REAL NOT NULL DEFAULT 0);
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
CREATE INDEX sqs_message_leads ON sqs_message (queue_id, sequence, visible_at) WHERE leads = 1;
CREATE INDEX sqs_deduplication_end ON sqs_deduplication (ends_at);
CREATE TABLE sqs_queue_number (id INTEGER PRIMARY KEY AUTOINCREMENT);
CREATE TABLE ssm_parameter (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
        tags TEXT NOT NULL, due_at REAL, PRIMARY KEY (account_id, region, name)
    );
CREATE INDEX ssm_parameter_expiry ON ssm_parameter (due_at) WHERE due_at IS NOT NULL;
CREATE TABLE ssm_version (
        account_id TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, version INTEGER NOT NULL,
        value TEXT NOT NULL, type TEXT NOT NULL, key_id TEXT NOT NULL, data_key TEXT NOT NULL,
        data_type TEXT NOT NULL, tier TEXT NOT NULL, description TEXT NOT NULL, allowed_pattern TEXT NOT NULL,
        policies TEXT NOT NULL, labels TEXT NOT NULL, modified_at REAL NOT NULL, modified_by TEXT NOT NULL, applied TEXT NOT NULL DEFAULT '[]',
        PRIMARY KEY (account_id, region, name, version)
    );
CREATE TABLE sts_session (
        account_id TEXT NOT NULL, access_key_id TEXT NOT NULL PRIMARY KEY, secret TEXT NOT NULL, token TEXT NOT NULL,
        expires_at REAL NOT NULL, kind TEXT NOT NULL, arn TEXT NOT NULL, user_id TEXT NOT NULL, role_arn TEXT,
        known INTEGER NOT NULL, policies TEXT NOT NULL, tags TEXT NOT NULL, environment_id TEXT
    );
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
