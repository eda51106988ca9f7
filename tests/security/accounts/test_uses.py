"""What an account makes of its own uses nothing of another account's: it is refused, or has no effect there.

The role and the user that ask may do anything in their own account. AWS: IAM User Guide, "Cross-account policy
evaluation logic", "The confused deputy problem", "Grant a user permissions to pass a role to an AWS service".
"""

import io
import json
import time
import zipfile
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.security.accounts.conftest import Accounts
from tests.security.accounts.estate import ALLOW_ALL, REGION, SECRET, until

Use = tuple[str, str, Mapping[str, Any]]
"""(service, operation, parameters)."""
TRACES = ("event_", "causal_edge ", "clock")
"""Tables in which the platform notes what it did; a delivery that was refused is noted there."""
KEYS = {"KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}], "BillingMode": "PAY_PER_REQUEST"}
TABLE = {**KEYS, "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}]}
ALARM = {
    "MetricName": "m", "Namespace": "n", "Period": 60, "EvaluationPeriods": 1, "Statistic": "Sum", "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
}  # fmt: skip


class Uses:
    """What the other account has, and how it would use the owner's."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._clients: dict[str, Any] = {}
        names = accounts.names
        self.key, self.bucket = names["kms"]["KeyId"][0], names["s3"]["Bucket"][0]
        self.topic, self.bus = names["sns"]["TopicArn"][0], names["events"]["EventBusName"][0]
        self.layer, self.signing = names["lambda"]["Arn"][0], names["lambda"]["CodeSigningConfigArn"][0]
        self.table_stream, self.destination = (
            names["dynamodbstreams"]["StreamArn"][0],
            names["logs"]["destinationArn"][0],
        )
        self.function, self.queue = names["lambda"]["FunctionName"][0], self.arn("sqs", "queue")
        self.queue_url, self.stream = names["sqs"]["QueueUrl"][0], self.arn("kinesis", "stream/stream")
        self.owners_role = f"arn:aws:iam::{accounts.owner}:role/role"
        self.role, self.mine = f"arn:aws:iam::{accounts.other}:role/worker", f"mine-{accounts.other}"

    def arn(self, service: str, resource: str, *, own: bool = False) -> str:
        """The owner's, or one's own."""
        account = self._accounts.other if own else self._accounts.owner
        return f"arn:aws:{service}:{REGION}:{account}:{resource}"

    def ask(self, service: str, operation: str, params: Mapping[str, Any]) -> Any:
        """As the other's administrator."""
        if service not in self._clients:
            self._clients[service] = self._accounts.client(service)
        return self._clients[service]._make_api_call(operation, dict(params))

    def prepare(self) -> None:
        """Make what of one's own is to use the owner's."""
        services = [f"{name}.amazonaws.com" for name in ("lambda", "scheduler", "pipes", "logs", "events")]
        trusted = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
        self.ask("iam", "CreateRole", {"RoleName": "worker", "AssumeRolePolicyDocument": trust})
        allowed = {"RoleName": "worker", "PolicyName": "all", "PolicyDocument": ALLOW_ALL}
        self.ask("iam", "PutRolePolicy", allowed)
        self.ask("s3", "CreateBucket", {"Bucket": self.mine})
        self.ask("lambda", "CreateFunction", self._function("mine"))
        self.ask("logs", "CreateLogGroup", {"logGroupName": "mine"})
        self.ask("sqs", "CreateQueue", {"QueueName": "mine"})
        self.ask("sns", "CreateTopic", {"Name": "mine"})
        self.ask("dynamodb", "CreateTable", {"TableName": "mine", **TABLE})
        recovered = {"PointInTimeRecoveryEnabled": True}
        continuous = {"TableName": "mine", "PointInTimeRecoverySpecification": recovered}
        self.ask("dynamodb", "UpdateContinuousBackups", continuous)
        self.ask("kinesis", "CreateStream", {"StreamName": "mine", "ShardCount": 1})
        self.ask("events", "PutRule", {"Name": "mine", "EventPattern": '{"source": ["x"]}'})

    def refused(self) -> Iterator[Use]:
        """At once: the owner's would be used while the request is served, or is named for good."""
        code, rule = {"S3Bucket": self.bucket, "S3Key": "key"}, {"Rule": "mine"}
        yield "lambda", "CreateFunction", self._function("a") | {"Role": self.owners_role}
        yield "lambda", "CreateFunction", self._function("b") | {"Code": code}
        yield "lambda", "CreateFunction", self._function("c") | {"Layers": [self.layer]}
        yield "lambda", "CreateFunction", self._function("d") | {"CodeSigningConfigArn": self.signing}
        yield "lambda", "UpdateFunctionCode", {"FunctionName": "mine", **code}
        yield "lambda", "PublishLayerVersion", {"LayerName": "mine", "Content": code}
        for source in (self.queue, self.stream, self.table_stream):
            mapped = {"FunctionName": "mine", "EventSourceArn": source}
            start = {} if source == self.queue else {"StartingPosition": "TRIM_HORIZON"}
            yield "lambda", "CreateEventSourceMapping", mapped | start
        yield "s3", "CopyObject", {"Bucket": self.mine, "Key": "k", "CopySource": f"{self.bucket}/key"}
        encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": self.key}
        yield "s3", "PutObject", {"Bucket": self.mine, "Key": "k", "Body": b"x", **encrypted}
        yield "secretsmanager", "CreateSecret", {"Name": "mine", "SecretString": "x", "KmsKeyId": self.key}
        yield "ssm", "PutParameter", {"Name": "mine", "Value": "x", "Type": "SecureString", "KeyId": self.key}
        yield "logs", "AssociateKmsKey", {"logGroupName": "mine", "kmsKeyId": self.key}
        following = {"logGroupName": "mine", "filterName": "f", "filterPattern": ""}
        yield "logs", "PutSubscriptionFilter", following | {"destinationArn": self.destination}
        yield "logs", "PutSubscriptionFilter", following | {"destinationArn": self.stream, "roleArn": self.role}
        yield "logs", "PutSubscriptionFilter", following | {"destinationArn": self.function}
        there = {"destinationName": "mine", "targetArn": self.stream}
        yield "logs", "PutDestination", there | {"roleArn": self.role}
        export = {"logGroupName": "mine", "destination": self.bucket, "from": 1, "to": int(time.time() * 1000)}
        yield "logs", "CreateExportTask", export
        yield "dynamodb", "EnableKinesisStreamingDestination", {"TableName": "mine", "StreamArn": self.stream}
        sealed = {"SSESpecification": {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": self.key}}
        yield "dynamodb", "UpdateTable", {"TableName": "mine", **sealed}
        sealing = {"EncryptionType": "KMS", "KeyId": self.key}
        yield "kinesis", "StartStreamEncryption", {"StreamName": "mine", **sealing}
        passed = [{"Id": "1", "Arn": self.bus, "RoleArn": self.owners_role}]
        yield "events", "PutTargets", rule | {"Targets": passed}
        yield "events", "CreateArchive", {"ArchiveName": "mine", "EventSourceArn": self.bus}
        yield (
            "scheduler",
            "CreateSchedule",
            self._schedule("a", self.queue) | {"Target": {"Arn": self.queue, "RoleArn": self.owners_role}},
        )
        mine = self.arn("sqs", "mine", own=True)
        yield "sqs", "StartMessageMoveTask", {"SourceArn": mine, "DestinationArn": self.queue}
        letters = json.dumps({"deadLetterTargetArn": self.queue, "maxReceiveCount": 1})
        yield "sqs", "CreateQueue", {"QueueName": "letters", "Attributes": {"RedrivePolicy": letters}}
        yield "kms", "CreateAlias", {"AliasName": "alias/mine", "TargetKeyId": self.key}
        yield "cloudwatch", "PutCompositeAlarm", {"AlarmName": "mine", "AlarmRule": 'ALARM("alarm")'}

    def accepted(self) -> Iterator[Use]:
        """AWS looks at the owner's only when something is sent there: denied then."""
        seen = {"QueueConfigurations": [{"QueueArn": self.queue, "Events": ["s3:ObjectCreated:*"]}]}
        notified = {"Bucket": self.mine, "NotificationConfiguration": seen, "SkipDestinationValidation": True}
        yield "s3", "PutBucketNotificationConfiguration", notified
        yield "s3", "PutObject", {"Bucket": self.mine, "Key": "told", "Body": b"x"}
        mine = self.arn("sqs", "mine", own=True)
        targets = [
            {"Id": "bus", "Arn": self.bus, "RoleArn": self.role},
            {"Id": "letters", "Arn": mine, "DeadLetterConfig": {"Arn": self.queue}},
        ]
        yield "events", "PutTargets", {"Rule": "mine", "Targets": targets}
        yield "events", "PutEvents", {"Entries": [{"Source": "x", "DetailType": "d", "Detail": "{}"}]}
        yield "scheduler", "CreateSchedule", self._schedule("send", self.queue)
        purge = {"Input": json.dumps({"QueueUrl": self.queue_url})}
        yield (
            "scheduler",
            "CreateSchedule",
            self._schedule("purge", "arn:aws:scheduler:::aws-sdk:sqs:purgeQueue", purge),
        )
        yield "pipes", "CreatePipe", {"Name": "from", "Source": self.queue, "Target": mine, "RoleArn": self.role}
        yield "pipes", "CreatePipe", {"Name": "to", "Source": mine, "Target": self.queue, "RoleArn": self.role}
        url = self.queue_url.replace(self._accounts.owner, self._accounts.other).rpartition("/")[0] + "/mine"
        yield "sqs", "SendMessage", {"QueueUrl": url, "MessageBody": "x"}
        yield (
            "cloudwatch",
            "PutMetricAlarm",
            {"AlarmName": "told", "AlarmActions": [self.topic, self.function], **ALARM},
        )
        yield "cloudwatch", "SetAlarmState", {"AlarmName": "told", "StateValue": "ALARM", "StateReason": "x"}
        topic = self.arn("sns", "mine", own=True)
        for protocol, endpoint in (("sqs", self.queue), ("lambda", self.function)):
            yield "sns", "Subscribe", {"TopicArn": topic, "Protocol": protocol, "Endpoint": endpoint}
        yield "sns", "Publish", {"TopicArn": topic, "Message": "x"}
        export = {"TableArn": self.arn("dynamodb", "table/mine", own=True), "S3Bucket": self.bucket}
        yield "dynamodb", "ExportTableToPointInTime", export
        imported = {"S3BucketSource": {"S3Bucket": self.bucket}, "InputFormat": "CSV"}
        yield "dynamodb", "ImportTable", imported | {"TableCreationParameters": {"TableName": "imported", **TABLE}}

    def _function(self, name: str) -> dict[str, Any]:
        body = io.BytesIO()
        with zipfile.ZipFile(body, "w") as package:
            package.writestr("bootstrap", "x")
        made = {"FunctionName": name, "Runtime": "provided.al2023", "Role": self.role, "Handler": "x"}
        return made | {"Code": {"ZipFile": body.getvalue()}}

    def _schedule(self, name: str, target: str, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Due each minute."""
        when = {"ScheduleExpression": "rate(1 minute)", "FlexibleTimeWindow": {"Mode": "OFF"}}
        return {"Name": name, "Target": {"Arn": target, "RoleArn": self.role, **(more or {})}, **when}


@pytest.fixture
def uses(accounts: Accounts) -> Uses:
    """With all that is its own."""
    made = Uses(accounts)
    made.prepare()
    return made


def test_nothing_of_another_accounts_is_used(accounts: Accounts, uses: Uses) -> None:
    """Refused at once, or accepted, as on AWS, and denied when it is to be used; the owner's stays as it was."""
    before, messages = accounts.rows(), _messages(accounts)
    for service, operation, params in uses.refused():
        with pytest.raises(ClientError) as caught:
            pytest.fail(f"{service} {operation} {params}: {uses.ask(service, operation, params)}")
        assert SECRET not in str(caught.value)
    for service, operation, params in uses.accepted():
        uses.ask(service, operation, params)
    accounts.platform.advance(61)  # the schedules are due
    accounts.platform.drain()
    for pipe in ("from", "to"):
        until(partial(_is_denied, uses, pipe))
    until(partial(_has_failed, uses, "Export"))
    until(partial(_has_failed, uses, "Import"))
    after = accounts.rows()
    assert [row for row in (before - after) if not row.startswith(TRACES)] == []
    assert [row for row in (after - before) if accounts.owner in row and not row.startswith(TRACES)] == []
    assert _messages(accounts) == messages


def _messages(accounts: Accounts) -> Mapping[str, str]:
    """How many the owner's queue has, and how many of them are being received."""
    wanted = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    url = accounts.names["sqs"]["QueueUrl"][0]
    sqs = accounts.platform.client("sqs", account=accounts.owner)
    found: Mapping[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=wanted)["Attributes"]
    return found


def _is_denied(uses: Uses, pipe: str) -> bool:
    return "not authorized" in uses.ask("pipes", "DescribePipe", {"Name": pipe}).get("StateReason", "")


def _has_failed(uses: Uses, kind: str) -> bool:
    listed = uses.ask("dynamodb", f"List{kind}s", {})
    entries = listed["ExportSummaries" if kind == "Export" else "ImportSummaryList"]
    return [entry[f"{kind}Status"] for entry in entries] == ["FAILED"]
