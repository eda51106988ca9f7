"""S3's tables. A migration is never edited, only followed by another."""

from pathlib import Path

SCHEMA = (
    Path(__file__).with_name("schema.sql").read_text(),
    # SSE-KMS: the sealed data key and its encryption context as JSON, "" for none.
    """
    ALTER TABLE s3_object ADD COLUMN data_key TEXT NOT NULL DEFAULT '';
    ALTER TABLE s3_upload ADD COLUMN data_key TEXT NOT NULL DEFAULT '';
    """,
)
