"""The rows of backups: a copy of a table's items and of its definition.

USER for one that was asked for; SYSTEM for what DeleteTable leaves of a table with point-in-time recovery.
AWS: DynamoDB Developer Guide, "Backup and restore for DynamoDB", "Point-in-time backups for DynamoDB".
"""

import json

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.services.dynamodb import tables
from undercast.services.dynamodb.models import Table, TableName
from undercast.store.database import Row, Tx

SYSTEM_DAYS = 35
_DAY_S = 86_400.0


def new_arn(of: TableName, ctx: RequestContext, now: float) -> str:
    """Of a backup of that table."""
    return f"{of.arn}/backup/{int(now * 1000):014d}-{ctx.ids.hex(8)}"


def add(tx: Tx, table: Table, name: str, made: tuple[str, float]) -> Row:
    """A copy of the table as it is; `made` are the backup's ARN and the time."""
    arn, now = made
    items, size = tables.counts(tx, table)
    tx.execute(
        "INSERT INTO dynamodb_backup (account_id, region, arn, name, table_name, table_id, table_created_at,"
        " created_at, items, bytes, definition) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*table.of.scope, arn, name, table.of.name, table.table_id, table.created_at, now, items, size,
         json.dumps(table.definition)),
    )  # fmt: skip
    backup = existing(tx, arn)
    tx.execute(
        "INSERT INTO dynamodb_backup_item (backup_id, hash, range, size, item)"
        " SELECT ?, hash, range, size, item FROM dynamodb_item WHERE table_id = ?",
        (backup["id"], table.id),
    )
    return backup


def keep_deleted(tx: Tx, table: Table, made: tuple[str, float]) -> None:
    """What is left of a table that is about to be deleted, for 35 days."""
    backup = add(tx, table, f"{table.of.name}$DeletedTableBackup", made)
    tx.execute(
        "UPDATE dynamodb_backup SET type = 'SYSTEM', expires_at = ? WHERE id = ?",
        (made[1] + SYSTEM_DAYS * _DAY_S, backup["id"]),
    )


def existing(tx: Tx, arn: str) -> Row:
    """By its ARN. Raises BackupNotFoundException."""
    row = tx.one("SELECT * FROM dynamodb_backup WHERE arn = ?", (arn,))
    if row is None:
        raise ServiceError("BackupNotFoundException", f"Backup not found: {arn}")
    return row


def remove_ended(tx: Tx, now: float) -> None:
    """System backups whose time is over."""
    tx.execute("DELETE FROM dynamodb_backup WHERE expires_at <= ?", (now,))
