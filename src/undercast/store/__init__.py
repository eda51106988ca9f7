"""Durable state: rows in SQLite, bodies in content-addressed blobs, a batched second file."""
