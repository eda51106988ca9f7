"""Deploys the pipeline with boto3, exactly as one would on AWS: role, buckets, function, permission, event."""

import json
import time

TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def deploy(client, name: str, package: bytes, runtime: str, handler: str) -> tuple[str, str]:
    """Deploy one pipeline; `client(service)` gives a boto3 client. Returns the names of its two buckets."""
    source, target = f"{name}-in", f"{name}-out"
    s3, iam, functions = client("s3"), client("iam"), client("lambda")
    for bucket in (source, target):
        s3.create_bucket(Bucket=bucket)
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="pipeline", PolicyDocument=json.dumps(policy(source, target)))
    function = functions.create_function(
        FunctionName=name,
        Runtime=runtime,
        Handler=handler,
        Role=role,
        Code={"ZipFile": package},
        Timeout=30,
        MemorySize=256,
        Environment={"Variables": {"DST_BUCKET": target}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    functions.add_permission(
        FunctionName=name,
        StatementId="AllowExecutionFromS3Bucket",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{source}",
    )
    notification = {"LambdaFunctionArn": function["FunctionArn"], "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=source, NotificationConfiguration={"LambdaFunctionConfigurations": [notification]}
    )
    return source, target


def policy(source: str, target: str) -> dict:
    """What the function may do, and no more."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{source}/*"},
            {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{target}/*"},
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": "*",
            },
        ],
    }


def wait_for_object(s3, bucket: str, key: str, timeout_s: float = 30.0) -> bytes:
    """The object's content, as soon as it is there. Raises TimeoutError."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        try:
            return s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except s3.exceptions.NoSuchKey:
            time.sleep(0.02)
    raise TimeoutError(f"s3://{bucket}/{key} did not appear within {timeout_s} s")
