"""What names a resource in a request is looked at before the request is allowed.

A log group that was named by logGroupIdentifier was once guarded by nothing: `access` read logGroupName alone.
"""

import ast
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from undercast.core.service import Manifest
from undercast.services.registry import discover

NAMING = re.compile(r"(Name|Arn|ARN|Identifier|Url|Id)s?$")
"""Members of botocore's models that name resources end so."""
CALLERS_WORK = "who asks is the caller: done by `ctx.call` or as the role that is passed"
PART = "names a part of the resource that another member names"
PAGE = "where a page of a list begins"
REVISION = "a revision that the change expects"
TEXT = "a name for what is made, in no ARN"
FILTER = "what a list on * is narrowed to"
GUARDED_BY_ID = "made here at random, and guarded by its resource type or by the account"
NOT_ASKED: Mapping[str, Mapping[str, str]] = {
    "cloudwatch": {
        "AnomalyDetectorIds?": "the action has no resource: Service Authorization Reference",
        "(ChildrenOf|ParentsOf)AlarmName": FILTER,
        "MetricName": "metrics are no resources",
        "ThresholdMetricId": PART,
    },
    "dynamodb": {
        "BackupName": TEXT,
        "ExpressionAttributeNames": "condition_keys.py",
        "ExclusiveStart(BackupArn|TableName)": PAGE,
        "ExpectedRevisionId": REVISION,
        "S3SseKmsKeyId": CALLERS_WORK,
        "SourceTable(Arn|Name)": "operations/restoring.py, `source`",
    },
    "dynamodbstreams": {"ExclusiveStart(ShardId|StreamArn)": PAGE, "ShardId": PART, "TableName": FILTER},
    "events": {
        "ConnectionArn": "an own connection, whose use AWS does not ask about",
        "EventSourceArn": "an own bus or archive, whose use AWS does not ask about",
        "(Ids|StatementId)": PART,
        "KmsKeyIdentifier": CALLERS_WORK,
        "TargetArn": FILTER,
    },
    "iam": {
        "AccessKeyId": "a key of the user that UserName or the caller is",
        "(ActionNames|CallerArn|ResourceArns)": "what a simulation is about",
        "DeletionTaskId": GUARDED_BY_ID,
        "(User|Group)Name": "kinds.py has the name from the kind of entity",
        "New(User|Group)Name": TEXT,
        "VersionId": PART,
    },
    "kinesis": {
        "ExclusiveStart(ShardId|StreamName)": PAGE,
        "KeyId": "the key that is in use; nothing is done with it",
        "ShardId": PART,
    },
    "kms": {"GrantId": PART, "Name": TEXT, "PolicyName": PART},
    "lambda": {
        "EventSourceArn": "read as the function's role: Service Authorization Reference",
        "Name": "an alias, for which IAM asks about its function",
        "(InvokedViaFunctionUrl|OrganizationId|SourceArn|StatementId)": "what the statement says that is made",
        "RevisionId": REVISION,
    },
    "logs": {
        "expectedRevisionId": REVISION,
        "filterName": PART,
        "logStreamNames": PART,
        "metricName": FILTER,
        "policyName": "the action has no resource: Service Authorization Reference",
        "(queryDefinitionId|queryId|taskId)": "the action has no resource: Service Authorization Reference",
        "targetArn": "written as the role that is passed",
        "taskName": TEXT,
    },
    "s3": {"SSEKMSKeyId": "condition_keys.py; used by the caller", "UploadId": PART},
    "secretsmanager": {
        "(MoveTo|RemoveFrom)?VersionId": PART,
    },
    "sns": {
        "AWSAccountId": "what the statement says that is made",
        "ActionName": "what the statement says that is made",
        "Message(Deduplication|Group)Id": PART,
        "ReturnSubscriptionArn": "true or false",
    },
    "sqs": {
        "AWSAccountIds": "what the statement says that is made",
        "(Message(System)?)?AttributeNames": PART,
        "(Message(Deduplication|Group)|ReceiveRequestAttempt)Id": PART,
    },
    "ssm": {"KeyId": CALLERS_WORK},
    "sts": {"AccessKeyId": "GetAccessKeyInfo needs no permission", "PolicyArns": "they narrow the session"},
    "xray": {"TraceIds": "traces are no resources"},
}
"""Service -> members that `access` does not read -> why."""


@pytest.mark.parametrize("manifest", tuple(discover()), ids=lambda manifest: manifest.name)
def test_what_names_a_resource_is_read_by_access(manifest: Manifest) -> None:
    """Or it has its reason in NOT_ASKED, where nothing may stand that needs none."""
    read = texts(manifest)
    naming = {one for members in manifest.effective.values() for one in members if NAMING.search(one)}
    excepted = NOT_ASKED.get(manifest.name, {})
    unread = sorted(naming - read)
    assert [one for one in unread if not any(re.fullmatch(pattern, one) for pattern in excepted)] == []
    assert [pattern for pattern in excepted if not any(re.fullmatch(pattern, one) for one in unread)] == []


def texts(manifest: Manifest) -> frozenset[str]:
    """The texts in the module of a service's `access`."""
    assert manifest.access is not None, "the gateway would ask about no resource"
    spec = find_spec(manifest.access.__module__)
    assert spec is not None and spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    return frozenset(
        node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
