"""Pipes as frozen data.

Pure. AWS: EventBridge Pipes API Reference, CreatePipe, DescribePipe.
"""

import json
from collections.abc import Mapping
from typing import Any

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.clock import moment
from undercast.core.record import record
from undercast.services.event_sources.progress import Table
from undercast.store.database import Row

PRINCIPAL = "pipes.amazonaws.com"
RUNNING, STOPPED = "RUNNING", "STOPPED"
CREATING, UPDATING, STARTING, STOPPING, DELETING = "CREATING", "UPDATING", "STARTING", "STOPPING", "DELETING"
UNDER_WAY = frozenset({CREATING, UPDATING, STARTING, STOPPING, DELETING})
SOURCE_PARAMETERS: Mapping[str, str] = {
    "sqs": "SqsQueueParameters",
    "dynamodb": "DynamoDBStreamParameters",
    "kinesis": "KinesisStreamParameters",
}
"""Service of a source -> member of SourceParameters."""
_DEFAULT_BATCH: Mapping[str, int] = {"sqs": 10, "dynamodb": 100, "kinesis": 100}


@record
class Pipe:
    """One pipe."""

    id: str
    scope: Scope
    name: str
    given: Mapping[str, Any]
    tags: Mapping[str, str]
    desired: str
    state: str
    created_at: float
    changed_at: float

    @property
    def arn(self) -> str:
        """Its ARN."""
        return pipe_arn(self.scope, self.name)

    @property
    def source(self) -> str:
        """The source's ARN."""
        return str(self.given["Source"])

    @property
    def source_service(self) -> str:
        """ "sqs", "dynamodb" or "kinesis"."""
        return Arn.parse(self.source).service

    @property
    def target(self) -> str:
        """The target's ARN."""
        return str(self.given["Target"])

    @property
    def target_parameters(self) -> Mapping[str, Any]:
        """TargetParameters."""
        found: Mapping[str, Any] = self.given.get("TargetParameters") or {}
        return found

    @property
    def progress(self) -> Table:
        """Where it keeps how far it has read its stream."""
        return Table(table="pipes_progress", owner="pipes_pipe", id=self.id)

    def reading(self) -> dict[str, Any]:
        """The source's settings, by the names of Lambda's mappings, with AWS's defaults."""
        service = self.source_service
        parameters = self.given.get("SourceParameters") or {}
        own = parameters.get(SOURCE_PARAMETERS[service]) or {}
        filters = {"FilterCriteria": parameters["FilterCriteria"]} if parameters.get("FilterCriteria") else {}
        bisects = {"BisectBatchOnFunctionError": own.get("OnPartialBatchItemFailure") == "AUTOMATIC_BISECT"}
        return {"BatchSize": _DEFAULT_BATCH[service], **own, **bisects, **filters}

    def summary(self) -> dict[str, Any]:
        """As most answers show it."""
        return {
            "Arn": self.arn,
            "Name": self.name,
            "DesiredState": self.desired,
            "CurrentState": self.state,
            "CreationTime": moment(self.created_at),
            "LastModifiedTime": moment(self.changed_at),
        }


def pipe_arn(scope: Scope, name: str) -> str:
    """The ARN of a pipe."""
    return f"arn:aws:pipes:{scope.region}:{scope.account_id}:pipe/{name}"


def pipe_of(row: Row) -> Pipe:
    """What a row of pipes_pipe says."""
    return Pipe(
        id=row["id"],
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        name=row["name"],
        given=json.loads(row["given"]),
        tags=json.loads(row["tags"]),
        desired=row["desired"],
        state=row["state"],
        created_at=row["created_at"],
        changed_at=row["changed_at"],
    )
