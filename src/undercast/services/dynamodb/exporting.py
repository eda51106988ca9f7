"""An export that runs: a table's items, or what changed of them, as objects in S3.

The pages are of one moment of the log of changes, so that what is written meanwhile is not in them. Names of objects
follow from the export's ARN: an export that begins again overwrites what it had written.
AWS: DynamoDB Developer Guide, "DynamoDB table export output format".
"""

import asyncio
import base64
import gzip
import hashlib
import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from undercast.core.clock import iso_millis
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.core.recurring import insist, settled
from undercast.services.dynamodb import recovery, tables, transfers
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.keys import Key
from undercast.services.dynamodb.models import Table, named_by_arn
from undercast.services.dynamodb.transfers import Transfer
from undercast.services.item_text import dumped, loaded
from undercast.store.database import Row, Tx

FULL, INCREMENTAL = "FULL_EXPORT", "INCREMENTAL_EXPORT"
_VERSIONS = {FULL: "2020-06-30", INCREMENTAL: "2023-08-01"}
_SSE = {"AES256": "AES256", "KMS": "aws:kms"}
"""S3SseAlgorithm as S3 names it."""
_FILE_BYTES = 8 * 1024 * 1024
"""Of JSON; the file is smaller."""


def resume(dynamo: Dynamo) -> None:
    """Go on with what had not ended when the platform did."""
    for transfer in dynamo.database.read_now(lambda tx: transfers.running(tx, transfers.EXPORT)):
        dynamo.tasks.spawn(run(dynamo, transfer))


async def run(dynamo: Dynamo, transfer: Transfer) -> None:
    """To its end: COMPLETED, or FAILED with why."""
    failed = partial(transfers.failure, status="ExportStatus")
    changes = await settled("the export of a table", _Export(dynamo, transfer).written, failed)
    now = dynamo.clock.now()

    async def end() -> None:
        await dynamo.database.write(lambda tx: transfers.note(tx, transfer, changes, now))

    await insist("noting the end of an export", end)


@record(kw_only=False)
class _Page:
    """Lines of JSON, the bytes of the items that they hold, and the key that the page ends with."""

    lines: list[str]
    item_bytes: int
    last: Key


