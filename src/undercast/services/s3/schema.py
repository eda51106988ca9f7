"""S3's tables. A migration is never edited, only followed by another."""

from pathlib import Path

SCHEMA = (Path(__file__).with_name("schema.sql").read_text(),)
