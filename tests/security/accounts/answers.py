"""What requests that name another account's resources need beside what the models say, and which AWS answers.

An answer tells nothing of the owner's and changes nothing of theirs: the test holds that of these, too.
"""

import json
from collections.abc import Mapping
from typing import Any

from tests.security.accounts.estate import Names

OWN = "a name of the caller's own: nothing says whose it is but the caller's account"
LISTED = "what the caller's own are narrowed to"
IDEMPOTENT = "done, as there is none in the caller's account"
ANSWERED: Mapping[str, Mapping[str, str]] = {
    "cloudwatch": {
        "DescribeAlarm(s|History|sForMetric)": LISTED,
        "(Dis|En)ableAlarmActions": IDEMPOTENT,
        "Put(CompositeAlarm|MetricAlarm|Dashboard)": OWN,
        "SetAlarmState": "an alarm that the caller has made under that name by then",
    },
    "dynamodb": {"(Create|Import)Table": OWN, "List(Backups|Exports|Imports)": LISTED},
    "dynamodbstreams": {"ListStreams": LISTED},
    "events": {
        "(Create|Delete)EventBus": OWN,
        "(Create|Update)(Archive|Connection|ApiDestination)": OWN,
        "List(ApiDestinations|Archives|Replays)": LISTED,
    },
    "iam": {
        "(Create|Delete)(Group|InstanceProfile|Policy|Role|User)": OWN,
        "CreateAccountAlias": "EntityAlreadyExists: aliases are unique on all of AWS",
    },
    "kms": {
        "List(Aliases|RetirableGrants)": LISTED,
    },
    "lambda": {
        "DeleteLayerVersion": IDEMPOTENT,
        "List(EventSourceMappings|LayerVersions)": LISTED,
        "PublishLayerVersion": OWN,
    },
    "logs": {
        "(Create|Delete)Log(Group|Stream)": OWN,
        "Describe(ExportTasks|LogGroups|Queries)": LISTED,
    },
    "s3": {
        "CreateBucket": "BucketAlreadyExists: names of buckets are unique on all of AWS",
        "DeleteObjects": "200 with an AccessDenied for each key (S3 API, DeleteObjects)",
    },
    "scheduler": {"(Create|Delete)ScheduleGroup": OWN},
    "secretsmanager": {"BatchGetSecretValue": "200 with an error for each secret (API, BatchGetSecretValue)"},
    "sns": {
        "(Create|Delete)SMSSandboxPhoneNumber": OWN,
        "ConfirmSubscription": "who has the token may, and this one is none (API, ConfirmSubscription)",
    },
    "sqs": {"CreateQueue": OWN},
    "ssm": {
        "(Delete|Get)Parameters": "200 with the names as InvalidParameters (API, GetParameters)",
        "GetParametersByPath": LISTED,
        "PutParameter": OWN,
    },
    "sts": {"GetAccessKeyInfo": "tells the account of any key to anybody (STS API, GetAccessKeyInfo)"},
    "xray": {
        "(BatchGetTraces|GetTraceGraph)": LISTED,
        "CreateSamplingRule": OWN,
        "PutTelemetryRecords": "ResourceARN says where the caller's own daemon runs",
    },
}
"""Service -> operations that AWS answers, or refuses for another reason -> why."""


def more(service: str, names: Names) -> Mapping[str, Mapping[str, Any]]:
    """Operation -> members that make its request one that gets as far as whose the resource is; None: without it."""
    function = {
        "dynamodb": _dynamodb, "events": _events, "iam": _iam, "kms": _kms, "lambda": _lambda, "logs": _logs,
        "secretsmanager": _secretsmanager,
    }.get(service)  # fmt: skip
    return function(names) if function is not None else {}


