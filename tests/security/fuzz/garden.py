"""What exists while the fuzz runs: resources that cases may hit, and a second account whose requests must all succeed.

Both are boto3 clients in threads. AWS: none.
"""

import contextlib
import io
import json
import threading
import time
from typing import Any

from botocore.exceptions import ClientError

from tests.platform import RunningPlatform
from tests.security.fuzz import archives
from tests.security.fuzz.signed import REGION, Key

TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
})  # fmt: skip
ADMIN = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
FUZZED = "000000000000"
HONEST = "111122223333"


class Clients:
    """boto3 clients of one account."""

    def __init__(self, platform: RunningPlatform, account: str) -> None:
        self.account = account
        self.s3, self.iam, self.logs, self.functions, self.sts = (
            platform.client(name, account=account, region=REGION) for name in ("s3", "iam", "logs", "lambda", "sts")
        )

    def close(self) -> None:
        """End the connections."""
        for client in (self.s3, self.iam, self.logs, self.functions, self.sts):
            client.close()


def _issue_key(platform: RunningPlatform) -> Key:
    iam = Clients(platform, FUZZED).iam
    iam.create_user(UserName="keeper")
    iam.put_user_policy(UserName="keeper", PolicyName="admin", PolicyDocument=ADMIN)
    key = iam.create_access_key(UserName="keeper")["AccessKey"]
    return Key(access_key_id=key["AccessKeyId"], secret=key["SecretAccessKey"])


def plant(clients: Clients) -> None:
    """Make again what is missing of `corpus.STANDING`."""
    role = f"arn:aws:iam::{clients.account}:role/fuzz-role"
    location = {"LocationConstraint": REGION}
    function = {"Runtime": "python3.11", "Role": role, "Handler": "app.handler", "Code": {"ZipFile": archives.good()}}
    steps: tuple[tuple[Any, dict[str, Any]], ...] = (
        (clients.s3.create_bucket, {"Bucket": "fuzz-bucket", "CreateBucketConfiguration": location}),
        (clients.s3.put_object, {"Bucket": "fuzz-bucket", "Key": "standing/key", "Body": b"standing" * 100}),
        (clients.iam.create_role, {"RoleName": "fuzz-role", "AssumeRolePolicyDocument": TRUST}),
        (clients.iam.create_user, {"UserName": "fuzz-user"}),
        (clients.iam.create_group, {"GroupName": "fuzz-group"}),
        (clients.iam.create_policy, {"PolicyName": "fuzz-policy", "PolicyDocument": ADMIN}),
        (clients.iam.create_instance_profile, {"InstanceProfileName": "fuzz-profile"}),
        (clients.logs.create_log_group, {"logGroupName": "/fuzz/group"}),
        (clients.logs.create_log_stream, {"logGroupName": "/fuzz/group", "logStreamName": "fuzz-stream"}),
        (clients.functions.create_function, {"FunctionName": "fuzz-function", **function}),
        (clients.functions.create_function, {"FunctionName": "fuzz-function-2", **function}),
    )
    for create, params in steps:
        with contextlib.suppress(ClientError):  # exists, or a fuzzed policy or quota is in its way
            create(**params)


class Gardener:
    """Plants, and runs honest requests, until stopped. `done` counts honest rounds; `error` is what failed first."""

    def __init__(self, platform: RunningPlatform) -> None:
        self._fuzzed = Clients(platform, FUZZED)
        self._honest = Clients(platform, HONEST)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gardener")
        self.done = 0
        self.error: Exception | None = None

    def __enter__(self) -> "Gardener":
        plant(self._fuzzed)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(60)
        self._fuzzed.close()
        self._honest.close()

    def _run(self) -> None:
        while not self._ended.wait(0.1) and self.error is None:
            try:
                honest_round(self._honest, self.done)
            except Exception as error:  # noqa: BLE001 - handed to the test
                self.error = error
            if self.done % 5 == 0:
                plant(self._fuzzed)
            self.done += 1


def prepare(platform: RunningPlatform) -> Key:
    """The honest account's lasting resources, and an administrator's access key in the fuzzed one."""
    clients = Clients(platform, HONEST)
    clients.s3.create_bucket(Bucket="honest", CreateBucketConfiguration={"LocationConstraint": REGION})
    clients.logs.create_log_group(logGroupName="/honest")
    clients.logs.create_log_stream(logGroupName="/honest", logStreamName="s")
    clients.iam.create_role(RoleName="honest", AssumeRolePolicyDocument=TRUST)
    clients.close()
    return _issue_key(platform)


def honest_round(clients: Clients, number: int) -> None:
    """Some of everything; whatever does not do what AWS does raises."""
    key, body = f"k/{number % 7}", f"{number}-é".encode() * (1 + 3000 * (number % 3))
    clients.s3.put_object(Bucket="honest", Key=key, Body=body)
    assert clients.s3.get_object(Bucket="honest", Key=key)["Body"].read() == body
    clients.s3.upload_fileobj(io.BytesIO(body), "honest", "uploaded")
    assert clients.s3.head_object(Bucket="honest", Key="uploaded")["ContentLength"] == len(body)
    clients.s3.delete_object(Bucket="honest", Key=key)
    role = f"round-{number}"
    clients.iam.create_role(RoleName=role, AssumeRolePolicyDocument=TRUST)
    assert role in [found["RoleName"] for found in clients.iam.list_roles()["Roles"]]
    clients.iam.delete_role(RoleName=role)
    assert clients.sts.get_caller_identity()["Account"] == clients.account
    event = {"timestamp": int(time.time() * 1000), "message": role}
    clients.logs.put_log_events(logGroupName="/honest", logStreamName="s", logEvents=[event])
    latest = clients.logs.get_log_events(logGroupName="/honest", logStreamName="s", limit=1)["events"]
    assert [found["message"] for found in latest] == [role]
    if number % 10 == 0:
        function_round(clients, f"honest-{number}")


def function_round(clients: Clients, name: str) -> None:
    """A function from its creation to its end."""
    clients.functions.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role=f"arn:aws:iam::{clients.account}:role/honest",
        Handler="app.handler",
        Code={"ZipFile": archives.good()},
    )
    clients.functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    answer = clients.functions.invoke(FunctionName=name, Payload=b'{"n": 1}')
    assert (answer["StatusCode"], answer["Payload"].read()) == (200, b'{"n": 1}')
    clients.functions.delete_function(FunctionName=name)
