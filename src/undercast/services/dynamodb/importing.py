"""An import that runs: the objects below a prefix become the items of a new table.

The table is CREATING until the end. Items are written in pieces, each with what is counted so far in one commit; an
import that begins again writes the same items. What is no item is counted, told to CloudWatch Logs and left out.
AWS: DynamoDB Developer Guide, "DynamoDB data import from Amazon S3: how it works", "Import format quotas and
validation".
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from undercast.core.body import BodyStream
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.core.recurring import insist, settled
from undercast.services.dynamodb import items, tables, transfers
from undercast.services.dynamodb.import_formats import Ready
from undercast.services.dynamodb.import_reader import BrokenObject, Reader, Result
from undercast.services.dynamodb.instance import Dynamo
from undercast.services.dynamodb.items import New, Origin, Place
from undercast.services.dynamodb.models import Table, named_by_arn
from undercast.services.dynamodb.transfers import Transfer
from undercast.store.database import Tx

LOG_GROUP = "/aws-dynamodb/imports"
MAX_OBJECTS = 50_000
_ITEMS_AT_ONCE = 200
_LOGGED_AT_ONCE = 100
_FAILED_ITEMS = (
    "Some of the items failed validation checks and were not imported. Please check CloudWatch error logs for more "
    "details."
)


def resume(dynamo: Dynamo) -> None:
    """Begin those again that had not ended when the platform did."""
    for transfer in dynamo.database.read_now(lambda tx: transfers.running(tx, transfers.IMPORT)):
        dynamo.tasks.spawn(run(dynamo, transfer))


async def run(dynamo: Dynamo, transfer: Transfer) -> None:
    """To its end: COMPLETED, or FAILED with why. Where nothing was read, there is no table then."""
    one = _Import(dynamo, transfer)
    changes = await settled("the import of a table", one.outcome, partial(transfers.failure, status="ImportStatus"))
    await insist("noting the end of an import", partial(one.finish, changes))


@dataclass(slots=True)
class _Counts:
    bytes: int = 0
    processed: int = 0
    imported: int = 0
    errors: int = 0

    def members(self) -> dict[str, int]:
        """Of the description."""
        return {
            "ProcessedSizeBytes": self.bytes,
            "ProcessedItemCount": self.processed,
            "ImportedItemCount": self.imported,
            "ErrorCount": self.errors,
        }


@record(kw_only=False)
class _Source:
    """Where a record is: its object's key and its number in it."""

    key: str
    index: int