def _dynamodb(names: Names) -> Mapping[str, Mapping[str, Any]]:
    arn, key, item = names["TableName"][0], {"pk": {"S": "k"}}, {"pk": {"S": "k"}, "v": {"S": "x"}}
    statement = f'SELECT * FROM "{arn}"'
    stream = arn.replace(":dynamodb:", ":kinesis:").partition(":table/")[0] + ":stream/stream"
    to_stream = {"StreamArn": stream}
    return {
        "BatchExecuteStatement": {"Statements": [{"Statement": f"{statement} WHERE pk = 'k'"}]},
        "BatchGetItem": {"RequestItems": {arn: {"Keys": [key]}}},
        "BatchWriteItem": {"RequestItems": {arn: [{"PutRequest": {"Item": item}}]}},
        "DeleteItem": {"Key": key},
        "DisableKinesisStreamingDestination": to_stream,
        "EnableKinesisStreamingDestination": to_stream,
        "ExecuteStatement": {"Statement": statement},
        "ExecuteTransaction": {"TransactStatements": [{"Statement": f"{statement} WHERE pk = 'k'"}]},
        "GetItem": {"Key": key},
        "PutItem": {"Item": item},
        "Query": {
            "KeyConditionExpression": "pk = :k",
            "ExpressionAttributeValues": {":k": {"S": "k"}},
        },
        "TransactGetItems": {"TransactItems": [{"Get": {"TableName": arn, "Key": key}}]},
        "TransactWriteItems": {"TransactItems": [{"Delete": {"TableName": arn, "Key": key}}]},
        "UpdateItem": {"Key": key},
        "UpdateKinesisStreamingDestination": to_stream,
        "UpdateTable": {"BillingMode": "PAY_PER_REQUEST"},
    }


def _events(names: Names) -> Mapping[str, Mapping[str, Any]]:
    bus = {"Name": names["EventBusName"][0]}
    buses = {"DescribeEventBus": bus, "DeleteEventBus": bus, "UpdateEventBus": {"Name": "bus"}}
    window = {"EventStartTime": 1_700_000_000, "EventEndTime": 1_700_000_060}
    own = {"EventBusName": "bus", "StatementId": "sid"}
    permissions = {
        "PutPermission": own | {"Action": "events:PutEvents", "Principal": "*"},
        "RemovePermission": own,
    }
    return buses | permissions | {"StartReplay": window | {"EventSourceArn": names["EventSourceArn"][1]}}


def _iam(_: Names) -> Mapping[str, Mapping[str, Any]]:
    everybody = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
    return {"UpdateAssumeRolePolicy": {"PolicyDocument": trust}}


def _kms(names: Names) -> Mapping[str, Mapping[str, Any]]:
    ciphertext = names["CiphertextBlob"][0]
    size = {"NumberOfBytes": 32}
    return {
        "Decrypt": {"CiphertextBlob": ciphertext, "KeyId": None},
        "GenerateDataKey": size,
        "GenerateDataKeyWithoutPlaintext": size,
        "ReEncrypt": {"CiphertextBlob": ciphertext, "SourceKeyId": None},
    }


def _lambda(_: Names) -> Mapping[str, Mapping[str, Any]]:
    retries = {"MaximumRetryAttempts": 0}
    return {
        "AddLayerVersionPermission": {"Action": "lambda:GetLayerVersion"},
        "InvokeAsync": {"InvokeArgs": b"{}"},
        "PutFunctionEventInvokeConfig": retries,
        "UpdateFunctionEventInvokeConfig": retries,
    }


def _logs(_: Names) -> Mapping[str, Mapping[str, Any]]:
    in_two_ways = {
        "AssociateKmsKey", "DescribeLogStreams", "DisassociateKmsKey", "FilterLogEvents", "GetLogEvents",
        "GetLogGroupFields", "StartQuery",
    }  # fmt: skip
    return {one: {"logGroupName": None} for one in in_two_ways} | {"CreateExportTask": {"from": 1, "to": 2}}


def _secretsmanager(names: Names) -> Mapping[str, Mapping[str, Any]]:
    return {"UpdateSecretVersionStage": {"MoveToVersionId": names["VersionId"][0]}}
