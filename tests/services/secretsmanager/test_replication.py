"""Replicas of secrets in other regions, through boto3.

AWS: Secrets Manager User Guide, "Replicate AWS Secrets Manager secrets across Regions".
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.platform import RunningPlatform
from tests.services.secretsmanager.test_secrets import refusal

HERE, THERE = "us-east-1", "eu-west-1"
In = Callable[[str], Any]


@pytest.fixture
def of(platform: RunningPlatform, account: str) -> In:
    """A client in a region, all in the test's own account."""
    return lambda region: platform.client("secretsmanager", account=account, region=region)


def statuses(secrets: Any, name: str) -> dict[str, str]:
    """Region -> status."""
    found = secrets.describe_secret(SecretId=name).get("ReplicationStatus", [])
    return {one["Region"]: one["Status"] for one in found}


def test_a_replica_is_read_in_its_region_and_follows(of: In) -> None:
    """Values, stages, tags, description and policy; its ARN differs in the region alone."""
    here, there = of(HERE), of(THERE)
    here.create_secret(Name="db", SecretString="1")
    made = here.create_secret(
        Name="both", SecretString="one", Tags=[{"Key": "a", "Value": "1"}], AddReplicaRegions=[{"Region": THERE}]
    )
    assert [(one["Region"], one["Status"]) for one in made["ReplicationStatus"]] == [(THERE, "InSync")]
    replica = there.get_secret_value(SecretId="both")
    assert (replica["SecretString"], replica["VersionId"]) == ("one", made["VersionId"])
    assert replica["ARN"] == made["ARN"].replace(HERE, THERE)
    second = here.put_secret_value(SecretId="both", SecretString="two")["VersionId"]
    assert there.get_secret_value(SecretId=replica["ARN"])["SecretString"] == "two"
    assert there.get_secret_value(SecretId="both", VersionStage="AWSPREVIOUS")["SecretString"] == "one"
    here.update_secret_version_stage(
        SecretId="both", VersionStage="AWSCURRENT", MoveToVersionId=made["VersionId"], RemoveFromVersionId=second
    )
    assert there.get_secret_value(SecretId="both")["SecretString"] == "one"
    here.update_secret(SecretId="both", SecretBinary=b"\x00", Description="three")
    assert there.get_secret_value(SecretId="both")["SecretBinary"] == b"\x00"
    here.tag_resource(SecretId="both", Tags=[{"Key": "b", "Value": "2"}])
    here.untag_resource(SecretId="both", TagKeys=["a"])
    described = there.describe_secret(SecretId="both")
    assert (described["Description"], described["Tags"]) == ("three", [{"Key": "b", "Value": "2"}])
    assert described["PrimaryRegion"] == here.describe_secret(SecretId="both")["PrimaryRegion"] == HERE
    ours, theirs = here.describe_secret(SecretId="both"), described
    assert ours["VersionIdsToStages"] == theirs["VersionIdsToStages"]
    assert "PrimaryRegion" not in here.describe_secret(SecretId="db")
    assert [one["Name"] for one in there.list_secrets()["SecretList"]] == ["both"]


def test_all_values_of_a_secret_are_replicated_later(of: In, platform: RunningPlatform, account: str) -> None:
    """ReplicateSecretToRegions, sealed with a key of the other region."""
    here, there = of(HERE), of(THERE)
    key = platform.client("kms", account=account, region=THERE).create_key()["KeyMetadata"]["Arn"]
    here.create_secret(Name="s", SecretString="one")
    here.put_secret_value(SecretId="s", SecretString="two")
    answer = here.replicate_secret_to_regions(
        SecretId="s", AddReplicaRegions=[{"Region": THERE, "KmsKeyId": key}, {"Region": "us-west-2"}]
    )
    assert {one["Region"]: one["KmsKeyId"] for one in answer["ReplicationStatus"]} == {
        THERE: key, "us-west-2": "alias/aws/secretsmanager",
    }  # fmt: skip
    assert there.get_secret_value(SecretId="s", VersionStage="AWSPREVIOUS")["SecretString"] == "one"
    assert there.describe_secret(SecretId="s")["KmsKeyId"] == key
    assert of("us-west-2").get_secret_value(SecretId="s")["SecretString"] == "two"
    again = {"SecretId": "s", "AddReplicaRegions": [{"Region": THERE}]}
    assert refusal(here.replicate_secret_to_regions, **again)[0] == "InvalidParameterException"


