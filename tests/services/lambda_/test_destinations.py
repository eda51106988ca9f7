"""What becomes of asynchronous invokes, with functions that really run: records in functions and buckets."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.lambda_.conftest import Account, package

KEEP = """
import json, boto3
def handler(event, context):
    boto3.client("s3").put_object(Bucket=BUCKET, Key=event["requestContext"]["condition"], Body=json.dumps(event))
"""


def settle(aws: Account, until: Any) -> Any:
    """Deliver everything, moving the platform clock over the retries; what `until` finds at last."""
    for _ in range(40):
        aws.platform.drain()
        if found := until():
            return found
        aws.platform.advance(60)
        time.sleep(0.05)
    raise AssertionError("nothing came")


def test_records_reach_a_function_and_a_bucket(aws: Account) -> None:
    """OnSuccess to a function, OnFailure to a bucket after two retries; record 1.0 with the payloads (S4-27)."""
    functions, s3 = aws.client("lambda"), aws.client("s3")
    bucket = f"records-{aws.id}"
    s3.create_bucket(Bucket=bucket)
    aws.create("keeper", Code={"ZipFile": package(app=f"BUCKET = {bucket!r}\n{KEEP}")}, Timeout=20)
    aws.create("f")
    destinations = {
        "OnSuccess": {"Destination": f"arn:aws:lambda:us-east-1:{aws.id}:function:keeper"},
        "OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"},
    }
    functions.put_function_event_invoke_config(FunctionName="f", DestinationConfig=destinations)

    def keys(prefix: str) -> list[str]:
        found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return [entry["Key"] for entry in found]

    def record(prefix: str) -> Any:
        (key,) = settle(aws, lambda: keys(prefix))
        return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    aws.invoke("f", {"n": 1}, InvocationType="Event")
    success = record("Success")
    assert (success["version"], success["requestPayload"]) == ("1.0", {"n": 1})
    assert success["responsePayload"]["event"] == {"n": 1}
    assert success["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}

    aws.invoke("f", {"raise": "no"}, InvocationType="Event")
    failure = record("aws/lambda/async/f/")
    trace = aws.platform.ask(f"/_undercast/trace/{failure['requestContext']['requestId']}")
    labels = [node["label"] for node in trace["nodes"]]
    assert [label.split()[0] for label in labels if label.startswith(("iam:", "s3:PutObject"))] == ["s3:PutObject"]
    assert failure["requestContext"]["condition"] == "RetriesExhausted"
    assert failure["requestContext"]["approximateInvokeCount"] == 3
    assert failure["requestContext"]["functionArn"] == f"arn:aws:lambda:us-east-1:{aws.id}:function:f:$LATEST"
    assert failure["responseContext"]["functionError"] == "Unhandled"
    assert failure["responsePayload"]["errorMessage"] == "no"
    assert len(keys("aws/lambda/async/f/")) == 1


def test_destination_of_an_alias_is_its_own(aws: Account) -> None:
    """Event invoke configurations are per qualifier: the alias fails to a bucket, the function itself nowhere."""
    functions, s3 = aws.client("lambda"), aws.client("s3")
    bucket = f"alias-{aws.id}"
    s3.create_bucket(Bucket=bucket)
    aws.create(Publish=True)
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    destination = {"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}
    functions.put_function_event_invoke_config(
        FunctionName="f", Qualifier="live", DestinationConfig=destination, MaximumRetryAttempts=0
    )
    functions.put_function_event_invoke_config(FunctionName="f", MaximumRetryAttempts=0)
    aws.invoke(event={"raise": "x"}, InvocationType="Event")
    aws.invoke(event={"raise": "y"}, InvocationType="Event", Qualifier="live")
    found = settle(aws, lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"))
    assert len(found) == 1
    assert json.loads(s3.get_object(Bucket=bucket, Key=found[0]["Key"])["Body"].read())["requestPayload"] == {
        "raise": "y"
    }


def test_destination_needs_the_roles_permission(aws: Account) -> None:
    """A role that IAM knows is asked when a destination is configured, and again when a record is sent."""
    functions, s3, iam = aws.client("lambda"), aws.client("s3"), aws.client("iam")
    bucket = f"asked-{aws.id}"
    s3.create_bucket(Bucket=bucket)
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    aws.create(Role=role)
    params = {"FunctionName": "f", "DestinationConfig": {"OnFailure": {"Destination": f"arn:aws:s3:::{bucket}"}}}
    with pytest.raises(ClientError, match="execution role does not have permissions to call PutObject on arn:aws:s3"):
        functions.put_function_event_invoke_config(**params)
    put = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    list_it = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"}

    def allow(*statements: dict[str, str]) -> None:
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=policy)

    allow(put)
    with pytest.raises(ClientError, match="execution role does not have permissions to call ListBucket on arn:aws:s3"):
        functions.put_function_event_invoke_config(**params)
    allow(put, list_it)
    functions.put_function_event_invoke_config(**params, MaximumRetryAttempts=0)
    aws.invoke(event={"raise": "x"}, InvocationType="Event")
    assert len(settle(aws, lambda: s3.list_objects_v2(Bucket=bucket).get("Contents"))) == 1
    iam.delete_role_policy(RoleName="worker", PolicyName="p")
    aws.invoke(event={"raise": "x"}, InvocationType="Event")
    time.sleep(0.3)
    aws.platform.drain()
    assert len(s3.list_objects_v2(Bucket=bucket)["Contents"]) == 1


def test_function_as_destination_needs_the_roles_permission_and_the_other_accounts(aws: Account) -> None:
    """lambda:InvokeFunction, when it is configured and when a record is sent; across accounts the target's policy, too.

    AWS: "Capturing records of Lambda asynchronous invocations" (permissions); "Cross-account policy evaluation logic".
    """
    iam, functions = aws.client("iam"), aws.client("lambda")
    other = aws.other()
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="sender", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    aws.create(Role=role)
    targets = [aws.create("near")["FunctionArn"], other.create("far")["FunctionArn"]]

    def put(target: str) -> None:
        functions.put_function_event_invoke_config(
            FunctionName="f", DestinationConfig={"OnSuccess": {"Destination": target}}
        )

    def refused(target: str) -> None:
        with pytest.raises(ClientError, match="role does not have permissions to call InvokeFunction on arn:aws:la"):
            put(target)

    refused(targets[0])
    allowed = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": targets}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    iam.put_role_policy(RoleName="sender", PolicyName="p", PolicyDocument=policy)
    put(targets[0])
    refused(targets[1])
    other.client("lambda").add_permission(
        FunctionName="far", StatementId="s", Action="lambda:InvokeFunction", Principal=aws.id
    )
    put(targets[1])

    def records() -> int:
        found = other.client("logs").describe_log_groups()["logGroups"]
        if not found:
            return 0
        events = other.client("logs").filter_log_events(logGroupName=found[0]["logGroupName"])["events"]
        return sum("requestContext" in event["message"] for event in events)

    aws.invoke(InvocationType="Event")
    assert settle(aws, records) == 1
    other.client("lambda").remove_permission(FunctionName="far", StatementId="s")
    aws.invoke(InvocationType="Event")
    time.sleep(0.3)
    aws.platform.drain()
    assert records() == 1


def _metrics(aws: Account) -> set[str]:
    """Names of what CloudWatch has of functions."""
    listed = aws.client("cloudwatch").list_metrics(Namespace="AWS/Lambda")["Metrics"]
    return {one["MetricName"] for one in listed}


def test_queues_get_records_and_dead_letters(aws: Account) -> None:
    """A queue gets the record as OnFailure, and as DeadLetterConfig the event itself with three attributes."""
    functions, sqs = aws.client("lambda"), aws.client("sqs")
    urls = [sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("records", "letters")]
    arns = [f"arn:aws:sqs:us-east-1:{aws.id}:{name}" for name in ("records", "letters")]
    aws.create(DeadLetterConfig={"TargetArn": arns[1]})
    assert functions.get_function_configuration(FunctionName="f")["DeadLetterConfig"] == {"TargetArn": arns[1]}
    functions.put_function_event_invoke_config(
        FunctionName="f", MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": arns[0]}}
    )
    aws.invoke(event={"raise": "no"}, InvocationType="Event")

    def receive(url: str) -> Any:
        (message,) = settle(
            aws, lambda: sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"]).get("Messages")
        )
        return message

    record = json.loads(receive(urls[0])["Body"])
    letter = receive(urls[1])
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert json.loads(letter["Body"]) == {"raise": "no"}
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    request_id = record["requestContext"]["requestId"]
    assert attributes == {"RequestID": request_id, "ErrorCode": "200", "ErrorMessage": "no"}
    for url in urls:
        sqs.delete_queue(QueueUrl=url)
    aws.invoke(event={"raise": "no"}, InvocationType="Event")
    failures = {"DestinationDeliveryFailures", "DeadLetterErrors"}
    settle(aws, lambda: failures <= _metrics(aws))
    absent = {"OnFailure": {"Destination": f"{arns[0]}-absent"}}
    with pytest.raises(ClientError, match="The destination ARN"):
        functions.put_function_event_invoke_config(FunctionName="f", DestinationConfig=absent)


def test_a_bus_or_topic_that_is_not_there_is_refused(aws: Account) -> None:
    """AWS's error, for destinations and for dead-letter queues."""
    functions = aws.client("lambda")
    aws.create()
    bus, topic = f"arn:aws:events:us-east-1:{aws.id}:event-bus/none", f"arn:aws:sns:us-east-1:{aws.id}:t"
    for arn in (bus, topic):
        with pytest.raises(ClientError, match=r"The destination ARN .* is invalid"):
            functions.put_function_event_invoke_config(
                FunctionName="f", DestinationConfig={"OnFailure": {"Destination": arn}}
            )
    with pytest.raises(ClientError, match=r"The destination ARN .* is invalid"):
        functions.update_function_configuration(FunctionName="f", DeadLetterConfig={"TargetArn": topic})
