"""Keys used through other services, in a user's name.

AWS: KMS Developer Guide, "AWS managed keys", "kms:ViaService".
"""

import pytest
from botocore.exceptions import ClientError

from tests.platform import RunningPlatform
from tests.services.kms.conftest import As, allow, code

SECRET = {"Name": "a", "Value": "v", "Type": "SecureString"}


def test_the_first_use_of_an_aws_managed_key_is_as_every_later_one(
    platform: RunningPlatform, account: str, as_user: As
) -> None:
    """Its policy lets everybody in the account use it through its service, and nobody without."""
    kms = platform.client("kms", account=account)
    clients = as_user(*(allow(f"{service}:*") for service in ("s3", "ssm", "secretsmanager")))
    s3, ssm, secrets, own = (clients(service) for service in ("s3", "ssm", "secretsmanager", "kms"))
    s3.create_bucket(Bucket=f"managed-{account}")
    for _ in range(2):
        assert code(own.generate_data_key, KeyId="alias/aws/s3", KeySpec="AES_256") == "AccessDeniedException"
        assert code(own.describe_key, KeyId="alias/aws/s3") == "AccessDeniedException"
        s3.put_object(Bucket=f"managed-{account}", Key="a", Body=b"a", ServerSideEncryption="aws:kms")
    for overwrite in (False, True):
        ssm.put_parameter(**SECRET, Overwrite=overwrite)
    for name in "ab":
        secrets.create_secret(Name=name, SecretString="v")
    assert s3.get_object(Bucket=f"managed-{account}", Key="a")["Body"].read() == b"a"
    assert ssm.get_parameter(Name="a", WithDecryption=True)["Parameter"]["Value"] == "v"
    assert secrets.get_secret_value(SecretId="a")["SecretString"] == "v"
    made = {alias["AliasName"] for alias in kms.list_aliases()["Aliases"] if "TargetKeyId" in alias}
    assert made == {"alias/aws/s3", "alias/aws/secretsmanager", "alias/aws/ssm"}


def test_a_refused_user_makes_no_aws_managed_key(platform: RunningPlatform, account: str, as_user: As) -> None:
    """The key comes into being at its first use; a use that is refused is none."""
    own = as_user(allow("kms:*"))("kms")
    assert code(own.encrypt, KeyId="alias/aws/ssm", Plaintext=b"a") == "AccessDeniedException"
    assert platform.client("kms", account=account).list_keys()["Keys"] == []


@pytest.mark.parametrize(
    ("via", "works"),
    [
        ("ssm.us-east-1.amazonaws.com", True),
        ("ssm.eu-west-1.amazonaws.com", False),
        ("secretsmanager.us-east-1.amazonaws.com", False),
    ],
)
def test_a_user_may_use_a_key_through_one_service_alone(
    platform: RunningPlatform, account: str, as_user: As, via: str, works: bool
) -> None:
    """kms:ViaService names the service and the region that ask in the user's name; it is not there without one."""
    key = platform.client("kms", account=account).create_key()["KeyMetadata"]["KeyId"]
    clients = as_user(allow("ssm:*"), allow("kms:*", Condition={"StringEquals": {"kms:ViaService": via}}))
    put = {**SECRET, "KeyId": key}
    if works:
        clients("ssm").put_parameter(**put)
        assert clients("ssm").get_parameter(Name="a", WithDecryption=True)["Parameter"]["Value"] == "v"
    else:
        assert "AccessDenied" in code(clients("ssm").put_parameter, **put)
    assert code(clients("kms").encrypt, KeyId=key, Plaintext=b"a") == "AccessDeniedException"


@pytest.mark.parametrize("named_by", ["key", "alias"])
def test_a_region_knows_no_keys_of_another(platform: RunningPlatform, account: str, named_by: str) -> None:
    """An ARN of another region is NotFoundException in every operation, and KMS.NotFoundException of S3."""
    west = platform.client("kms", account=account, region="eu-west-1")
    arn = west.create_key()["KeyMetadata"]["Arn"]
    west.create_alias(AliasName="alias/mine", TargetKeyId=arn)
    name = arn if named_by == "key" else f"arn:aws:kms:eu-west-1:{account}:alias/mine"
    sealed = west.encrypt(KeyId=name, Plaintext=b"a")["CiphertextBlob"]
    here = platform.client("kms", account=account)
    for call, params in (
        (here.describe_key, {}), (here.disable_key, {}), (here.encrypt, {"Plaintext": b"a"}),
        (here.generate_data_key, {"KeySpec": "AES_256"}), (here.decrypt, {"CiphertextBlob": sealed}),
        (here.schedule_key_deletion, {}),
    ):  # fmt: skip
        with pytest.raises(here.exceptions.NotFoundException, match="Invalid arn eu-west-1"):
            call(KeyId=name, **params)
    s3 = platform.client("s3", account=account)
    s3.create_bucket(Bucket=f"regions-{account}")
    under = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": name}
    with pytest.raises(ClientError, match="Invalid arn eu-west-1") as caught:
        s3.put_object(Bucket=f"regions-{account}", Key="a", Body=b"a", **under)
    assert caught.value.response["Error"]["Code"] == "KMS.NotFoundException"
    assert west.describe_key(KeyId=name)["KeyMetadata"]["KeyState"] == "Enabled"
