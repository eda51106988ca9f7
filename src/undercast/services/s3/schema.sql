-- Buckets are one namespace over all accounts and regions, hence the primary key is the name alone.
CREATE TABLE s3_bucket (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (name)
);

-- Everything that Put<Something> sets on a bucket: versioning, policy, tagging, notification, ...
CREATE TABLE s3_bucket_configuration (
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    bucket TEXT NOT NULL,
    kind TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (bucket, kind)
);

-- One row per version. Of the rows of one key, the one with the greatest sequence is the current version.
-- blob_id is NULL for a delete marker and for an object whose bytes are the blobs of s3_object_part.
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
    upload_id TEXT NOT NULL,
    PRIMARY KEY (bucket, key, sequence)
);
CREATE UNIQUE INDEX s3_object_version ON s3_object (bucket, key, version_id);
-- What ListObjects walks: neither old versions nor deleted keys cost anything there.
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
    acl TEXT NOT NULL,
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

-- Greatest sequence number that may have been given out. Written once a minute at most, not with every object.
CREATE TABLE s3_sequence (
    id SMALLINT NOT NULL,
    reserved BIGINT NOT NULL,
    PRIMARY KEY (id)
);