def test_only_the_primary_is_changed(of: In) -> None:
    """Neither the values nor the life of a replica; nor is a primary deleted that has some."""
    here, there = of(HERE), of(THERE)
    here.create_secret(Name="s", SecretString="v", AddReplicaRegions=[{"Region": THERE}])
    for call, more in (
        (there.put_secret_value, {"SecretString": "x"}),
        (there.update_secret, {"Description": "x"}),
        (there.delete_secret, {}),
        (there.tag_resource, {"Tags": [{"Key": "a", "Value": "1"}]}),
        (there.replicate_secret_to_regions, {"AddReplicaRegions": [{"Region": "us-west-2"}]}),
    ):
        code, text = refusal(call, SecretId="s", **more)
        assert (code, "replica secret" in text) == ("InvalidRequestException", True)
    code, text = refusal(here.delete_secret, SecretId="s")
    assert (code, THERE in text) == ("InvalidRequestException", True)
    gone = here.remove_regions_from_replication(SecretId="s", RemoveReplicaRegions=[THERE])
    assert gone["ReplicationStatus"] == []
    assert refusal(there.get_secret_value, SecretId="s")[0] == "ResourceNotFoundException"
    here.delete_secret(SecretId="s", ForceDeleteWithoutRecovery=True)
    wrong = {"SecretId": "s", "AddReplicaRegions": [{"Region": HERE}]}
    here.create_secret(Name="s", SecretString="v")
    assert refusal(here.replicate_secret_to_regions, **wrong)[0] == "InvalidParameterException"
    absent = {"SecretId": "s", "RemoveReplicaRegions": [THERE]}
    assert refusal(here.remove_regions_from_replication, **absent)[0] == "InvalidParameterException"


def test_a_replica_becomes_a_secret_of_its_own(of: In) -> None:
    """StopReplicationToReplica, in the replica's region; what the other one does then is not seen."""
    here, there = of(HERE), of(THERE)
    here.create_secret(Name="s", SecretString="v", AddReplicaRegions=[{"Region": THERE}])
    assert refusal(here.stop_replication_to_replica, SecretId="s")[0] == "InvalidRequestException"
    arn = there.stop_replication_to_replica(SecretId="s")["ARN"]
    assert f":{THERE}:" in arn
    assert statuses(here, "s") == {}
    here.put_secret_value(SecretId="s", SecretString="later")
    assert there.get_secret_value(SecretId="s")["SecretString"] == "v"
    there.put_secret_value(SecretId="s", SecretString="own")
    assert here.get_secret_value(SecretId="s")["SecretString"] == "later"


def test_what_cannot_be_replicated_is_failed(of: In) -> None:
    """A name that is taken, unless it is to be overwritten; a key that is not there."""
    here, there = of(HERE), of(THERE)
    there.create_secret(Name="s", SecretString="theirs")
    here.create_secret(Name="s", SecretString="ours")
    replicate = here.replicate_secret_to_regions
    (found,) = replicate(SecretId="s", AddReplicaRegions=[{"Region": THERE}])["ReplicationStatus"]
    assert (found["Status"], found["StatusMessage"]) == (
        "Failed",
        "Secret with this name already exists in this region",
    )
    assert there.get_secret_value(SecretId="s")["SecretString"] == "theirs"
    missing = {"Region": "us-west-2", "KmsKeyId": "alias/not-there"}
    replicate(SecretId="s", AddReplicaRegions=[missing])
    assert statuses(here, "s") == {THERE: "Failed", "us-west-2": "Failed"}
    replicate(SecretId="s", AddReplicaRegions=[{"Region": THERE}], ForceOverwriteReplicaSecret=True)
    assert there.get_secret_value(SecretId="s")["SecretString"] == "ours"
    replicate(SecretId="s", AddReplicaRegions=[{"Region": "us-west-2"}])
    assert statuses(here, "s") == {THERE: "InSync", "us-west-2": "InSync"}
    here.put_secret_value(SecretId="s", SecretString="new")
    assert of("us-west-2").get_secret_value(SecretId="s")["SecretString"] == "new"
