"""The condition keys that services have of their own: those that requests have here, and those that none has.

AWS: Service Authorization Reference, "Condition keys for ..." of each service. Left out are keys of operations that
are not here, and those of tags.
"""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

Make = Callable[["World"], dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class World:
    """What there is in the account, for the requests of the tables."""

    account: str
    admin: Callable[[str], Any]
    bag: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A request that has `key` with `value`, so that a Deny on it means the request."""

    key: str
    value: str
    method: str
    params: Make
    config: Mapping[str, Any] = field(default_factory=dict)


def s3(key: str, value: str, method: str, **params: Any) -> Row:
    """On the account's bucket."""
    return Row(
        f"s3:{key}",
        value,
        method,
        lambda world: {"Bucket": f"keys-{world.account}", **params},
        {"s3": {"payload_signing_enabled": False}},
    )


S3 = (
    s3("authType", "REST-HEADER", "head_bucket"),
    s3("signatureversion", "AWS4-HMAC-SHA256", "head_bucket"),
    s3("x-amz-content-sha256", "UNSIGNED-PAYLOAD", "put_object", Key="k", Body=b"x", ChecksumAlgorithm="CRC32"),
    s3("ResourceAccount", "{account}", "list_objects_v2"),
    s3("prefix", "a/", "list_objects_v2", Prefix="a/"),
    s3("delimiter", "/", "list_objects_v2", Delimiter="/"),
    s3("max-keys", "7", "list_objects_v2", MaxKeys=7),
    s3("VersionId", "null", "get_object", Key="k", VersionId="null"),
    s3("ObjectCreationOperation", "true", "put_object", Key="k", Body=b""),
    s3("ObjectCreationOperation", "false", "create_multipart_upload", Key="k"),
    s3("if-none-match", "*", "put_object", Key="k", IfNoneMatch="*"),
    s3("x-amz-acl", "private", "put_object", Key="k", ACL="private"),
    s3("x-amz-storage-class", "GLACIER", "put_object", Key="k", StorageClass="GLACIER"),
    s3("x-amz-server-side-encryption", "AES256", "put_object", Key="k", ServerSideEncryption="AES256"),
    s3("x-amz-website-redirect-location", "/x", "put_object", Key="k", WebsiteRedirectLocation="/x"),
    s3("RequestObjectTag/a", "b", "put_object", Key="k", Tagging="a=b"),
    s3("x-amz-object-ownership", "ObjectWriter", "create_bucket", ObjectOwnership="ObjectWriter"),
)
BOUNDARY = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
DOCUMENT = '{"Version":"2012-10-17","Statement":[]}'


def a_user(**more: Any) -> Make:
    """A request on a user that has a boundary and a tag."""

    def make(world: World) -> dict[str, Any]:
        if "user" not in world.bag:
            world.bag["user"] = "bounded"
            world.admin("iam").create_user(UserName="bounded", Tags=[{"Key": "t", "Value": "v"}])
        world.admin("iam").put_user_permissions_boundary(UserName="bounded", PermissionsBoundary=BOUNDARY)
        return {"UserName": "bounded", **more}

    return make


def plain(**params: Any) -> Make:
    """The same parameters in each account."""
    return lambda world: params


IAM = (
    Row("iam:PermissionsBoundary", BOUNDARY, "create_user", plain(UserName="n", PermissionsBoundary=BOUNDARY)),
    Row(
        "iam:PermissionsBoundary",
        BOUNDARY,
        "put_user_policy",
        a_user(PolicyName="p", PolicyDocument=DOCUMENT),
    ),
    Row("iam:PermissionsBoundary", BOUNDARY, "detach_user_policy", a_user(PolicyArn=BOUNDARY)),
    Row("iam:PermissionsBoundary", BOUNDARY, "delete_user_policy", a_user(PolicyName="none")),
    Row("iam:ResourceTag/t", "v", "get_user", a_user()),
    Row("iam:PolicyARN", BOUNDARY, "attach_user_policy", a_user(PolicyArn=BOUNDARY)),
    Row("iam:PermissionsBoundary", BOUNDARY, "delete_user_permissions_boundary", a_user()),
)


def a_function(**more: Any) -> Make:
    """A request on a function that need not be there."""
    return plain(FunctionName="f", **more)


def permitted(world: World) -> dict[str, Any]:
    """A request that takes a statement from a function's policy."""
    if "function" not in world.bag:
        functions, body = world.admin("lambda"), io.BytesIO()
        with zipfile.ZipFile(body, "w") as package:
            package.writestr("app.py", "")
        world.bag["function"] = functions.create_function(
            FunctionName="f",
            Runtime="python3.12",
            Handler="app.handler",
            Role=f"arn:aws:iam::{world.account}:role/r",
            Code={"ZipFile": body.getvalue()},
        )["FunctionArn"]
        functions.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")
    with suppress(ClientError):
        world.admin("lambda").add_permission(
            FunctionName="f",
            StatementId="s",
            Action="lambda:InvokeFunctionUrl",
            Principal="*",
            FunctionUrlAuthType="NONE",
        )
    return {"FunctionName": "f", "StatementId": "s"}


def with_url(world: World) -> dict[str, Any]:
    """A request on the function's URL."""
    permitted(world)
    return {"FunctionName": "f"}


S3_MAY = {"StatementId": "n", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com"}
LAYER = "arn:aws:lambda:us-east-1:{account}:layer:l:1"
LAMBDA = (
    Row("lambda:Principal", "s3.amazonaws.com", "add_permission", a_function(**S3_MAY)),
    Row(
        "lambda:FunctionUrlAuthType",
        "NONE",
        "add_permission",
        a_function(**S3_MAY | {"Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"}),
    ),
    Row("lambda:FunctionUrlAuthType", "AWS_IAM", "get_function_url_config", with_url),
    Row("lambda:FunctionUrlAuthType", "NONE", "update_function_url_config", a_function(AuthType="NONE")),
    Row(
        "lambda:SubnetIds",
        "subnet-1",
        "update_function_configuration",
        a_function(VpcConfig={"SubnetIds": ["subnet-1"]}),
    ),
    Row(
        "lambda:SecurityGroupIds",
        "sg-1",
        "update_function_configuration",
        a_function(VpcConfig={"SecurityGroupIds": ["sg-1"]}),
    ),
    Row(
        "lambda:Layer",
        LAYER,
        "update_function_configuration",
        lambda world: {"FunctionName": "f", "Layers": [LAYER.format(account=world.account)]},
    ),
    Row(
        "lambda:FunctionArn",
        "{function}",
        "create_event_source_mapping",
        lambda world: {**with_url(world), "EventSourceArn": f"arn:aws:sqs:us-east-1:{world.account}:none"},
    ),
    Row(
        "lambda:CodeSigningConfigArn",
        "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0",
        "put_function_code_signing_config",
        a_function(
            CodeSigningConfigArn="arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0"
        ),
    ),
    Row("lambda:Principal", "*", "remove_permission", permitted),
    Row("lambda:FunctionUrlAuthType", "NONE", "remove_permission", permitted),
)


def a_key(**more: Any) -> Make:
    """A request on a key that has an alias."""

    def make(world: World) -> dict[str, Any]:
        if "key" not in world.bag:
            keys = world.admin("kms")
            world.bag["key"] = keys.create_key()["KeyMetadata"]["KeyId"]
            keys.create_alias(AliasName="alias/named", TargetKeyId=world.bag["key"])
        return {"KeyId": world.bag["key"], **more}

    return make


GRANTEE = "arn:aws:iam::111111111111:root"
GRANT = {"GranteePrincipal": GRANTEE, "Operations": ["Encrypt"]}
EQUALS = {"Constraints": {"EncryptionContextEquals": {"a": "b"}}}


def re_encrypted(world: World) -> dict[str, Any]:
    """From one key to itself."""
    key = a_key()(world)["KeyId"]
    secret = world.admin("kms").encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    return {"CiphertextBlob": secret, "DestinationKeyId": key}


KMS = (
    Row("kms:KeySpec", "SYMMETRIC_DEFAULT", "create_key", plain()),
    Row("kms:KeyUsage", "SIGN_VERIFY", "create_key", plain(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")),
    Row("kms:CustomerMasterKeySpec", "SYMMETRIC_DEFAULT", "create_key", plain()),
    Row("kms:CustomerMasterKeyUsage", "ENCRYPT_DECRYPT", "create_key", plain()),
    Row("kms:KeyOrigin", "EXTERNAL", "create_key", plain(Origin="EXTERNAL")),
    Row("kms:MultiRegion", "false", "create_key", plain()),
    Row("kms:MultiRegionKeyType", "PRIMARY", "create_key", plain(MultiRegion=True)),
    Row("kms:BypassPolicyLockoutSafetyCheck", "true", "create_key", plain(BypassPolicyLockoutSafetyCheck=True)),
    Row("kms:CallerAccount", "{account}", "create_key", plain()),
    Row("kms:KeySpec", "SYMMETRIC_DEFAULT", "describe_key", a_key()),
    Row("kms:ResourceAliases", "alias/named", "encrypt", a_key(Plaintext=b"x")),
    Row(
        "kms:RequestAlias",
        "alias/named",
        "encrypt",
        lambda world: {**a_key(Plaintext=b"x")(world), "KeyId": "alias/named"},
    ),
    Row("kms:EncryptionAlgorithm", "SYMMETRIC_DEFAULT", "encrypt", a_key(Plaintext=b"x")),
    Row("kms:EncryptionContext:a", "b", "generate_data_key", a_key(KeySpec="AES_256", EncryptionContext={"a": "b"})),
    Row("kms:EncryptionContextKeys", "a", "generate_data_key", a_key(KeySpec="AES_256", EncryptionContext={"a": "b"})),
    Row("kms:DataKeyPairSpec", "ECC_NIST_P256", "generate_data_key_pair", a_key(KeyPairSpec="ECC_NIST_P256")),
    Row(
        "kms:SigningAlgorithm",
        "ECDSA_SHA_256",
        "sign",
        a_key(Message=b"x", SigningAlgorithm="ECDSA_SHA_256"),
    ),
    Row("kms:MessageType", "RAW", "sign", a_key(Message=b"x", SigningAlgorithm="ECDSA_SHA_256")),
    Row("kms:MacAlgorithm", "HMAC_SHA_256", "generate_mac", a_key(Message=b"x", MacAlgorithm="HMAC_SHA_256")),
    Row("kms:GranteePrincipal", GRANTEE, "create_grant", a_key(**GRANT)),
    Row(
        "kms:RetiringPrincipal",
        GRANTEE,
        "create_grant",
        a_key(**GRANT, RetiringPrincipal=GRANTEE),
    ),
    Row("kms:GrantOperations", "Encrypt", "create_grant", a_key(**GRANT)),
    Row("kms:GrantConstraintType", "EncryptionContextEquals", "create_grant", a_key(**GRANT, **EQUALS)),
    Row("kms:GrantIsForAWSResource", "false", "create_grant", a_key(**GRANT)),
    Row("kms:ReEncryptOnSameKey", "true", "re_encrypt", re_encrypted),
    Row("kms:RotationPeriodInDays", "100", "enable_key_rotation", a_key(RotationPeriodInDays=100)),
    Row("kms:ScheduleKeyDeletionPendingWindowInDays", "30", "schedule_key_deletion", a_key()),
)


def a_secret(**more: Any) -> Make:
    """A request on a secret with a tag."""

    def make(world: World) -> dict[str, Any]:
        if "secret" not in world.bag:
            tags = [{"Key": "t", "Value": "v"}]
            made = world.admin("secretsmanager").create_secret(Name="s", SecretString="x", Tags=tags)
            world.bag["secret"] = made["ARN"]
        return {"SecretId": "s", **more}

    return make


ROTATES = "arn:aws:lambda:us-east-1:000000000000:function:r"
SECRETS = (
    Row("secretsmanager:Name", "n", "create_secret", plain(Name="n", SecretString="x")),
    Row("secretsmanager:Description", "d", "create_secret", plain(Name="d", Description="d")),
    Row("secretsmanager:KmsKeyId", "alias/none", "create_secret", plain(Name="k", KmsKeyId="alias/none")),
    Row(
        "secretsmanager:AddReplicaRegions",
        "eu-west-1",
        "create_secret",
        plain(Name="r", AddReplicaRegions=[{"Region": "eu-west-1"}]),
    ),
    Row(
        "secretsmanager:ForceOverwriteReplicaSecret",
        "true",
        "create_secret",
        plain(Name="o", ForceOverwriteReplicaSecret=True),
    ),
    Row("secretsmanager:SecretId", "{secret}", "describe_secret", a_secret()),
    Row("secretsmanager:ResourceTag/t", "v", "describe_secret", a_secret()),
    Row("secretsmanager:SecretPrimaryRegion", "us-east-1", "describe_secret", a_secret()),
    Row("secretsmanager:VersionStage", "AWSCURRENT", "get_secret_value", a_secret(VersionStage="AWSCURRENT")),
    Row("secretsmanager:VersionId", "0" * 32, "get_secret_value", a_secret(VersionId="0" * 32)),
    Row(
        "secretsmanager:BlockPublicPolicy",
        "true",
        "put_resource_policy",
        a_secret(ResourcePolicy=DOCUMENT, BlockPublicPolicy=True),
    ),
    Row("secretsmanager:RotationLambdaARN", ROTATES, "rotate_secret", a_secret(RotationLambdaARN=ROTATES)),
    Row("secretsmanager:ModifyRotationRules", "false", "rotate_secret", a_secret(RotationLambdaARN=ROTATES)),
    Row(
        "secretsmanager:RotateImmediately",
        "false",
        "rotate_secret",
        a_secret(RotationLambdaARN=ROTATES, RotateImmediately=False),
    ),
    Row("secretsmanager:RecoveryWindowInDays", "9", "delete_secret", a_secret(RecoveryWindowInDays=9)),
    Row(
        "secretsmanager:ForceDeleteWithoutRecovery", "true", "delete_secret", a_secret(ForceDeleteWithoutRecovery=True)
    ),
)


def a_parameter(world: World) -> dict[str, Any]:
    """A request on a parameter with a tag."""
    with suppress(ClientError):
        world.admin("ssm").put_parameter(Name="t", Value="x", Type="String", Tags=[{"Key": "t", "Value": "v"}])
    return {"Name": "t"}


PARAMETER = {"Name": "/p", "Value": "x", "Type": "String"}
POLICIES = '[{"Type":"Expiration","Version":"1.0","Attributes":{"Timestamp":"2099-01-01T00:00:00.000Z"}}]'
SSM = (
    Row("ssm:Overwrite", "true", "put_parameter", plain(**PARAMETER, Overwrite=True)),
    Row("ssm:Overwrite", "false", "put_parameter", plain(**PARAMETER)),
    Row("ssm:Policies", "true", "put_parameter", plain(**PARAMETER, Tier="Advanced", Policies=POLICIES)),
    Row("ssm:resourceTag/t", "v", "get_parameter", a_parameter),
    Row("ssm:resourceTag/t", "v", "delete_parameter", a_parameter),
    Row("ssm:Recursive", "true", "get_parameters_by_path", plain(Path="/", Recursive=True)),
)
PATTERN = json.dumps({
    "source": ["aws.ec2"],
    "detail-type": ["T"],
    "detail": {"service": ["EC2"], "eventTypeCode": ["C"], "userIdentity": {"principalId": ["P"]}},
})  # fmt: skip


def a_rule(**more: Any) -> Make:
    """A request that makes or changes a rule."""
    return plain(Name="r", EventPattern=PATTERN, **more)


ENTRY = {"Source": "s", "DetailType": "d", "Detail": "{}"}
TARGET = {"Id": "1", "Arn": "arn:aws:sqs:us-east-1:000000000000:q"}
EVENTS = (
    Row("events:source", "aws.ec2", "put_rule", a_rule()),
    Row("events:detail-type", "T", "put_rule", a_rule()),
    Row("events:detail.service", "EC2", "put_rule", a_rule()),
    Row("events:detail.eventTypeCode", "C", "put_rule", a_rule()),
    Row("events:detail.userIdentity.principalId", "P", "put_rule", a_rule()),
    Row("events:creatorAccount", "{account}", "describe_rule", plain(Name="r")),
    Row("events:TargetArn", TARGET["Arn"], "put_targets", plain(Rule="r", Targets=[TARGET])),
    Row("events:source", "s", "put_events", plain(Entries=[ENTRY])),
    Row("events:detail-type", "d", "put_events", plain(Entries=[ENTRY])),
)


def a_table(**more: Any) -> Make:
    """A request on a table with the partition key k."""

    def make(world: World) -> dict[str, Any]:
        if "table" not in world.bag:
            world.bag["table"] = "table"
            world.admin("dynamodb").create_table(
                TableName="table",
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            )
        return {"TableName": "table", **more}

    return make


TOPIC = "arn:aws:sns:us-east-1:{account}:t"
SNS = tuple(
    Row(
        key,
        value,
        "subscribe",
        lambda world: {"TopicArn": TOPIC.format(account=world.account), "Protocol": "email", "Endpoint": "a@b.c"},
    )
    for key, value in (("sns:Protocol", "email"), ("sns:Endpoint", "a@b.c"))
)
ACTION = "arn:aws:sns:us-east-1:000000000000:t"
CLOUDWATCH = (
    Row(
        "cloudwatch:namespace",
        "N",
        "put_metric_data",
        plain(Namespace="N", MetricData=[{"MetricName": "m", "Value": 1}]),
    ),
    Row(
        "cloudwatch:AlarmActions",
        ACTION,
        "put_composite_alarm",
        plain(AlarmName="a", AlarmRule="TRUE", AlarmActions=[ACTION]),
    ),
)
KEY = {"k": {"S": "x"}}
DYNAMODB = (
    Row("dynamodb:LeadingKeys", "x", "get_item", a_table(Key=KEY)),
    Row("dynamodb:Attributes", "k", "get_item", a_table(Key=KEY)),
    Row("dynamodb:Select", "COUNT", "scan", a_table(Select="COUNT")),
    Row("dynamodb:ReturnValues", "ALL_OLD", "delete_item", a_table(Key=KEY, ReturnValues="ALL_OLD")),
    Row("dynamodb:ReturnConsumedCapacity", "TOTAL", "get_item", a_table(Key=KEY, ReturnConsumedCapacity="TOTAL")),
    Row(
        "dynamodb:EnclosingOperation",
        "TransactGetItems",
        "transact_get_items",
        lambda world: {"TransactItems": [{"Get": a_table(Key=KEY)(world)}]},
    ),
)
FILLED: Mapping[str, tuple[Row, ...]] = {
    "cloudwatch": CLOUDWATCH,
    "dynamodb": DYNAMODB,
    "events": EVENTS,
    "iam": IAM,
    "kms": KMS,
    "lambda": LAMBDA,
    "s3": S3,
    "secretsmanager": SECRETS,
    "sns": SNS,
    "ssm": SSM,
}
"""Service -> one request for each key."""
TOLD: Mapping[str, tuple[str, ...]] = {
    "events": ("events:eventBusInvocation", "events:ManagedBy"),
    "iam": ("iam:AssociatedResourceArn",),
    "lambda": ("lambda:VpcIds", "lambda:EventSourceToken"),
    "secretsmanager": ("secretsmanager:KmsKeyArn",),
}
"""Service -> keys that no request has, each on its page in docs/services."""