@dataclass(slots=True)
class _Import:
    """One import on its way."""

    dynamo: Dynamo
    transfer: Transfer
    counts: _Counts = field(default_factory=_Counts)
    _failures: list[str] = field(default_factory=list)
    _logs: bool = False

    @property
    def _asked(self) -> Mapping[str, Any]:
        return self.transfer.description

    async def outcome(self) -> dict[str, Any]:
        """Read everything; the members of the description that tell of it. Raises S3's errors."""
        await self.read_all()
        if not self.counts.errors:
            return {"ImportStatus": "COMPLETED"}
        return {"ImportStatus": "FAILED", "FailureCode": "ItemValidationError", "FailureMessage": _FAILED_ITEMS}

    async def read_all(self) -> None:
        """Every object below the prefix. Raises S3's errors."""
        ctx = self.transfer.context(self.dynamo)
        table = self.dynamo.database.read_now(self._table)
        if table is None:
            return
        async for key in self._keys(ctx):
            try:
                await self._read_object(ctx, table, key)
            except BrokenObject as error:
                self._failed(_Source(key, 0), str(error))
            await self._tell(ctx)

    def _table(self, tx: Tx) -> Table | None:
        found = tables.find(tx, named_by_arn(self.transfer.table_arn))
        return found if found is not None and found.table_id == self._asked["TableId"] else None

    def _bucket(self) -> dict[str, str]:
        source = self._asked["S3BucketSource"]
        owner = {"ExpectedBucketOwner": source["S3BucketOwner"]} if "S3BucketOwner" in source else {}
        return {"Bucket": source["S3Bucket"], **owner}

    async def _keys(self, ctx: RequestContext) -> AsyncIterator[str]:
        params: dict[str, Any] = {**self._bucket(), "Prefix": self._asked["S3BucketSource"].get("S3KeyPrefix", "")}
        listed = 0
        while True:
            page = await ctx.call("s3", "ListObjectsV2", params)
            for one in page.get("Contents") or ():
                listed += 1
                if listed > MAX_OBJECTS:
                    raise ServiceError("TooManyObjectsError", f"An import takes at most {MAX_OBJECTS} objects")
                yield one["Key"]
            if not page.get("NextContinuationToken"):
                return
            params["ContinuationToken"] = page["NextContinuationToken"]

    async def _read_object(self, ctx: RequestContext, table: Table, key: str) -> None:
        """Raises BrokenObject, behind what comes before that."""
        pending: list[Ready] = []
        index = 0
        async for results in self._results(ctx, table, key):
            for one in results:
                if isinstance(one, BrokenObject):
                    await self._write(pending)
                    raise one
                if isinstance(one, ServiceError):
                    self._failed(_Source(key, index), one.message)
                else:
                    pending.append(one)
                self.counts.processed += 1
                index += 1
                if len(pending) >= _ITEMS_AT_ONCE:
                    await self._write(pending)
                    pending = []
                if len(self._failures) >= _LOGGED_AT_ONCE:
                    await self._tell(ctx)
        await self._write(pending)

    async def _results(self, ctx: RequestContext, table: Table, key: str) -> AsyncIterator[list[Result]]:
        """The object's records, read in a thread."""
        reader = Reader(table, self._asked)
        found = await ctx.call("s3", "GetObject", {**self._bucket(), "Key": key})
        body = found["Body"]
        stream = body if isinstance(body, BodyStream) else BodyStream.of(body) if isinstance(body, bytes) else body
        before = self.counts.bytes
        async for chunk in stream:
            steps = reader.read(chunk)
            while (results := await asyncio.to_thread(next, steps, None)) is not None:
                self.counts.bytes = before + reader.bytes
                yield results
        yield await asyncio.to_thread(reader.end)

    async def _write(self, ready: list[Ready]) -> None:
        def write(tx: Tx) -> int:
            table = self._table(tx)
            if table is None:
                return 0
            for one in ready:
                place = Place(self.dynamo, tx, table, one.key)
                old = items.find(tx, table, one.key)
                items.change(place, Origin(None, self.dynamo.clock.now()), old, New(one.item, one.size))
            counts = {**self.counts.members(), "ImportedItemCount": self.counts.imported + len(ready)}
            transfers.note(tx, self.transfer, counts)
            return len(ready)

        self.counts.imported += await self.dynamo.database.write(write, long=True)

    def _failed(self, source: _Source, message: str) -> None:
        self.counts.errors += 1
        bucket = self._asked["S3BucketSource"]["S3Bucket"]
        pointer = {"bucket": bucket, "key": source.key, "itemIndex": source.index}
        entry = {"itemS3Pointer": pointer, "importArn": self.transfer.arn, "errorMessages": [message]}
        self._failures.append(json.dumps(entry, separators=(",", ":")))

    async def _tell(self, ctx: RequestContext) -> None:
        """Write the errors to the log stream of this import. Raises CloudWatchLogsError."""
        try:
            await self._log(ctx)
        except ServiceError as error:
            raise ServiceError("CloudWatchLogsError", error.message) from error

    async def _log(self, ctx: RequestContext) -> None:
        stream = {"logGroupName": LOG_GROUP, "logStreamName": f"{self.transfer.name}/error"}
        failures, self._failures = self._failures, []
        if failures and not self._logs:
            await _made(ctx, "CreateLogGroup", {"logGroupName": LOG_GROUP})
            await _made(ctx, "CreateLogStream", stream)
            self._logs = True
        for first in range(0, len(failures), _LOGGED_AT_ONCE):
            at = int(self.dynamo.clock.now() * 1000)
            events = [{"timestamp": at, "message": one} for one in failures[first : first + _LOGGED_AT_ONCE]]
            await ctx.call("logs", "PutLogEvents", {**stream, "logEvents": events})

    async def finish(self, changes: Mapping[str, Any]) -> None:
        """The table is ACTIVE, or gone where nothing came from S3."""
        now = self.dynamo.clock.now()

        def write(tx: Tx) -> None:
            transfers.note(tx, self.transfer, {**self.counts.members(), **changes}, now)
            table = self._table(tx)
            if table is None:
                return
            if changes["ImportStatus"] == "FAILED" and not self.counts.processed:
                tables.delete(tx, table)
            else:
                kept = {name: value for name, value in table.definition.items() if name != "ImportArn"}
                tables.set_definition(tx, table, kept)
            self.dynamo.tables.changed(tx, table.of)

        await self.dynamo.database.write(write, long=True)


async def _made(ctx: RequestContext, operation: str, params: Mapping[str, Any]) -> None:
    try:
        await ctx.call("logs", operation, params)
    except ServiceError as error:
        if error.code != "ResourceAlreadyExistsException":
            raise
