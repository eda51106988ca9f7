"""Rows of objects and their parts.

Functions of a transaction; they decide nothing (versions.py does) and touch no blob. One SQL for SQLite and PostgreSQL.
AWS: none; this is our own storage form.
"""

from collections.abc import Iterator, Sequence

from undercast.core.arn import AccountId
from undercast.services.s3 import documents
from undercast.services.s3.models import Bucket, Checksum, Content, ObjectVersion, Part, Payload
from undercast.store.database import Row, SqlValue, Tx

_COLUMNS = (
    "bucket, key, sequence, version_id, is_latest, is_delete_marker, size_bytes, etag, last_modified, blob_id, "
    "parts_count, owner_account_id, storage_class, checksum, headers, metadata, tags, acl, data_key"
)
_INSERT = (
    "INSERT INTO s3_object (account_id, region, upload_id, "
    + _COLUMNS
    + ") VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_INSERT_PART = (
    "INSERT INTO s3_object_part (account_id, region, bucket, sequence, part_number, start_byte, size_bytes, blob_id, "
    "checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_LATEST = f"SELECT {_COLUMNS} FROM s3_object WHERE bucket = ? AND key = ? ORDER BY sequence DESC LIMIT 1"
_VERSION = f"SELECT {_COLUMNS} FROM s3_object WHERE bucket = ? AND key = ? AND version_id = ?"
_LISTED = (
    f"SELECT {_COLUMNS} FROM s3_object WHERE bucket = ? AND is_latest = 1 AND is_delete_marker = 0 AND key >= ? "
    "ORDER BY key"
)
_VERSIONS = f"SELECT {_COLUMNS} FROM s3_object WHERE bucket = ? AND key >= ? ORDER BY key, sequence DESC"
_OLDER = f"SELECT {_COLUMNS} FROM s3_object WHERE bucket = ? AND key = ? AND sequence < ? ORDER BY sequence DESC"
_NO_JSON = "{}"


def latest(tx: Tx, bucket: str, key: str) -> ObjectVersion | None:
    """The newest row of a key, which may be a delete marker."""
    row = tx.one(_LATEST, (bucket, key))
    return None if row is None else _version_of(row)


def version(tx: Tx, bucket: str, key: str, version_id: str) -> ObjectVersion | None:
    """One version, or delete marker, by its id."""
    row = tx.one(_VERSION, (bucket, key, version_id))
    return None if row is None else _version_of(row)


def listed(tx: Tx, bucket: str, start: str) -> Iterator[ObjectVersion]:
    """Current versions by key, from a key on. Lazy."""
    return map(_version_of, tx.each(_LISTED, (bucket, start)))


def versions(tx: Tx, bucket: str, start: str) -> Iterator[ObjectVersion]:
    """All versions and delete markers by key, the newest first, from a key on. Lazy."""
    return map(_version_of, tx.each(_VERSIONS, (bucket, start)))


def older_versions(tx: Tx, bucket: str, key: str, sequence: int) -> Iterator[ObjectVersion]:
    """The versions of one key before a sequence number, the newest first. Lazy."""
    return map(_version_of, tx.each(_OLDER, (bucket, key, sequence)))


def distinct_keys(tx: Tx, bucket: str, start: str, limit: int) -> list[str]:
    """The next keys of a bucket, whatever their versions, from a key on."""
    sql = "SELECT DISTINCT key FROM s3_object WHERE bucket = ? AND key >= ? ORDER BY key LIMIT ?"
    return [row["key"] for row in tx.all(sql, (bucket, start, limit))]


def buckets_with_lifecycle(tx: Tx) -> list[str]:
    """The names of all buckets that have lifecycle rules."""
    sql = "SELECT bucket FROM s3_bucket_configuration WHERE kind = 'lifecycle' ORDER BY bucket"
    return [row["bucket"] for row in tx.all(sql)]


def has_any(tx: Tx, bucket: str) -> bool:
    """Whether a bucket holds an object, an old version or a delete marker."""
    return tx.one("SELECT 1 FROM s3_object WHERE bucket = ? LIMIT 1", (bucket,)) is not None


def insert(tx: Tx, bucket: Bucket, found: ObjectVersion, payload: Payload) -> None:
    """Add the newest version of a key."""
    content, checksum = found.content, found.checksum
    values: Sequence[SqlValue] = (
        bucket.account_id,
        bucket.region,
        payload.upload_id,
        bucket.name,
        found.key,
        found.sequence,
        found.version_id,
        int(found.is_delete_marker),
        found.size_bytes,
        found.etag,
        found.last_modified,
        found.blob_id,
        found.parts_count,
        content.owner_account_id,
        content.storage_class,
        "" if checksum is None else f"{checksum.algorithm} {checksum.value} {checksum.type}",
        documents.dumps(content.headers) if content.headers else _NO_JSON,
        documents.dumps(content.metadata) if content.metadata else _NO_JSON,
        documents.dumps(content.tags) if content.tags else _NO_JSON,
        documents.dumps(content.acl) if content.acl else "",
        documents.of_data_key(content.data_key),
    )
    tx.execute(_INSERT, values)
    if payload.parts:
        scope = (bucket.account_id, bucket.region, bucket.name, found.sequence)
        rows = (
            (*scope, part.number, part.start_byte, part.size_bytes, part.blob_id, part.checksum)
            for part in payload.parts
        )
        tx.insert_many(_INSERT_PART, rows)


def delete(tx: Tx, found: ObjectVersion) -> None:
    """Remove a version's rows."""
    where = (found.bucket, found.key, found.sequence)
    tx.execute("DELETE FROM s3_object WHERE bucket = ? AND key = ? AND sequence = ?", where)
    if found.parts_count:
        tx.execute("DELETE FROM s3_object_part WHERE sequence = ?", (found.sequence,))


def set_latest(tx: Tx, found: ObjectVersion, is_latest: bool) -> None:
    """Whether a version is what ListObjects shows."""
    where = (int(is_latest), found.bucket, found.key, found.sequence)
    tx.execute("UPDATE s3_object SET is_latest = ? WHERE bucket = ? AND key = ? AND sequence = ?", where)


def set_tags(tx: Tx, found: ObjectVersion, tags: dict[str, str]) -> None:
    """Replace a version's tags."""
    where = (documents.dumps(tags), found.bucket, found.key, found.sequence)
    tx.execute("UPDATE s3_object SET tags = ? WHERE bucket = ? AND key = ? AND sequence = ?", where)


def set_storage_class(tx: Tx, found: ObjectVersion, storage_class: str) -> None:
    """Move a version to another storage class."""
    where = (storage_class, found.bucket, found.key, found.sequence)
    tx.execute("UPDATE s3_object SET storage_class = ? WHERE bucket = ? AND key = ? AND sequence = ?", where)


def set_acl(tx: Tx, found: ObjectVersion, acl: Sequence[object]) -> None:
    """Replace a version's grants."""
    where = (documents.dumps(acl) if acl else "", found.bucket, found.key, found.sequence)
    tx.execute("UPDATE s3_object SET acl = ? WHERE bucket = ? AND key = ? AND sequence = ?", where)


def parts(tx: Tx, sequence: int, start: int = 0, end: int | None = None) -> list[Part]:
    """The parts of a multipart object in order; with a range, those that overlap bytes [start, end)."""
    sql = "SELECT part_number, start_byte, size_bytes, blob_id, checksum FROM s3_object_part WHERE sequence = ?"
    if end is None:
        return [_part_of(row) for row in tx.all(sql + " ORDER BY part_number", (sequence,))]
    sql += " AND start_byte < ? AND start_byte + size_bytes > ? ORDER BY part_number"
    return [_part_of(row) for row in tx.all(sql, (sequence, end, start))]


def uploaded_as(tx: Tx, bucket: str, key: str, upload_id: str) -> ObjectVersion | None:
    """The version that a multipart upload became, if it is still there."""
    sql = f"SELECT {_COLUMNS} FROM s3_object WHERE bucket = ? AND key = ? AND upload_id = ?"
    row = tx.one(sql, (bucket, key, upload_id))
    return None if row is None else _version_of(row)


def _version_of(row: Row) -> ObjectVersion:
    # By place, as in _COLUMNS: a row looks a name up by comparing it with one column after the other.
    (bucket, key, sequence, version_id, is_latest, is_marker, size_bytes, etag, last_modified, *rest) = row
    (blob_id, parts_count, owner, storage_class, checksum, headers, metadata, tags, acl, data_key) = rest
    content = Content(
        owner_account_id=AccountId(owner),
        storage_class=storage_class,
        headers={} if headers == _NO_JSON else documents.loads(headers),
        metadata={} if metadata == _NO_JSON else documents.loads(metadata),
        tags={} if tags == _NO_JSON else documents.loads(tags),
        acl=() if acl == "" else tuple(documents.loads(acl)),
        data_key=documents.data_key(data_key),
    )
    return ObjectVersion(
        bucket=bucket,
        key=key,
        sequence=sequence,
        version_id=version_id,
        is_latest=bool(is_latest),
        is_delete_marker=bool(is_marker),
        size_bytes=size_bytes,
        etag=etag,
        last_modified=last_modified,
        blob_id=blob_id,
        parts_count=parts_count,
        checksum=_checksum_of(checksum),
        content=content,
    )


def _checksum_of(text: str) -> Checksum | None:
    if not text:
        return None
    algorithm, value, kind = text.split(" ")
    return Checksum(algorithm=algorithm, value=value, type="COMPOSITE" if kind == "COMPOSITE" else "FULL_OBJECT")


def _part_of(row: Row) -> Part:
    return Part(
        number=row["part_number"],
        start_byte=row["start_byte"],
        size_bytes=row["size_bytes"],
        blob_id=row["blob_id"],
        checksum=row["checksum"],
    )
