"""The store's own tables in state.db. A migration is never edited, only followed by another."""

BLOB = ("CREATE TABLE blob (id TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, refs INTEGER NOT NULL, body BLOB)",)
"""`body` is NULL where the content is a file."""
CLOCK = (
    "CREATE TABLE clock (id INTEGER PRIMARY KEY, offset_s REAL NOT NULL)",
    "CREATE TABLE clock_jump (id INTEGER PRIMARY KEY, begins_at REAL NOT NULL, ends_at REAL NOT NULL)",
)
