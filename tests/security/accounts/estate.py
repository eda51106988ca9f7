"""One resource of each kind of one account, and by which names requests find them.

Each function makes a service's and returns member of botocore's models -> what names them, the ARN first. Nothing has a
resource policy, and nothing changes by itself. AWS: the API reference of each service.
"""

import io
import json
import time
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

Client = Callable[[str], Any]
Names = Mapping[str, tuple[Any, ...]]

SECRET = "known-to-the-owner-alone"
"""Wherever the owner can write a text of its own. No answer to anybody else has it."""
REGION = "us-east-1"
TAGS = [{"Key": "k", "Value": SECRET}]
TAG_MAP = {"k": SECRET}
ALLOW_ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})


def _arn(service: str, account: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{account}:{resource}"


def until(done: Callable[[], bool]) -> None:
    """Ask until it is so; each question takes the platform a round."""
    assert any(done() for _ in range(10_000)), "it never was"


def archive() -> bytes:
    """A function's package."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as package:
        package.writestr("bootstrap", SECRET)
    return body.getvalue()


def iam(client: Client, account: str) -> Names:
    """The role of the others is made here."""
    of = client("iam")
    services = [f"{name}.amazonaws.com" for name in ("lambda", "scheduler", "pipes", "logs", "events")]
    trusted = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
    policy = of.create_policy(PolicyName="policy", PolicyDocument=ALLOW_ALL, Description=SECRET, Tags=TAGS)["Policy"][
        "Arn"
    ]
    of.create_policy_version(PolicyArn=policy, PolicyDocument=ALLOW_ALL, SetAsDefault=True)
    role = of.create_role(RoleName="role", AssumeRolePolicyDocument=trust, Description=SECRET, Tags=TAGS)["Role"]["Arn"]
    of.create_user(UserName="user", Tags=TAGS)
    of.create_group(GroupName="group")
    of.add_user_to_group(GroupName="group", UserName="user")
    for kind in ("Role", "User", "Group"):
        named = {f"{kind}Name": kind.lower()}
        getattr(of, f"put_{kind.lower()}_policy")(**named, PolicyName="inline", PolicyDocument=ALLOW_ALL)
        getattr(of, f"attach_{kind.lower()}_policy")(**named, PolicyArn="arn:aws:iam::aws:policy/AmazonS3FullAccess")
    key = of.create_access_key(UserName="user")["AccessKey"]["AccessKeyId"]
    profile = of.create_instance_profile(InstanceProfileName="profile", Tags=TAGS)["InstanceProfile"]
    of.create_account_alias(AccountAlias=f"alias-{account}")
    return {
        "PolicyArn": (policy,),
        "PermissionsBoundary": (policy,),
        "PolicySourceArn": (role, f"arn:aws:iam::{account}:user/user"),
        "CallerArn": (f"arn:aws:iam::{account}:user/user",),
        "RoleName": ("role",),
        "UserName": ("user",),
        "GroupName": ("group",),
        "PolicyName": ("inline",),
        "VersionId": ("v1",),
        "AccessKeyId": (key,),
        "InstanceProfileName": (profile["InstanceProfileName"],),
        "AccountAlias": (f"alias-{account}",),
    }


def sts(client: Client, account: str) -> Names:
    """The role, and a user's key."""
    key = client("iam").list_access_keys(UserName="user")["AccessKeyMetadata"][0]["AccessKeyId"]
    return {"RoleArn": (f"arn:aws:iam::{account}:role/role",), "AccessKeyId": (key,)}


def s3(client: Client, account: str) -> Names:
    """A bucket as S3 makes them: without policy, ACLs and public access."""
    of, bucket = client("s3"), f"bucket-{account}"
    of.create_bucket(Bucket=bucket)
    of.put_object(Bucket=bucket, Key="key", Body=SECRET.encode(), Metadata=TAG_MAP, Tagging=f"k={SECRET}")
    of.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": TAGS})
    upload = of.create_multipart_upload(Bucket=bucket, Key="key")["UploadId"]
    of.upload_part(Bucket=bucket, Key="key", UploadId=upload, PartNumber=1, Body=SECRET.encode())
    return {"Bucket": (bucket,), "Key": ("key",), "CopySource": (f"{bucket}/key",), "UploadId": (upload,)}


def lambda_(client: Client, account: str) -> Names:
    """A function with alias, URL and mapping, a layer and a code signing configuration. None is invoked."""
    of, role = client("lambda"), f"arn:aws:iam::{account}:role/role"
    queue = client("sqs").create_queue(QueueName="mapped")["QueueUrl"].rpartition("/")[2]
    function = {"Runtime": "provided.al2023", "Role": role, "Handler": "x", "Code": {"ZipFile": archive()}}
    arn = of.create_function(FunctionName="function", Tags=TAG_MAP, Description=SECRET, **function)["FunctionArn"]
    of.get_waiter("function_active_v2").wait(FunctionName="function", WaiterConfig={"Delay": 0.2, "MaxAttempts": 100})
    of.publish_version(FunctionName="function")
    of.create_alias(FunctionName="function", Name="alias", FunctionVersion="1", Description=SECRET)
    of.create_function_url_config(FunctionName="function", AuthType="AWS_IAM")
    of.put_function_event_invoke_config(FunctionName="function", MaximumRetryAttempts=0)
    of.put_function_concurrency(FunctionName="function", ReservedConcurrentExecutions=1)
    content = {"ZipFile": archive()}
    layer = of.publish_layer_version(LayerName="layer", Content=content, Description=SECRET)
    publisher = f"arn:aws:signer:{REGION}:{account}:/signing-profiles/p/abcdefghij"
    publishers = {"SigningProfileVersionArns": [publisher]}
    signing = of.create_code_signing_config(AllowedPublishers=publishers, Description=SECRET)["CodeSigningConfig"]
    source = {"FunctionName": "function", "EventSourceArn": _arn("sqs", account, queue), "Enabled": False}
    mapping = of.create_event_source_mapping(Tags=TAG_MAP, **source)
    until(lambda: of.get_event_source_mapping(UUID=mapping["UUID"])["State"] == "Disabled")
    taggable = (arn, signing["CodeSigningConfigArn"], mapping["EventSourceMappingArn"])
    return {
        "FunctionName": (arn, "function", f"{arn}:alias"),
        "Qualifier": ("alias",),
        "Name": ("alias",),
        "Resource": taggable,
        "ResourceArn": taggable,
        "UUID": (mapping["UUID"],),
        "LayerName": (layer["LayerArn"], "layer"),
        "VersionNumber": (1,),
        "Arn": (layer["LayerVersionArn"],),
        "CodeSigningConfigArn": (signing["CodeSigningConfigArn"],),
        "EventSourceArn": (_arn("sqs", account, queue),),
        "StatementId": ("sid",),
    }


def logs(client: Client, account: str) -> Names:
    """A group with a stream, its filters, a destination, a query and its definition."""
    of, now = client("logs"), int(time.time() * 1000)
    group = _arn("logs", account, "log-group:group")
    of.create_log_group(logGroupName="group", tags=TAG_MAP)
    of.create_log_stream(logGroupName="group", logStreamName="stream")
    event = {"timestamp": now, "message": SECRET}
    of.put_log_events(logGroupName="group", logStreamName="stream", logEvents=[event])
    metric = {"metricName": "m", "metricNamespace": "n", "metricValue": "1"}
    filtered = {"logGroupName": "group", "filterName": "filter", "filterPattern": "x"}
    of.put_metric_filter(metricTransformations=[metric], **filtered)
    client("kinesis").create_stream(StreamName="logged", ShardCount=1)
    stream, role = _arn("kinesis", account, "stream/logged"), f"arn:aws:iam::{account}:role/role"
    of.put_destination(destinationName="destination", targetArn=stream, roleArn=role)
    query = {"queryString": "fields @message", "logGroupNames": ["group"]}
    started = of.start_query(startTime=now // 1000 - 60, endTime=now // 1000 + 60, **query)["queryId"]
    until(lambda: of.get_query_results(queryId=started)["status"] not in ("Scheduled", "Running"))
    record = of.get_query_results(queryId=started)["results"][0]
    exports = f"exports-{account}"
    s3_of, writer = client("s3"), {"Effect": "Allow", "Principal": {"Service": "logs.amazonaws.com"}, "Action": "s3:*"}
    s3_of.create_bucket(Bucket=exports)
    statement = {**writer, "Resource": [f"arn:aws:s3:::{exports}", f"arn:aws:s3:::{exports}/*"]}
    s3_of.put_bucket_policy(Bucket=exports, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    asked = {"logGroupName": "group", "destination": exports, "from": 1, "to": now + 1}
    task = of.create_export_task(taskName=SECRET, **asked)["taskId"]
    until(
        lambda: of.describe_export_tasks(taskId=task)["exportTasks"][0]["status"]["code"] not in ("PENDING", "RUNNING")
    )
    defined = of.put_query_definition(name=SECRET, **query)["queryDefinitionId"]
    return {
        "logGroupName": ("group",),
        "logGroupIdentifier": (group, "group"),
        "logGroupIdentifiers": (group, "group"),
        "resourceIdentifier": (group,),
        "resourceArn": (group,),
        "logStreamName": ("stream",),
        "destinationName": ("destination",),
        "destinationArn": (_arn("logs", account, "destination:destination"),),
        "filterName": ("filter",),
        "queryId": (started,),
        "taskId": (task,),
        "queryDefinitionId": (defined,),
        "logRecordPointer": tuple(one["value"] for one in record if one["field"] == "@ptr"),
    }


def cloudwatch(client: Client, account: str) -> Names:
    """Alarms of both kinds, a dashboard and a detector of anomalies."""
    of = client("cloudwatch")
    alarm = {"MetricName": "m", "Namespace": "n", "Period": 60, "EvaluationPeriods": 1, "Statistic": "Sum"}
    of.put_metric_alarm(
        AlarmName="alarm", Threshold=1, ComparisonOperator="GreaterThanThreshold", ActionsEnabled=False,
        AlarmDescription=SECRET, Tags=TAGS, **alarm,
    )  # fmt: skip
    of.put_composite_alarm(AlarmName="composite", AlarmRule="ALARM(alarm)", AlarmDescription=SECRET, Tags=TAGS)
    of.put_dashboard(DashboardName="dashboard", DashboardBody=json.dumps({"widgets": []}), Tags=TAGS)
    single = {"Namespace": SECRET, "MetricName": "m", "Stat": "Sum"}
    of.put_anomaly_detector(SingleMetricAnomalyDetector=single)
    detector = of.describe_anomaly_detectors()["AnomalyDetectors"][0]
    alarms = tuple(_arn("cloudwatch", account, f"alarm:{name}") for name in ("alarm", "composite"))
    return {
        **({"AnomalyDetectorId": (detector["AnomalyDetectorId"],)} if "AnomalyDetectorId" in detector else {}),
        "AlarmName": ("alarm", "composite"),
        "AlarmNames": ("alarm", "composite"),
        "DashboardName": ("dashboard",),
        "DashboardNames": ("dashboard",),
        "ResourceARN": (*alarms, f"arn:aws:cloudwatch::{account}:dashboard/dashboard"),
    }


def sqs(client: Client, account: str) -> Names:
    """A queue that has a message, and one whose dead letters it takes."""
    of = client("sqs")
    url = of.create_queue(QueueName="queue", tags=TAG_MAP)["QueueUrl"]
    arn = _arn("sqs", account, "queue")
    redrive = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    of.create_queue(QueueName="source", Attributes={"RedrivePolicy": redrive})
    of.send_message(QueueUrl=url, MessageBody=SECRET)
    received = of.receive_message(QueueUrl=url, VisibilityTimeout=43200)["Messages"][0]["ReceiptHandle"]
    of.send_message(QueueUrl=url, MessageBody=SECRET)
    task = of.start_message_move_task(SourceArn=arn)["TaskHandle"]
    until(lambda: of.list_message_move_tasks(SourceArn=arn)["Results"][0]["Status"] != "RUNNING")
    return {
        "QueueUrl": (url,),
        "QueueName": ("queue",),
        "QueueOwnerAWSAccountId": (account,),
        "SourceArn": (arn,),
        "ReceiptHandle": (received,),
        "TaskHandle": (task,),
    }


def sns(client: Client, account: str) -> Names:
    """A topic with a subscription, an application with an endpoint."""
    of = client("sns")
    topic = of.create_topic(Name="topic", Tags=TAGS, Attributes={"DisplayName": SECRET[:10]})["TopicArn"]
    client("sqs").create_queue(QueueName="subscribed")
    endpoint = {"Protocol": "sqs", "Endpoint": _arn("sqs", account, "subscribed")}
    subscription = of.subscribe(TopicArn=topic, ReturnSubscriptionArn=True, **endpoint)["SubscriptionArn"]
    made = of.create_platform_application(Name="app", Platform="GCM", Attributes={"PlatformCredential": SECRET})
    application = made["PlatformApplicationArn"]
    target = of.create_platform_endpoint(PlatformApplicationArn=application, Token=SECRET, CustomUserData=SECRET)
    of.create_sms_sandbox_phone_number(PhoneNumber="+12065550100")
    return {
        "PhoneNumber": ("+12065550100",),
        "TopicArn": (topic,),
        "TargetArn": (topic, target["EndpointArn"]),
        "ResourceArn": (topic,),
        "SubscriptionArn": (subscription,),
        "PlatformApplicationArn": (application,),
        "EndpointArn": (target["EndpointArn"],),
    }


def dynamodb(client: Client, account: str) -> Names:
    """A table with a stream, an item and a backup."""
    of, key = client("dynamodb"), [{"AttributeName": "pk", "KeyType": "HASH"}]
    definitions = [{"AttributeName": "pk", "AttributeType": "S"}]
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    table = {"KeySchema": key, "AttributeDefinitions": definitions, "BillingMode": "PAY_PER_REQUEST"}
    of.create_table(TableName="table", StreamSpecification=stream, Tags=TAGS, **table)
    of.get_waiter("table_exists").wait(TableName="table", WaiterConfig={"Delay": 1})
    of.put_item(TableName="table", Item={"pk": {"S": "k"}, "v": {"S": SECRET}})
    continuous = {"PointInTimeRecoveryEnabled": True}
    of.update_continuous_backups(TableName="table", PointInTimeRecoverySpecification=continuous)
    backup = of.create_backup(TableName="table", BackupName="backup")["BackupDetails"]["BackupArn"]
    arn = of.describe_table(TableName="table")["Table"]["TableArn"]
    bucket = f"bucket-{account}"
    export = of.export_table_to_point_in_time(TableArn=arn, S3Bucket=bucket)["ExportDescription"]["ExportArn"]
    until(lambda: of.describe_export(ExportArn=export)["ExportDescription"]["ExportStatus"] != "IN_PROGRESS")
    source = {"S3BucketSource": {"S3Bucket": bucket, "S3KeyPrefix": "none/"}, "InputFormat": "CSV"}
    imported = of.import_table(TableCreationParameters={"TableName": "imported", **table}, **source)
    described = imported["ImportTableDescription"]["ImportArn"]
    until(lambda: of.describe_import(ImportArn=described)["ImportTableDescription"]["ImportStatus"] != "IN_PROGRESS")
    return {
        "ExportArn": (export,),
        "ImportArn": (described,),
        "TableName": (arn, "table"),
        "TableArn": (arn,),
        "SourceTableArn": (arn,),
        "ResourceArn": (arn,),
        "BackupArn": (backup,),
    }


def dynamodbstreams(client: Client, account: str) -> Names:
    """The stream of that table."""
    of = client("dynamodbstreams")
    arn = of.list_streams()["Streams"][0]["StreamArn"]
    shard = of.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = of.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    return {"StreamArn": (arn,), "TableName": ("table",), "ShardId": (shard,), "ShardIterator": (iterator,)}


def kinesis(client: Client, account: str) -> Names:
    """A stream with a record and a consumer."""
    of, arn = client("kinesis"), _arn("kinesis", account, "stream/stream")
    of.create_stream(StreamName="stream", ShardCount=1, Tags=TAG_MAP)
    of.get_waiter("stream_exists").wait(StreamName="stream", WaiterConfig={"Delay": 1})
    of.put_record(StreamName="stream", Data=SECRET.encode(), PartitionKey="k")
    consumer = of.register_stream_consumer(StreamARN=arn, ConsumerName="consumer")["Consumer"]["ConsumerARN"]
    shard = of.list_shards(StreamName="stream")["Shards"][0]["ShardId"]
    iterator = of.get_shard_iterator(StreamName="stream", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    return {
        "StreamARN": (arn,),
        "ResourceARN": (arn, consumer),
        "ConsumerARN": (consumer,),
        "ShardIterator": (iterator["ShardIterator"],),
        "ShardId": (shard,),
    }


def ssm(client: Client, account: str) -> Names:
    """A parameter."""
    of, arn = client("ssm"), _arn("ssm", account, "parameter/parameter")
    of.put_parameter(Name="/parameter", Type="String", Value=SECRET, Description=SECRET, Tags=TAGS)
    of.label_parameter_version(Name="/parameter", Labels=["label"])
    named = (arn, "/parameter")
    return {"Name": named, "Names": named, "ResourceId": named[::-1], "Labels": ("label",), "Path": ("/",)}


def secretsmanager(client: Client, account: str) -> Names:
    """A secret."""
    made = client("secretsmanager").create_secret(Name="secret", SecretString=SECRET, Description=SECRET, Tags=TAGS)
    return {"SecretId": (made["ARN"], "secret"), "SecretIdList": (made["ARN"],), "VersionId": (made["VersionId"],)}


def events(client: Client, account: str) -> Names:
    """A bus with a rule and an archive, a rule on the default bus, a connection and where it leads."""
    of = client("events")
    bus = of.create_event_bus(Name="bus", Tags=TAGS)["EventBusArn"]
    pattern, target = json.dumps({"source": [SECRET]}), {"Id": "target", "Arn": _arn("sqs", account, "queue")}
    ruled = {"Name": "rule", "EventPattern": pattern, "Description": SECRET, "Tags": TAGS}
    rules = [of.put_rule(EventBusName=name, **ruled)["RuleArn"] for name in ("bus", "default")]
    for name in ("bus", "default"):
        of.put_targets(Rule="rule", EventBusName=name, Targets=[target])
    archived = of.create_archive(ArchiveName="archive", EventSourceArn=bus, Description=SECRET)["ArchiveArn"]
    window = {"EventStartTime": 1_700_000_000, "EventEndTime": 1_700_000_060, "Destination": {"Arn": bus}}
    of.start_replay(ReplayName="replay", EventSourceArn=archived, **window)
    until(lambda: of.describe_replay(ReplayName="replay")["State"] not in ("STARTING", "RUNNING"))
    key = {"ApiKeyAuthParameters": {"ApiKeyName": "name", "ApiKeyValue": SECRET}}
    connected = {"AuthorizationType": "API_KEY", "AuthParameters": key, "Description": SECRET}
    connection = of.create_connection(Name="connection", **connected)["ConnectionArn"]
    leads = {"ConnectionArn": connection, "InvocationEndpoint": "https://example.org", "HttpMethod": "POST"}
    of.create_api_destination(Name="destination", Description=SECRET, **leads)
    return {
        "EventBusName": (bus, _arn("events", account, "event-bus/default")),
        "Name": ("rule", "connection", "destination"),
        "Rule": ("rule",),
        "Ids": ("target",),
        "ArchiveName": ("archive",),
        "ReplayName": ("replay",),
        "EventSourceArn": (bus, archived),
        "ConnectionArn": (connection,),
        "ResourceARN": (*rules, bus),
        "TargetArn": (target["Arn"],),
    }


def scheduler(client: Client, account: str) -> Names:
    """A group with a schedule for a day that is far."""
    of = client("scheduler")
    group = of.create_schedule_group(Name="group", Tags=TAGS)["ScheduleGroupArn"]
    target = {"Arn": _arn("sqs", account, "queue"), "RoleArn": f"arn:aws:iam::{account}:role/role", "Input": SECRET}
    once = {"ScheduleExpression": "at(2999-01-01T00:00:00)", "FlexibleTimeWindow": {"Mode": "OFF"}}
    of.create_schedule(Name="schedule", GroupName="group", Target=target, Description=SECRET, **once)
    return {"GroupName": ("group",), "Name": ("schedule", "group"), "ResourceArn": (group,)}


def pipes(client: Client, account: str) -> Names:
    """A pipe that is stopped."""
    role = f"arn:aws:iam::{account}:role/role"
    ends = [_arn("sqs", account, client("sqs").create_queue(QueueName=n)["QueueUrl"].rpartition("/")[2]) for n in "xy"]
    client("iam").put_role_policy(RoleName="role", PolicyName="pipes", PolicyDocument=ALLOW_ALL)
    ends_of = {"Source": ends[0], "Target": ends[1], "RoleArn": role, "DesiredState": "STOPPED"}
    of = client("pipes")
    arn = of.create_pipe(Name="pipe", Description=SECRET, Tags=TAG_MAP, **ends_of)["Arn"]
    until(lambda: of.describe_pipe(Name="pipe")["CurrentState"] != "CREATING")
    return {"Name": ("pipe",), "resourceArn": (arn,)}


def kms(client: Client, account: str) -> Names:
    """A key with the default policy, an alias and a grant."""
    of = client("kms")
    arn = of.create_key(Description=SECRET, Tags=[{"TagKey": "k", "TagValue": SECRET}])["KeyMetadata"]["Arn"]
    of.create_alias(AliasName="alias/key", TargetKeyId=arn)
    role = f"arn:aws:iam::{account}:role/role"
    given = {"GranteePrincipal": role, "RetiringPrincipal": role, "Operations": ["Encrypt"]}
    grant = of.create_grant(KeyId=arn, Name="grant", **given)
    named = (arn, arn.rpartition("/")[2], _arn("kms", account, "alias/key"))
    return {
        "KeyId": named,
        "TargetKeyId": named[:1],
        "DestinationKeyId": named[:1],
        "AliasName": ("alias/key",),
        "GrantId": (grant["GrantId"],),
        "RetiringPrincipal": (role,),
        "GrantToken": (grant["GrantToken"],),
        "CiphertextBlob": (of.encrypt(KeyId=arn, Plaintext=SECRET.encode())["CiphertextBlob"],),
    }


def xray(client: Client, account: str) -> Names:
    """A group, a rule and a trace."""
    of, now = client("xray"), time.time()
    group = of.create_group(GroupName="group", FilterExpression=f'service("{SECRET}")', Tags=TAGS)["Group"]["GroupARN"]
    of.create_sampling_rule(
        SamplingRule={
            "RuleName": "rule", "ResourceARN": "*", "Priority": 1, "FixedRate": 0.5, "ReservoirSize": 1,
            "ServiceName": SECRET, "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*", "Version": 1,
        },
        Tags=TAGS,
    )  # fmt: skip
    trace = f"1-{int(now):08x}-{'a' * 24}"
    segment = {"id": "b" * 16, "trace_id": trace, "name": SECRET, "start_time": now - 1, "end_time": now}
    of.put_trace_segments(TraceSegmentDocuments=[json.dumps(segment)])
    rule = _arn("xray", account, "sampling-rule/rule")
    return {
        "GroupARN": (group,),
        "RuleARN": (rule,),
        "ResourceARN": (group, rule),
        "TraceIds": (trace,),
    }


ESTATES: Mapping[str, Callable[[Client, str], Names]] = {
    "iam": iam, "sts": sts, "s3": s3, "sqs": sqs, "sns": sns, "kinesis": kinesis, "lambda": lambda_, "logs": logs,
    "cloudwatch": cloudwatch, "dynamodb": dynamodb, "dynamodbstreams": dynamodbstreams, "ssm": ssm,
    "secretsmanager": secretsmanager, "events": events, "scheduler": scheduler, "pipes": pipes, "kms": kms,
    "xray": xray,
}  # fmt: skip
"""In an order in which each finds what it needs."""
