"""Rows of multipart uploads in progress and of their parts.

Functions of a transaction. A part's reference to its blob passes to the object when the upload completes.
AWS: S3 User Guide, "Uploading and copying objects using multipart upload".
"""

import re
from collections.abc import Iterator

from undercast.core.arn import AccountId
from undercast.services.s3 import documents
from undercast.services.s3.models import Bucket, Content, Upload, UploadedPart
from undercast.store.database import Row, Tx

_COLUMNS = (
    "bucket, key, upload_id, initiated_at, initiator_arn, owner_account_id, storage_class, checksum_algorithm, "
    "checksum_type, checksum_requested, headers, metadata, tags, acl, data_key"
)
_PART_COLUMNS = "part_number, size_bytes, etag, blob_id, checksum, last_modified"
INLINE_PARTS = 50
"""Of more, the blobs are not let go of on the event loop."""
_UPLOAD_ID = re.compile(r"[0-9a-f]{16}[A-Za-z0-9]{48}")


def new_id(sequence: int, random: str) -> str:
    """An id that starts with a time, so that the order of ids is the order of uploads. `random` has 48 characters."""
    return f"{sequence:016x}{random}"


def is_upload_id(text: str) -> bool:
    """Whether it looks like one, there or not."""
    return _UPLOAD_ID.fullmatch(text) is not None


def add(tx: Tx, bucket: Bucket, upload: Upload) -> None:
    """Begin an upload."""
    content = upload.content
    tx.execute(
        f"INSERT INTO s3_upload (account_id, region, {_COLUMNS}) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            bucket.account_id,
            bucket.region,
            upload.bucket,
            upload.key,
            upload.upload_id,
            upload.initiated_at,
            upload.initiator_arn,
            content.owner_account_id,
            content.storage_class,
            upload.checksum_algorithm,
            upload.checksum_type,
            int(upload.checksum_requested),
            documents.dumps(content.headers),
            documents.dumps(content.metadata),
            documents.dumps(content.tags),
            documents.dumps(content.acl),
            documents.of_data_key(content.data_key),
        ),
    )


def find(tx: Tx, bucket: str, key: str, upload_id: str) -> Upload | None:
    """An upload in progress."""
    sql = f"SELECT {_COLUMNS} FROM s3_upload WHERE bucket = ? AND key = ? AND upload_id = ?"
    row = tx.one(sql, (bucket, key, upload_id))
    return None if row is None else _upload_of(row)


def listed(tx: Tx, bucket: str, start: str) -> Iterator[Upload]:
    """Uploads by key and then by time, from a key on. Lazy."""
    sql = f"SELECT {_COLUMNS} FROM s3_upload WHERE bucket = ? AND key >= ? ORDER BY key, upload_id"
    return map(_upload_of, tx.each(sql, (bucket, start)))


def listed_of_key(tx: Tx, bucket: str, key: str, after: str) -> Iterator[Upload]:
    """The uploads of one key behind an upload id. Lazy."""
    sql = f"SELECT {_COLUMNS} FROM s3_upload WHERE bucket = ? AND key = ? AND upload_id > ? ORDER BY upload_id"
    return map(_upload_of, tx.each(sql, (bucket, key, after)))


def remove(tx: Tx, upload: Upload) -> None:
    """Delete an upload's rows; what its parts refer to is the caller's."""
    tx.execute("DELETE FROM s3_upload_part WHERE upload_id = ?", (upload.upload_id,))
    where = (upload.bucket, upload.key, upload.upload_id)
    tx.execute("DELETE FROM s3_upload WHERE bucket = ? AND key = ? AND upload_id = ?", where)


def part(tx: Tx, upload: Upload, number: int) -> UploadedPart | None:
    """One uploaded part."""
    sql = f"SELECT {_PART_COLUMNS} FROM s3_upload_part WHERE upload_id = ? AND part_number = ?"
    row = tx.one(sql, (upload.upload_id, number))
    return None if row is None else _part_of(row)


def parts(tx: Tx, upload: Upload, after: int = 0, limit: int = 10_000) -> list[UploadedPart]:
    """Uploaded parts by number, behind `after`."""
    sql = (
        f"SELECT {_PART_COLUMNS} FROM s3_upload_part WHERE upload_id = ? AND part_number > ? "
        "ORDER BY part_number LIMIT ?"
    )
    return [_part_of(row) for row in tx.all(sql, (upload.upload_id, after, limit))]


def has_many_parts(tx: Tx, upload_id: str) -> bool:
    """Whether more parts are there than the event loop should be kept for."""
    sql = "SELECT 1 FROM s3_upload_part WHERE upload_id = ? LIMIT 1 OFFSET ?"
    return tx.one(sql, (upload_id, INLINE_PARTS)) is not None


def put_part(tx: Tx, bucket: Bucket, upload: Upload, new: UploadedPart) -> None:
    """Add a part, or put it in the place of one with its number."""
    tx.execute("DELETE FROM s3_upload_part WHERE upload_id = ? AND part_number = ?", (upload.upload_id, new.number))
    tx.execute(
        "INSERT INTO s3_upload_part (account_id, region, bucket, upload_id, part_number, size_bytes, etag, blob_id, "
        "checksum, last_modified) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            bucket.account_id,
            bucket.region,
            bucket.name,
            upload.upload_id,
            new.number,
            new.size_bytes,
            new.etag,
            new.blob_id,
            new.checksum,
            new.last_modified,
        ),
    )


def _upload_of(row: Row) -> Upload:
    return Upload(
        bucket=row["bucket"],
        key=row["key"],
        upload_id=row["upload_id"],
        initiated_at=row["initiated_at"],
        initiator_arn=row["initiator_arn"],
        checksum_algorithm=row["checksum_algorithm"],
        checksum_type=row["checksum_type"],
        checksum_requested=bool(row["checksum_requested"]),
        content=Content(
            owner_account_id=AccountId(row["owner_account_id"]),
            storage_class=row["storage_class"],
            headers=documents.loads(row["headers"]),
            metadata=documents.loads(row["metadata"]),
            tags=documents.loads(row["tags"]),
            acl=tuple(documents.loads(row["acl"])),
            data_key=documents.data_key(row["data_key"]),
        ),
    )


def _part_of(row: Row) -> UploadedPart:
    return UploadedPart(
        number=row["part_number"],
        size_bytes=row["size_bytes"],
        etag=row["etag"],
        blob_id=row["blob_id"],
        checksum=row["checksum"],
        last_modified=row["last_modified"],
    )
