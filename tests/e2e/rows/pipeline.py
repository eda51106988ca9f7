"""Seed S1 deployed: producer bucket, function, consumer bucket, with the names and the policy of its main.tf."""

import json
from dataclasses import dataclass
from typing import Any

from tests.platform import RunningPlatform

FUNCTION = "example_lambda_name"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}
LOGS = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """One account's deployment. Names of buckets end in the account, so that they are its own."""

    platform: RunningPlatform
    account: str
    region: str = "us-west-2"
    function: str = FUNCTION

    @property
    def producer(self) -> str:
        """Where objects are put."""
        return f"{self.account}-my-producer"

    @property
    def consumer(self) -> str:
        """Where the function puts its copies."""
        return f"{self.account}-my-consumer"

    @property
    def arn(self) -> str:
        """The function's ARN."""
        return f"arn:aws:lambda:{self.region}:{self.account}:function:{self.function}"

    @property
    def policy_arn(self) -> str:
        """The role's one policy."""
        return f"arn:aws:iam::{self.account}:policy/lambda_s3"

    def client(self, service: str) -> Any:
        """A boto3 client of this account and region."""
        return self.platform.client(service, account=self.account, region=self.region)

    def statement(self, *actions: str) -> str:
        """A policy that allows these actions everywhere."""
        allowed = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        return json.dumps({"Version": "2012-10-17", "Statement": [allowed]})

    def create_role(self) -> str:
        """The role and its policy, with the two actions that do not exist (S1-18). The role's ARN."""
        iam = self.client("iam")
        role: str = iam.create_role(RoleName="lambda_role", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        actions = ("s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:CopyObject", "s3:HeadObject", *LOGS)
        iam.create_policy(PolicyName="lambda_s3", PolicyDocument=self.statement(*actions))
        iam.attach_role_policy(RoleName="lambda_role", PolicyArn=self.policy_arn)
        return role

    def create_buckets(self) -> None:
        """Producer and consumer."""
        for bucket in (self.producer, self.consumer):
            self.client("s3").create_bucket(
                Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": self.region}
            )

    def create_function(self, code: dict[str, Any], role: str) -> dict[str, Any]:
        """The function as main.tf has it: neither memory nor timeout are given."""
        functions = self.client("lambda")
        made: dict[str, Any] = functions.create_function(
            FunctionName=self.function,
            Runtime="go1.x",
            Handler="s3_lambda",
            Role=role,
            Code=code,
            Environment={"Variables": {"DST_BUCKET": self.consumer, "REGION": self.region}},
        )
        self.ready()
        return made

    def ready(self) -> None:
        """Wait until the function can run."""
        waiting = {"FunctionName": self.function, "WaiterConfig": {"Delay": 1}}
        self.client("lambda").get_waiter("function_active_v2").wait(**waiting)
        self.client("lambda").get_waiter("function_updated_v2").wait(**waiting)

    def permit(self) -> None:
        """aws_lambda_permission."""
        self.client("lambda").add_permission(
            FunctionName=self.function,
            StatementId="AllowExecutionFromS3Bucket",
            Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
            SourceArn=f"arn:aws:s3:::{self.producer}",
        )

    def notify(self, bucket: str = "", arn: str = "") -> None:
        """aws_s3_bucket_notification."""
        entry = {"LambdaFunctionArn": arn or self.arn, "Events": ["s3:ObjectCreated:*"]}
        self.client("s3").put_bucket_notification_configuration(
            Bucket=bucket or self.producer, NotificationConfiguration={"LambdaFunctionConfigurations": [entry]}
        )

    def deploy(self, code: bytes) -> None:
        """Everything."""
        self.create_buckets()
        self.create_function({"ZipFile": code}, self.create_role())
        self.permit()
        self.notify()

    def put(self, key: str, body: bytes) -> list[str]:
        """Put an object, wait for what it causes; what the function logged meanwhile."""
        before = len(self.log())
        self.client("s3").put_object(Bucket=self.producer, Key=key, Body=body)
        self.platform.drain()
        return self.log()[before:]

    def log(self) -> list[str]:
        """Every message of the function's log group, in order; none where there is no group."""
        logs = self.client("logs")
        group = f"/aws/lambda/{self.function}"
        if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            return []
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        return [event["message"].rstrip("\n") for page in pages for event in page["events"]]

    def stored(self, bucket: str = "") -> list[str]:
        """The keys of the consumer, or of another bucket."""
        pages = self.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket or self.consumer)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def copied(self, key: str) -> bytes:
        """The body of an object in the consumer."""
        body: bytes = self.client("s3").get_object(Bucket=self.consumer, Key=key)["Body"].read()
        return body
