"""Export tasks: a group's events as objects of a bucket.

AWS: CloudWatch Logs User Guide, "Export log data to Amazon S3 using the AWS CLI".
"""

import gzip
import json
import time
from typing import Any

import pytest

from tests.platform import RunningPlatform


def ended(logs: Any, task: str) -> dict[str, Any]:
    """The task when it has ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        (found,) = logs.describe_export_tasks(taskId=task)["exportTasks"]
        if found["status"]["code"] not in ("PENDING", "RUNNING"):
            return dict(found)
        time.sleep(0.05)
    raise AssertionError("the task did not end")


def allowed(account: str, action: Any, resource: str) -> dict[str, Any]:
    """A statement of AWS's examples: CloudWatch Logs, for groups of the account."""
    condition = {"StringEquals": {"aws:SourceAccount": [account]},
                 "ArnLike": {"aws:SourceArn": [f"arn:aws:logs:us-east-1:{account}:log-group:*"]}}  # fmt: skip
    principal = {"Service": "logs.us-east-1.amazonaws.com"}
    return {"Action": action, "Effect": "Allow", "Resource": resource, "Condition": condition, "Principal": principal}


def let_in(s3: Any, bucket: str, account: str) -> None:
    """The bucket's policy of AWS's example."""
    needed = (("s3:GetBucketAcl", f"arn:aws:s3:::{bucket}"), ("s3:PutObject", f"arn:aws:s3:::{bucket}/*"))
    statements = [allowed(account, action, resource) for action, resource in needed]
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))


def test_events_become_objects_where_the_bucket_lets_logs_in(platform: RunningPlatform, account: str) -> None:
    """The policy of AWS's example; a test object; one gzip object for each stream, lines with times."""
    logs, s3 = platform.client("logs", account=account), platform.client("s3", account=account)
    bucket = f"exports-{account}"
    s3.create_bucket(Bucket=bucket)
    logs.create_log_group(logGroupName="app")
    now = int(time.time() * 1000)
    for stream in ("a/1", "a/2", "b"):
        logs.create_log_stream(logGroupName="app", logStreamName=stream)
        events = [{"timestamp": now + number, "message": f"{stream} line {number}"} for number in range(3)]
        logs.put_log_events(logGroupName="app", logStreamName=stream, logEvents=events)
    task = {
        "logGroupName": "app", "from": now, "to": now + 1, "destination": bucket, "logStreamNamePrefix": "a/",
        "destinationPrefix": "out", "taskName": "t",
    }  # fmt: skip
    with pytest.raises(logs.exceptions.InvalidParameterException, match="GetBucketAcl call on the given bucket failed"):
        logs.create_export_task(**task)
    let_in(s3, bucket, account)
    made = logs.create_export_task(**task)["taskId"]
    found = ended(logs, made)
    assert (found["status"]["code"], found["taskName"], found["destinationPrefix"]) == ("COMPLETED", "t", "out")
    assert found["executionInfo"]["completionTime"] >= found["executionInfo"]["creationTime"]
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    first = f"out/{made}/a-1/000000.gz"
    assert set(keys) == {first, f"out/{made}/a-2/000000.gz", "out/aws-logs-write-test"}
    text = gzip.decompress(s3.get_object(Bucket=bucket, Key=first)["Body"].read()).decode()
    assert [line.split(" ", 1)[1] for line in text.splitlines()] == ["a/1 line 0", "a/1 line 1"]
    assert text.startswith(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now / 1000)))
    with pytest.raises(logs.exceptions.InvalidOperationException):
        logs.cancel_export_task(taskId=made)
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.cancel_export_task(taskId="none")
    assert logs.describe_export_tasks(statusCode="FAILED")["exportTasks"] == []


def test_the_key_of_the_bucket_must_let_logs_in(platform: RunningPlatform, account: str) -> None:
    """User Guide, "Export log data to Amazon S3 using the AWS CLI", SSE-KMS: the key's policy names CloudWatch Logs."""
    logs, s3, kms = (platform.client(service, account=account) for service in ("logs", "s3", "kms"))
    bucket, key = f"sealed-{account}", kms.create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket=bucket)
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    let_in(s3, bucket, account)
    logs.create_log_group(logGroupName="app")
    logs.create_log_stream(logGroupName="app", logStreamName="a")
    now = int(time.time() * 1000)
    logs.put_log_events(logGroupName="app", logStreamName="a", logEvents=[{"timestamp": now, "message": "one"}])
    task = {"logGroupName": "app", "from": now, "to": now + 1, "destination": bucket}
    with pytest.raises(logs.exceptions.InvalidParameterException, match="PutObject call on the given bucket failed"):
        logs.create_export_task(**task)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    policy = json.loads(kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"])
    policy["Statement"].append(allowed(account, ["kms:GenerateDataKey", "kms:Decrypt"], "*"))
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(policy))
    made = logs.create_export_task(**task)["taskId"]
    assert ended(logs, made)["status"]["code"] == "COMPLETED"
    assert s3.head_object(Bucket=bucket, Key=f"exportedlogs/{made}/a/000000.gz")["SSEKMSKeyId"] == key
