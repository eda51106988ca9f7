"""Rows that every seed forces: no endpoint setting, private paths, both streams, accounts and regions, no Docker.

The table of rows is docs/requirements.md.
"""

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.functions import create_function
from tests.e2e.rows.functions import Deployed, deploy_binary
from tests.machine import lacking
from tests.platform import RunningPlatform

ACCOUNTS = {"default": "396803809648", "heronalps": "444253827891"}
OS_ONLY = ("provided", "provided.al2", "provided.al2023")
REGIONS = ("us-east-1", "us-west-2")


@pytest.mark.parametrize(
    ("runtime", "region"),
    [("go1.x", "us-west-2"), *((runtime, "us-east-1") for runtime in ("go1.x", *OS_ONLY))],
)
def test_an_unmodified_go_program_reaches_sts(
    platform: RunningPlatform, account: str, identity_zip: bytes, runtime: str, region: str
) -> None:
    """X3: aws-sdk-go v1 asks AWS's own host names, during INIT too: the sandbox's resolver, port 443 and authority."""
    handler = "bootstrap" if runtime in OS_ONLY else "identity"
    code = identity_zip if handler == "identity" else renamed(identity_zip, handler)
    function = deploy_binary(platform, account, "who", code, handler, Runtime=runtime, region=region, Timeout=10)
    answer = function.run({}).value
    arn = f"arn:aws:sts::{account}:assumed-role/unknown/who"
    assert (answer["AtInit"], answer["Now"]) == (arn, arn)
    assert answer["Endpoint"] == "https://sts.amazonaws.com"


def renamed(package: bytes, name: str) -> bytes:
    """The same package with its one file under another name."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as new:
        (entry,) = old.infolist()
        content = old.read(entry)
        entry.filename = name
        new.writestr(entry, content)
    return packed.getvalue()


OWN_PATHS = """
import os, time

def handler(event, context):
    there = os.path.exists("/tmp/mark")
    with open("/tmp/mark", "a") as file:
        file.write(event["who"])
    time.sleep(2)  # so that the environments live at the same time
    with open("/tmp/mark") as mark, open("/var/task/app.py") as code:
        return [there, mark.read(), code.readline().strip(), os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]]
"""


def test_each_environment_has_its_own_paths(platform: RunningPlatform, account: str) -> None:
    """X4: two functions, and two environments of one, at once: own /var/task, own /tmp, which is kept while warm."""
    if platform.driver != "namespace":
        lacking("the process driver cannot give a function its own /tmp")
    functions = {}
    for name in ("a", "b"):
        create_function(platform, account, name, f"# {name}\n{OWN_PATHS}", Timeout=10)
        functions[name] = Deployed(platform=platform, account=account, name=name)
    calls = [("a", "1"), ("a", "2"), ("b", "3")]
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda call: functions[call[0]].run({"who": call[1]}).value, calls))
    assert [answer[:3] for answer in answers] == [[False, "1", "# a"], [False, "2", "# a"], [False, "3", "# b"]]
    assert len({answer[3] for answer in answers}) == 3
    assert functions["b"].run({"who": "4"}).value == [True, "34", "# b", answers[2][3]]


def test_both_streams_become_log_events(platform: RunningPlatform, account: str, misbehave_zip: bytes) -> None:
    """X6: Go's println writes to stderr; both are in the tail and in CloudWatch Logs."""
    function = deploy_binary(platform, account, "streams", misbehave_zip, "misbehave")
    tail = function.run({"Do": "it"}).log
    assert {"on stdout", "on stderr"} <= set(tail.splitlines())
    assert {"on stdout", "on stderr"} <= set(function.logged())


WHERE = """
import os

def handler(event, context):
    print("hello", os.environ["WHERE"])
    return context.invoked_function_arn
"""


def test_accounts_and_regions_are_apart(platform: RunningPlatform) -> None:
    """X10: the same names in two accounts and two regions are four functions with four ARNs, logs and variables."""
    places = [(account, region) for account in ACCOUNTS.values() for region in REGIONS]
    for account, region in places:
        variables = {"Variables": {"WHERE": f"{account} {region}"}}
        create_function(platform, account, "same", WHERE, region=region, Environment=variables)
    for account, region in places:
        function = Deployed(platform=platform, account=account, name="same", region=region)
        arn = f"arn:aws:lambda:{region}:{account}:function:same"
        assert function.run({}).value == arn
        assert [one["FunctionArn"] for one in function.client().list_functions()["Functions"]] == [arn]
        assert [line for line in function.logged() if "hello" in line] == [f"hello {account} {region}"]
        if region == REGIONS[0]:
            role = {"Version": "2012-10-17", "Statement": []}
            made = function.client("iam").create_role(RoleName="same", AssumeRolePolicyDocument=json.dumps(role))
            assert made["Role"]["Arn"] == f"arn:aws:iam::{account}:role/same"
            function.client("s3").create_bucket(Bucket=f"own-{account}")
            assert [one["Name"] for one in function.client("s3").list_buckets()["Buckets"]] == [f"own-{account}"]


def test_one_table_name_is_a_table_of_each_account_and_region(platform: RunningPlatform) -> None:
    """X10: "same table name in two regions holds different items"; the ARN has the caller's account."""
    places = [(account, region) for account in ACCOUNTS.values() for region in REGIONS]
    tables = {place: platform.client("dynamodb", account=place[0], region=place[1]) for place in places}
    for (account, region), table in tables.items():
        made = table.create_table(
            TableName="same",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )["TableDescription"]
        assert made["TableArn"] == f"arn:aws:dynamodb:{region}:{account}:table/same"
        table.get_waiter("table_exists").wait(TableName="same", WaiterConfig={"Delay": 1})
        table.put_item(TableName="same", Item={"id": {"S": "1"}, "where": {"S": f"{account} {region}"}})
    for (account, region), table in tables.items():
        items = table.scan(TableName="same")["Items"]
        assert items == [{"id": {"S": "1"}, "where": {"S": f"{account} {region}"}}]
        table.delete_table(TableName="same")


@pytest.mark.parametrize("profile", ACCOUNTS)
def test_profiles_of_the_aws_cli_are_accounts(platform: RunningPlatform, tmp_path: Path, profile: str) -> None:
    """X10: the profiles `default` and `heronalps` of one credentials file."""
    lines = [
        f"[{name}]\naws_access_key_id = {account}\naws_secret_access_key = x\n" for name, account in ACCOUNTS.items()
    ]
    (tmp_path / "credentials").write_text("\n".join(lines))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    environment = {
        **inherited,
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_ENDPOINT_URL": platform.url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_PROFILE": profile,
    }
    command = [str(Path(sys.executable).parent / "aws"), "sts", "get-caller-identity", "--query", "Account"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout) == ACCOUNTS[profile]


def test_the_rows_run_without_docker(platform: RunningPlatform, path_without_docker: str) -> None:
    """X11: the platform that runs every test of this folder has no docker in its PATH."""
    assert shutil.which("docker", path=path_without_docker) is None
    variables = Path(f"/proc/{platform.process.pid}/environ")
    if not variables.exists():
        lacking("no /proc here to read the platform's PATH from")
    assert f"PATH={path_without_docker}".encode() in variables.read_bytes().split(b"\0")
