"""Encryption, monitoring and tags: kept and shown.

AWS: Kinesis API Reference, StartStreamEncryption, EnableEnhancedMonitoring, AddTagsToStream.
"""

from typing import Any

from tests.platform import RunningPlatform
from tests.services.kinesis.conftest import iterator, put, refused


def test_encryption_is_shown_by_the_stream_and_its_records(
    platform: RunningPlatform, kinesis: Any, stream: str, account: str
) -> None:
    """The key is looked up and must be enabled; records before stay as they were."""
    put(kinesis, stream, "plain")
    code, _ = refused(
        kinesis.start_stream_encryption, StreamName=stream, EncryptionType="KMS",
        KeyId="12345678-1234-1234-1234-123456789012",
    )  # fmt: skip
    assert code == "KMSNotFoundException"
    kms = platform.client("kms", account=account)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    asked = {"StreamName": stream, "EncryptionType": "KMS", "KeyId": key}
    kms.disable_key(KeyId=key)
    assert refused(kinesis.start_stream_encryption, **asked)[0] == "KMSDisabledException"
    kms.schedule_key_deletion(KeyId=key)
    assert refused(kinesis.start_stream_encryption, **asked)[0] == "KMSInvalidStateException"
    kinesis.start_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId="alias/aws/kinesis")
    assert put(kinesis, stream, "sealed")[0]["EncryptionType"] == "KMS"
    found = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]
    assert (found["EncryptionType"], found["KeyId"]) == ("KMS", "alias/aws/kinesis")
    records = kinesis.get_records(ShardIterator=iterator(kinesis, stream))["Records"]
    assert [record.get("EncryptionType") for record in records] == [None, "KMS"]
    kinesis.stop_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId="alias/aws/kinesis")
    assert "EncryptionType" not in put(kinesis, stream, "plain")[0]


def test_monitoring_is_shown(kinesis: Any, stream: str) -> None:
    """ALL means every metric."""
    answer = kinesis.enable_enhanced_monitoring(StreamName=stream, ShardLevelMetrics=["IncomingBytes"])
    assert (answer["CurrentShardLevelMetrics"], answer["DesiredShardLevelMetrics"]) == ([], ["IncomingBytes"])
    assert (
        len(
            kinesis.enable_enhanced_monitoring(StreamName=stream, ShardLevelMetrics=["ALL"])["DesiredShardLevelMetrics"]
        )
        == 7
    )
    kinesis.disable_enhanced_monitoring(StreamName=stream, ShardLevelMetrics=["ALL"])
    found = kinesis.describe_stream(StreamName=stream)["StreamDescription"]
    assert found["EnhancedMonitoring"] == [{"ShardLevelMetrics": []}]


def test_tags_are_added_and_removed(kinesis: Any, stream: str) -> None:
    """Both sets of operations see the same tags."""
    kinesis.add_tags_to_stream(StreamName=stream, Tags={"a": "1", "b": "2", "c": "3"})
    kinesis.remove_tags_from_stream(StreamName=stream, TagKeys=["b", "absent"])
    assert kinesis.list_tags_for_stream(StreamName=stream, Limit=1) | {"ResponseMetadata": 0} == {
        "Tags": [{"Key": "a", "Value": "1"}], "HasMoreTags": True, "ResponseMetadata": 0,
    }  # fmt: skip
    arn = kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"]
    kinesis.untag_resource(ResourceARN=arn, TagKeys=["a"])
    assert kinesis.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "c", "Value": "3"}]
    code, _ = refused(kinesis.add_tags_to_stream, StreamName=stream, Tags={"aws:x": "1"})
    assert code == "InvalidArgumentException"