class _Export:
    """One export on its way."""

    def __init__(self, dynamo: Dynamo, transfer: Transfer) -> None:
        self._dynamo = dynamo
        self._transfer = transfer
        self._asked = transfer.description
        self._ctx: RequestContext = transfer.context(dynamo)
        prefix = self._asked.get("S3Prefix", "")
        self._root = f"{prefix}/AWSDynamoDB" if prefix else "AWSDynamoDB"

    async def written(self) -> dict[str, Any]:
        """Write everything; the members of the description that tell of it. Raises ServiceError."""
        folder = f"{self._root}/{self._transfer.name}"
        await self._put(f"{folder}/_started", b"")
        entries: list[dict[str, Any]] = []
        lines: list[str] = []
        kept, billed = 0, 0
        async for page in self._pages():
            lines += page.lines
            billed += page.item_bytes
            kept += sum(map(len, page.lines))
            if kept >= _FILE_BYTES:
                entries.append(await self._put_data(len(entries), lines))
                lines, kept = [], 0
        if lines or not entries:  # a partition without items has a file, too
            entries.append(await self._put_data(len(entries), lines))
        items = sum(entry["itemCount"] for entry in entries)
        await self._put_manifest(f"{folder}/manifest-files", "".join(f"{json.dumps(entry)}\n" for entry in entries))
        await self._put_manifest(f"{folder}/manifest-summary", json.dumps(self._summary(folder, items, billed)))
        return {
            "ExportStatus": "COMPLETED",
            "ExportManifest": f"{folder}/manifest-summary.json",
            "ItemCount": items,
            "BilledSizeBytes": billed,
        }

    async def _pages(self) -> AsyncIterator[_Page]:
        after = recovery.START
        while True:
            page = await self._dynamo.database.read(partial(self._page, after), long=True)
            if page is None:
                return
            after = page.last
            yield page

    def _page(self, after: Key, tx: Tx) -> _Page | None:
        """None behind the last. Raises ServiceError."""
        table = tables.find(tx, named_by_arn(self._transfer.table_arn))
        if table is None or table.table_id != self._asked["TableId"]:
            raise ServiceError("TableNotFoundError", f"Table not found: {self._transfer.table_arn}")
        now = self._dynamo.clock.now()
        if self._asked["ExportType"] == FULL:
            moment = self._asked["ExportTime"]
            _check_reach(table, moment, now)
            rows = recovery.page_at(tx, table, moment, after)
            lines, size = [f'{{"Item":{row["item"]}}}' for row in rows], sum(row["size"] for row in rows)
        else:
            window = self._window()
            _check_reach(table, window[0], now)
            rows = recovery.changed_between(tx, table, window, after)
            lines, size = self._changes(table, rows)
        return _Page(lines, size, Key(rows[-1]["hash"], rows[-1]["range"])) if rows else None

    def _window(self) -> tuple[float, float]:
        given = self._asked["IncrementalExportSpecification"]
        return given["ExportFromTime"], given["ExportToTime"]

    def _changes(self, table: Table, rows: list[Row]) -> tuple[list[str], int]:
        """One line for each item; none for one that was made and deleted within the window."""
        with_old = self._asked["IncrementalExportSpecification"]["ExportViewType"] == "NEW_AND_OLD_IMAGES"
        lines, size = [], 0
        for row in rows:
            old, new = row["old_item"], row["new_item"]
            if old is None and new is None:
                continue
            item = loaded(new or old)
            keys = dumped({name: item[name] for name in table.key.names})
            written = {"WriteTimestampMicros": {"N": str(int(row["at"] * 1_000_000))}}
            members = [f'"Metadata":{dumped(written)}', f'"Keys":{keys}']
            if new is not None:
                members.append(f'"NewImage":{new}')
                size += row["new_size"]
            if old is not None and with_old:
                members.append(f'"OldImage":{old}')
                size += row["old_size"]
            lines.append("{" + ",".join(members) + "}")
        return lines, size

    async def _put_data(self, number: int, lines: list[str]) -> dict[str, Any]:
        """One data file; its entry in the manifest."""
        text = "".join(f"{line}\n" for line in lines)
        data = await asyncio.to_thread(lambda: gzip.compress(text.encode(), mtime=0))
        name = base64.b32encode(hashlib.sha256(f"{self._transfer.arn}/{number}".encode()).digest()[:16]).decode()
        whose = f"/{self._transfer.name}" if self._asked["ExportType"] == FULL else ""
        key = f"{self._root}{whose}/data/{name.rstrip('=').lower()}.json.gz"
        etag = await self._put(key, data)
        return {"itemCount": len(lines), "md5Checksum": _md5(data), "etag": etag, "dataFileS3Key": key}

    async def _put_manifest(self, key: str, text: str) -> None:
        await self._put(f"{key}.json", text.encode())
        await self._put(f"{key}.checksum", _md5(text.encode()).encode())

    async def _put(self, key: str, data: bytes) -> str:
        """An object as the export's owner wants it; its ETag. Raises S3's errors."""
        asked = self._asked
        params: dict[str, Any] = {"Bucket": asked["S3Bucket"], "Key": key, "Body": data}
        if "S3BucketOwner" in asked:
            params["ExpectedBucketOwner"] = asked["S3BucketOwner"]
        if "S3SseAlgorithm" in asked:
            params["ServerSideEncryption"] = _SSE[asked["S3SseAlgorithm"]]
        if "S3SseKmsKeyId" in asked:
            params["SSEKMSKeyId"] = asked["S3SseKmsKeyId"]
        answer = await self._ctx.call("s3", "PutObject", params)
        return str(answer["ETag"]).strip('"')

    def _summary(self, folder: str, items: int, billed: int) -> dict[str, Any]:
        asked = self._asked
        kind = asked["ExportType"]
        found: dict[str, Any] = {
            "version": _VERSIONS[kind],
            "exportArn": self._transfer.arn,
            "startTime": iso_millis(asked["StartTime"]),
            "endTime": iso_millis(self._dynamo.clock.now()),
            "tableArn": self._transfer.table_arn,
            "tableId": asked["TableId"],
        }
        if kind == FULL:
            found["exportTime"] = iso_millis(asked["ExportTime"])
        else:
            begins, ends = self._window()
            found |= {"exportFromTime": iso_millis(begins), "exportToTime": iso_millis(ends)}
        found |= {
            "s3Bucket": asked["S3Bucket"],
            "s3Prefix": asked.get("S3Prefix"),
            "s3SseAlgorithm": asked.get("S3SseAlgorithm", "AES256"),
            "s3SseKmsKeyId": asked.get("S3SseKmsKeyId"),
            "manifestFilesS3Key": f"{folder}/manifest-files.json",
            "billedSizeBytes": billed,
            "itemCount": items,
            "outputFormat": asked["ExportFormat"],
        }
        if kind == INCREMENTAL:
            view = asked["IncrementalExportSpecification"]["ExportViewType"]
            found |= {"outputView": view, "exportType": kind}
        return found


def _check_reach(table: Table, moment: float, now: float) -> None:
    """Recovery may have been switched off, or its window may have gone on."""
    if not table.recovery_days or moment < recovery.span(table, now).earliest:
        raise ServiceError("PointInTimeRecoveryError", "The time of the export is outside of the recovery window now")


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
