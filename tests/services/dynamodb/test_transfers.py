"""Exports to S3 and imports from S3 through boto3.

AWS: DynamoDB Developer Guide, "DynamoDB table export output format", "Amazon S3 import formats for DynamoDB".
"""

import base64
import gzip
import hashlib
import json
import random
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.platform import RunningPlatform, running
from tests.services.dynamodb.conftest import Make, definition, message, refused
from tests.services.dynamodb.test_point_in_time import described, put, switch

GSI = {
    "IndexName": "by-n",
    "KeySchema": [{"AttributeName": "n", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}


@pytest.fixture
def s3(platform: RunningPlatform, account: str) -> Any:
    """A client in the same account."""
    return platform.client("s3", account=account)


@pytest.fixture
def bucket(s3: Any) -> str:
    """An empty bucket."""
    name = f"transfers-{random.randrange(10**9)}"
    s3.create_bucket(Bucket=name)
    return name


def ended(describe: Callable[[], dict[str, Any]], member: str) -> dict[str, Any]:
    """The description once it is not IN_PROGRESS any more."""
    deadline = time.monotonic() + 60
    while (found := describe())[member] == "IN_PROGRESS":
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def exported(dynamodb: Any, table_arn: str, bucket: str, **more: Any) -> dict[str, Any]:
    """The description of an export at its end."""
    asked = dynamodb.export_table_to_point_in_time(TableArn=table_arn, S3Bucket=bucket, **more)["ExportDescription"]
    arn = asked["ExportArn"]
    return ended(lambda: dynamodb.describe_export(ExportArn=arn)["ExportDescription"], "ExportStatus")


def imported(dynamodb: Any, bucket: str, table: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The description of an import at its end."""
    source = {"S3Bucket": bucket, "S3KeyPrefix": more.pop("prefix", "")}
    asked = dynamodb.import_table(S3BucketSource=source, TableCreationParameters=table, **more)
    arn = asked["ImportTableDescription"]["ImportArn"]
    return ended(lambda: dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"], "ImportStatus")


def content(s3: Any, bucket: str, key: str) -> bytes:
    """An object's."""
    body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def records(s3: Any, bucket: str, done: dict[str, Any]) -> list[dict[str, Any]]:
    """All lines of an export, found by its manifests, whose checksums are looked at."""
    summary_key = done["ExportManifest"]
    summary = json.loads(content(s3, bucket, summary_key))
    found = []
    for key in (summary_key, summary["manifestFilesS3Key"]):
        md5 = base64.b64encode(hashlib.md5(content(s3, bucket, key)).digest())
        assert content(s3, bucket, key.replace(".json", ".checksum")) == md5
    for line in content(s3, bucket, summary["manifestFilesS3Key"]).splitlines():
        entry = json.loads(line)
        data = content(s3, bucket, entry["dataFileS3Key"])
        assert base64.b64decode(entry["md5Checksum"]) == hashlib.md5(data).digest()
        assert entry["etag"] == s3.head_object(Bucket=bucket, Key=entry["dataFileS3Key"])["ETag"].strip('"')
        lines = gzip.decompress(data).splitlines()
        assert len(lines) == entry["itemCount"]
        found += [json.loads(one) for one in lines]
    assert summary["itemCount"] == done["ItemCount"] == len(found)
    return found


def test_a_full_export_is_the_table_at_its_time(
    dynamodb: Any, s3: Any, bucket: str, make_table: Make, platform: RunningPlatform
) -> None:
    """Manifests, checksums and data files as AWS lays them out; an import takes them as they are."""
    name = make_table("pk:S")
    switch(dynamodb, name)
    put(dynamodb, name, a="1", b="2")
    dynamodb.put_item(TableName=name, Item={"pk": {"S": "c"}, "bin": {"B": b"\x00\xff"}, "set": {"NS": ["1", "2"]}})
    platform.advance(10)
    at = described(dynamodb, name)["LatestRestorableDateTime"]
    platform.advance(10)
    put(dynamodb, name, a="later", d="new")
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    done = exported(dynamodb, arn, bucket, S3Prefix="nightly", ExportTime=at, S3SseAlgorithm="AES256")
    assert (done["ExportStatus"], done["ExportFormat"], done["ExportType"]) == (
        "COMPLETED", "DYNAMODB_JSON", "FULL_EXPORT",
    )  # fmt: skip
    export_id = done["ExportArn"].rpartition("/")[2]
    folder = f"nightly/AWSDynamoDB/{export_id}"
    assert done["ExportManifest"] == f"{folder}/manifest-summary.json"
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert f"{folder}/_started" in keys
    (data,) = [key for key in keys if key.startswith(f"{folder}/data/") and key.endswith(".json.gz")]
    items = {one["Item"]["pk"]["S"]: one["Item"] for one in records(s3, bucket, done)}
    assert items.keys() == {"a", "b", "c"}
    assert (items["a"]["v"], items["c"]["bin"]["B"]) == ({"S": "1"}, base64.b64encode(b"\x00\xff").decode())
    summary = json.loads(content(s3, bucket, done["ExportManifest"]))
    assert (summary["version"], summary["outputFormat"], summary["s3Prefix"]) == (
        "2020-06-30", "DYNAMODB_JSON", "nightly",
    )  # fmt: skip
    table = {"TableName": f"{name}-copy", **definition("pk:S")}
    took = imported(
        dynamodb, bucket, table, prefix=f"{folder}/data/", InputFormat="DYNAMODB_JSON", InputCompressionType="GZIP"
    )
    assert (took["ImportStatus"], took["ImportedItemCount"], took["ErrorCount"]) == ("COMPLETED", 3, 0), data
    copy = dynamodb.get_item(TableName=f"{name}-copy", Key={"pk": {"S": "c"}})["Item"]
    assert (copy["bin"], copy["set"]) == ({"B": b"\x00\xff"}, {"NS": ["1", "2"]})


def test_an_incremental_export_has_what_changed(
    dynamodb: Any, s3: Any, bucket: str, make_table: Make, platform: RunningPlatform
) -> None:
    """One record an item, with both images; nothing of what came and went within the window or after it."""
    name = make_table("pk:S")
    put(dynamodb, name, same="1", changed="1", gone="1")
    switch(dynamodb, name)
    platform.advance(60)
    begins = described(dynamodb, name)["LatestRestorableDateTime"]
    platform.advance(60)
    put(dynamodb, name, changed="2", new="1", brief="1")
    put(dynamodb, name, changed="3")
    for key in ("gone", "brief"):
        dynamodb.delete_item(TableName=name, Key={"pk": {"S": key}})
    platform.advance(20 * 60)
    ends = described(dynamodb, name)["LatestRestorableDateTime"]
    put(dynamodb, name, changed="4", same="2")
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    window = {"ExportFromTime": begins, "ExportToTime": ends}
    done = exported(dynamodb, arn, bucket, ExportType="INCREMENTAL_EXPORT", IncrementalExportSpecification=window)
    assert done["ExportStatus"] == "COMPLETED", done
    found = {one["Keys"]["pk"]["S"]: one for one in records(s3, bucket, done)}
    assert found.keys() == {"changed", "gone", "new"}
    assert [found["changed"][image]["v"]["S"] for image in ("OldImage", "NewImage")] == ["1", "3"]
    assert ("NewImage" in found["gone"], "OldImage" in found["new"]) == (False, False)
    micros = int(found["new"]["Metadata"]["WriteTimestampMicros"]["N"])
    assert begins.timestamp() < micros / 1e6 < ends.timestamp()
    summary = json.loads(content(s3, bucket, done["ExportManifest"]))
    assert (summary["exportType"], summary["outputView"]) == ("INCREMENTAL_EXPORT", "NEW_AND_OLD_IMAGES")
    window["ExportViewType"] = "NEW_IMAGE"
    done = exported(dynamodb, arn, bucket, ExportType="INCREMENTAL_EXPORT", IncrementalExportSpecification=window)
    found = {one["Keys"]["pk"]["S"]: one for one in records(s3, bucket, done)}
    assert found.keys() == {"changed", "gone", "new"}
    assert not any("OldImage" in one for one in found.values())
    short = {"ExportFromTime": ends - timedelta(minutes=1), "ExportToTime": ends}
    asked = {"TableArn": arn, "S3Bucket": bucket, "ExportType": "INCREMENTAL_EXPORT"}
    text = message(dynamodb.export_table_to_point_in_time, **asked, IncrementalExportSpecification=short)
    assert "less than 15 minutes" in text


def test_exports_fail_and_are_listed(dynamodb: Any, bucket: str, make_table: Make) -> None:
    """Without recovery at once, without a bucket later; the same token asks for the same export."""
    name = make_table("pk:S")
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    asked = {"TableArn": arn, "S3Bucket": bucket, "ClientToken": "once"}
    export = dynamodb.export_table_to_point_in_time
    assert refused(export, **asked)[0] == "PointInTimeRecoveryUnavailableException"
    on = switch(dynamodb, name)
    too_early = on["EarliestRestorableDateTime"] - timedelta(hours=1)
    assert refused(export, **asked, ExportTime=too_early)[0] == "InvalidExportTimeException"
    assert "Ion" in message(export, **asked, ExportFormat="ION")
    first = export(**asked)["ExportDescription"]["ExportArn"]
    assert export(**asked)["ExportDescription"]["ExportArn"] == first
    assert refused(export, **asked, S3Prefix="other")[0] == "ExportConflictException"
    failed = exported(dynamodb, arn, "nobodys-bucket-at-all")
    assert (failed["ExportStatus"], failed["FailureCode"]) == ("FAILED", "S3NoSuchBucket")
    page = dynamodb.list_exports(TableArn=arn, MaxResults=1)
    rest = dynamodb.list_exports(TableArn=arn, NextToken=page["NextToken"])
    arns = [one["ExportArn"] for one in page["ExportSummaries"] + rest["ExportSummaries"]]
    assert arns == sorted([first, failed["ExportArn"]], reverse=True)
    missing = f"{arn}/export/01234567890123-deadbeef"
    assert refused(dynamodb.describe_export, ExportArn=missing)[0] == "ExportNotFoundException"


def test_an_export_is_under_a_key(
    dynamodb: Any, s3: Any, bucket: str, make_table: Make, platform: RunningPlatform, account: str
) -> None:
    """S3SseAlgorithm and S3SseKmsKeyId are for every object; whose key cannot be used FAILED."""
    name = make_table("pk:S")
    switch(dynamodb, name)
    put(dynamodb, name, a="1")
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    kms = platform.client("kms", account=account)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    sealed = {"S3SseAlgorithm": "KMS", "S3SseKmsKeyId": key}
    done = exported(dynamodb, arn, bucket, **sealed)
    assert (done["ExportStatus"], {member: done[member] for member in sealed}) == ("COMPLETED", sealed)
    for one in s3.list_objects_v2(Bucket=bucket)["Contents"]:
        head = s3.head_object(Bucket=bucket, Key=one["Key"])
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
    summary = json.loads(content(s3, bucket, done["ExportManifest"]))
    assert (summary["s3SseAlgorithm"], summary["s3SseKmsKeyId"]) == ("KMS", key)
    assert records(s3, bucket, done) == [{"Item": {"pk": {"S": "a"}, "v": {"S": "1"}}}]
    managed = exported(dynamodb, arn, bucket, S3SseAlgorithm="KMS", S3Prefix="managed")
    head = s3.head_object(Bucket=bucket, Key=managed["ExportManifest"])
    assert head["SSEKMSKeyId"] == kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
    kms.disable_key(KeyId=key)
    assert exported(dynamodb, arn, bucket, **sealed)["ExportStatus"] == "FAILED"


def test_an_export_is_written_as_who_asked(
    dynamodb: Any, s3: Any, bucket: str, make_table: Make, platform: RunningPlatform, account: str
) -> None:
    """The policies of a session decide about the objects, too."""
    name = make_table("pk:S")
    switch(dynamodb, name)
    put(dynamodb, name, a="1")
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    trust = statement("sts:AssumeRole", Principal={"AWS": account})
    iam, sts = platform.client("iam", account=account), platform.client("sts", account=account)
    role = iam.create_role(RoleName="exporter", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    iam.put_role_policy(RoleName="exporter", PolicyName="all", PolicyDocument=statement("*", Resource="*"))
    for actions, expected in ((["dynamodb:*", "s3:PutObject"], "COMPLETED"), (["dynamodb:*"], "FAILED")):
        keys = sts.assume_role(
            RoleArn=role, RoleSessionName="session", Policy=statement(actions, Resource="*"), DurationSeconds=900
        )["Credentials"]
        session = boto3.Session(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"], "us-east-1")
        done = exported(session.client("dynamodb", endpoint_url=platform.url), arn, bucket)
        assert done["ExportStatus"] == expected
        assert done.get("FailureCode", "S3AccessDenied") == "S3AccessDenied"


def test_what_an_export_writes_is_caused_by_its_request(
    dynamodb: Any, bucket: str, make_table: Make, platform: RunningPlatform
) -> None:
    """The trace of the request has the objects, although the request was over."""
    name = make_table("pk:S")
    switch(dynamodb, name)
    put(dynamodb, name, a="1")
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    asked = dynamodb.export_table_to_point_in_time(TableArn=arn, S3Bucket=bucket)
    export = asked["ExportDescription"]["ExportArn"]
    done = ended(lambda: dynamodb.describe_export(ExportArn=export)["ExportDescription"], "ExportStatus")
    platform.drain()
    request_id = asked["ResponseMetadata"]["RequestId"]
    trace = platform.ask(f"/_undercast/trace/{request_id}")
    labels = [node["label"] for node in trace["nodes"]]
    assert f"s3:PutObject arn:aws:s3:::{bucket}/{done['ExportManifest']}" in labels, labels


def statement(action: Any, **more: Any) -> str:
    """A policy that allows."""
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, **more}]})


def test_a_csv_file_is_imported(dynamodb: Any, s3: Any, bucket: str) -> None:
    """Keys of table and indexes have their types, the rest are strings; quotes may hold line ends."""
    s3.put_object(Bucket=bucket, Key="in/1.csv", Body=b'pk;n;text\na;1;"two\nlines; ""quoted"""\nb;2;\n')
    s3.put_object(Bucket=bucket, Key="elsewhere.csv", Body=b"pk;n;text\nc;3;\n")
    table = {"TableName": "from-csv", **definition("pk:S", GlobalSecondaryIndexes=[GSI])}
    table["AttributeDefinitions"].append({"AttributeName": "n", "AttributeType": "N"})
    options = {"Csv": {"Delimiter": ";"}}
    took = imported(dynamodb, bucket, table, prefix="in/", InputFormat="CSV", InputFormatOptions=options)
    assert (took["ImportStatus"], took["ProcessedItemCount"]) == ("COMPLETED", 2), took
    item = dynamodb.get_item(TableName="from-csv", Key={"pk": {"S": "a"}})["Item"]
    assert (item["n"], item["text"]) == ({"N": "1"}, {"S": 'two\nlines; "quoted"'})
    query = {"KeyConditionExpression": "n = :n", "ExpressionAttributeValues": {":n": {"N": "2"}}}
    assert dynamodb.query(TableName="from-csv", IndexName="by-n", **query)["Count"] == 1


def test_what_is_no_item_is_counted_and_logged(
    dynamodb: Any, s3: Any, bucket: str, platform: RunningPlatform, account: str
) -> None:
    """The import is FAILED at the end, and the other items are there; the log tells each by object and number."""
    lines = [
        json.dumps({"Item": {"pk": {"S": "good"}}}),
        json.dumps({"Item": {"other": {"S": "no key"}}}),
        "{no json",
        json.dumps({"pk": {"S": "not in Item"}}),
        json.dumps({"Item": {"pk": {"S": "x"}, "v": {"S": 5}}}),
        json.dumps({"Item": {"pk": {"S": "last"}}}),
    ]
    s3.put_object(Bucket=bucket, Key="a.json", Body="\n".join(lines).encode())
    s3.put_object(Bucket=bucket, Key="b.json", Body=b"\xff\xfe\xfd\n")
    took = imported(dynamodb, bucket, {"TableName": "partly", **definition("pk:S")}, InputFormat="DYNAMODB_JSON")
    assert (took["ImportStatus"], took["FailureCode"]) == ("FAILED", "ItemValidationError")
    assert (took["ProcessedItemCount"], took["ImportedItemCount"], took["ErrorCount"]) == (6, 2, 5)
    assert dynamodb.scan(TableName="partly")["Count"] == 2
    logs = platform.client("logs", account=account)
    stream = f"{took['ImportArn'].rpartition('/')[2]}/error"
    events = logs.get_log_events(logGroupName="/aws-dynamodb/imports", logStreamName=stream)["events"]
    told = [json.loads(event["message"]) for event in events]
    pointers = [(one["itemS3Pointer"]["key"], one["itemS3Pointer"]["itemIndex"]) for one in told]
    assert pointers == [("a.json", 1), ("a.json", 2), ("a.json", 3), ("a.json", 4), ("b.json", 0)]
    expected = "One or more parameter values were invalid: Missing the key pk in the item"
    assert told[0]["errorMessages"] == [expected]
    assert took["CloudWatchLogGroupArn"].endswith(":log-group:/aws-dynamodb/imports:*")


def test_an_import_without_its_source_leaves_no_table(dynamodb: Any, bucket: str, make_table: Make) -> None:
    """S3's error is the failure's; what is wrong with the request is said at once."""
    failed = imported(
        dynamodb, "nobodys-bucket-at-all", {"TableName": "never", **definition("pk:S")}, InputFormat="CSV"
    )
    assert (failed["ImportStatus"], failed["FailureCode"]) == ("FAILED", "S3NoSuchBucket")
    assert refused(dynamodb.describe_table, TableName="never")[0] == "ResourceNotFoundException"
    assert [one["ImportArn"] for one in dynamodb.list_imports()["ImportSummaryList"]] == [failed["ImportArn"]]
    source = {"S3BucketSource": {"S3Bucket": bucket}}
    new = {"TableCreationParameters": {"TableName": "refused", **definition("pk:S")}}
    ask = dynamodb.import_table
    assert "Ion" in message(ask, InputFormat="ION", **source, **new)
    assert "Zstandard" in message(ask, InputFormat="CSV", InputCompressionType="ZSTD", **source, **new)
    there = {"TableCreationParameters": {"TableName": make_table("pk:S"), **definition("pk:S")}}
    assert refused(ask, InputFormat="CSV", **source, **there)[0] == "ResourceInUseException"
    missing = failed["ImportArn"][:-8] + "deadbeef"
    assert refused(dynamodb.describe_import, ImportArn=missing)[0] == "ImportNotFoundException"


def test_an_import_goes_on_after_a_kill(tmp_path: Path) -> None:
    """What was acknowledged comes to its end: the table is filled by the platform that starts next."""
    lines = "".join(json.dumps({"Item": {"pk": {"S": str(number)}}}) + "\n" for number in range(3000))
    with running(tmp_path) as first:
        s3 = first.client("s3")
        s3.create_bucket(Bucket="source")
        s3.put_object(Bucket="source", Key="in.json", Body=lines.encode())
        table = {"TableName": "filled", **definition("pk:S")}
        arn = first.client("dynamodb").import_table(
            S3BucketSource={"S3Bucket": "source"}, InputFormat="DYNAMODB_JSON", TableCreationParameters=table
        )["ImportTableDescription"]["ImportArn"]
        first.kill()
    with running(tmp_path) as second:
        dynamodb = second.client("dynamodb")
        done = ended(lambda: dynamodb.describe_import(ImportArn=arn)["ImportTableDescription"], "ImportStatus")
        assert (done["ImportStatus"], done["ImportedItemCount"]) == ("COMPLETED", 3000)
        assert dynamodb.describe_table(TableName="filled")["Table"]["ItemCount"] == 3000
