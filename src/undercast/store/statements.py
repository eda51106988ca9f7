"""SQL that both SQLite and PostgreSQL understand, for what each also has an own way to say.

SQLite: https://sqlite.org/lang_upsert.html; PostgreSQL: https://www.postgresql.org/docs/current/sql-insert.html
"""

from functools import cache


@cache
def upsert(table: str, key: str, others: str) -> str:
    """Insert a row, or replace the other columns of that with its key: values come in this order, the key's first."""
    columns = f"{key}, {others}"
    values = ", ".join("?" * len(columns.split(", ")))
    changed = ", ".join(f"{name} = excluded.{name}" for name in others.split(", "))
    return f"INSERT INTO {table} ({columns}) VALUES ({values}) ON CONFLICT ({key}) DO UPDATE SET {changed}"
