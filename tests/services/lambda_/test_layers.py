"""Layers through boto3, and functions that really read them at /opt."""

import io
import json
import urllib.request
import zipfile
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.services.lambda_.conftest import Account, package

LIST_OPT = """
import os, subprocess, sys

OPT = "/opt" if os.path.isdir("/opt/python") else [p for p in sys.path if p.endswith("/python")][0][:-7]

def handler(event, context):
    from shared import NAME
    import second
    tool = os.path.join(OPT, "bin", "tool")
    said = subprocess.run([tool], capture_output=True, text=True).stdout
    return {"name": NAME, "second": second.VALUE, "tool": said, "top": sorted(os.listdir(OPT)),
            "mode": oct(os.stat(tool).st_mode & 0o777), "path": os.environ["PATH"].split(":"),
            "libraries": os.environ.get("LD_LIBRARY_PATH", "").split(":"),
            "words": open(os.path.join(OPT, "words.txt")).read()}
"""


def layer_zip(files: Mapping[str, str | bytes], mode: int = 0o644) -> bytes:
    """An archive of a layer."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o100755 if name.startswith("bin/") else 0o100000 | mode) << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def publish(aws: Account, name: str = "l", files: Mapping[str, str | bytes] | None = None, **members: Any) -> Any:
    """A layer version."""
    content = {"ZipFile": layer_zip(files or {"words.txt": name})}
    return aws.client("lambda").publish_layer_version(LayerName=name, Content=content, **members)


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    """(code, message) of a call that is refused."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_function_reads_two_layers_and_the_later_wins(aws: Account) -> None:
    """Merged at /opt in the function's order, run bits kept, on the search paths (S0-04, S0-06, S0-14, S0-15)."""
    first = publish(
        aws, "first", {"python/shared.py": "NAME = 'first'\n", "words.txt": "one", "bin/tool": "#!/bin/sh\necho hi\n"}
    )
    second = publish(aws, "second", {"python/second.py": "VALUE = 2\n", "words.txt": "two", "lib/libx.so": b"\x7fELF"})
    layers = [first["LayerVersionArn"], second["LayerVersionArn"]]
    aws.create(Code={"ZipFile": package(app=LIST_OPT)}, Layers=layers, Timeout=20)
    _, found = aws.invoke()
    assert (found["name"], found["second"], found["tool"], found["words"]) == ("first", 2, "hi\n", "two")
    assert (found["top"], found["mode"]) == (["bin", "lib", "python", "words.txt"], "0o755")
    assert any(path.endswith("opt/bin") for path in found["path"])
    assert any(path.endswith("opt/lib") for path in found["libraries"])

    functions = aws.client("lambda")
    functions.update_function_configuration(FunctionName="f", Layers=layers[::-1])
    functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    assert aws.invoke()[1]["words"] == "one"
    listed = functions.get_function_configuration(FunctionName="f")["Layers"]
    assert [layer["Arn"] for layer in listed] == layers[::-1]
    assert listed[0]["CodeSize"] == second["Content"]["CodeSize"]


def test_two_functions_share_a_layer_and_keep_it_when_it_is_deleted(aws: Account) -> None:
    """DeleteLayerVersion: "a copy of the version remains in Lambda until no functions refer to it" (S0-04)."""
    functions = aws.client("lambda")
    arn = publish(aws, "data", {"python/words.py": "WORDS = ['a']\n"})["LayerVersionArn"]
    code = {"ZipFile": package(app="from words import WORDS\ndef handler(event, context):\n    return WORDS\n")}
    for name in ("one", "two"):
        aws.create(name, Code=code, Layers=[arn])
    functions.publish_version(FunctionName="two")
    functions.delete_layer_version(LayerName="data", VersionNumber=1)
    functions.delete_layer_version(LayerName="data", VersionNumber=1)
    assert refusal(functions.get_layer_version, LayerName="data", VersionNumber=1)[0] == "ResourceNotFoundException"
    functions.delete_function(FunctionName="one")
    assert aws.invoke("two", Qualifier="1")[1] == ["a"]
    functions.update_function_configuration(FunctionName="two", Layers=[])
    functions.get_waiter("function_updated_v2").wait(FunctionName="two", WaiterConfig={"Delay": 1})
    assert "Layers" not in functions.get_function_configuration(FunctionName="two")
    assert aws.invoke("two")[0]["FunctionError"] == "Unhandled"
    assert aws.invoke("two", Qualifier="1")[1] == ["a"]


def test_versions_are_numbered_once_and_never_change(aws: Account) -> None:
    """Numbers go up and are never given again; ListLayerVersions has the newest first (S0-20, S2-37, S2-38)."""
    functions = aws.client("lambda")
    made = [publish(aws, "l", {"a.txt": str(index)}, Description=str(index)) for index in range(3)]
    assert [version["Version"] for version in made] == [1, 2, 3]
    assert made[0]["LayerVersionArn"] == f"arn:aws:lambda:us-east-1:{aws.id}:layer:l:1"
    assert made[0]["LayerArn"] == f"arn:aws:lambda:us-east-1:{aws.id}:layer:l"
    functions.delete_layer_version(LayerName="l", VersionNumber=3)
    assert publish(aws)["Version"] == 4
    listed = functions.list_layer_versions(LayerName="l", MaxItems=2)
    assert [version["Version"] for version in listed["LayerVersions"]] == [4, 2]
    rest = functions.list_layer_versions(LayerName="l", Marker=listed["NextMarker"])
    assert ([version["Version"] for version in rest["LayerVersions"]], rest.get("NextMarker")) == ([1], None)
    by_arn = functions.get_layer_version_by_arn(Arn=made[1]["LayerVersionArn"])
    assert (by_arn["Description"], by_arn["Content"]["CodeSha256"]) == ("1", made[1]["Content"]["CodeSha256"])


def test_archive_can_be_downloaded(aws: Account) -> None:
    """Content.Location: "A link to the layer archive in Amazon S3 that is valid for 10 minutes"."""
    publish(aws, "l", {"a.txt": "a"})
    found = aws.client("lambda").get_layer_version(LayerName="l", VersionNumber=1)
    with urllib.request.urlopen(found["Content"]["Location"], timeout=10) as answer:
        body = answer.read()
    assert zipfile.ZipFile(io.BytesIO(body)).namelist() == ["a.txt"]
    assert len(body) == found["Content"]["CodeSize"]


def test_layer_from_s3(aws: Account) -> None:
    """LayerVersionContentInput: S3Bucket and S3Key."""
    s3 = aws.client("s3")
    bucket = f"layers-{aws.id}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="l.zip", Body=layer_zip({"python/m.py": "X = 1\n"}))
    content = {"S3Bucket": bucket, "S3Key": "l.zip"}
    made = aws.client("lambda").publish_layer_version(LayerName="l", Content=content, LicenseInfo="MIT")
    assert (made["Version"], made["LicenseInfo"], made["ResponseMetadata"]["HTTPStatusCode"]) == (1, "MIT", 201)


def test_a_layer_is_for_runtimes_that_there_are(aws: Account) -> None:
    """PublishLayerVersion, CompatibleRuntimes: valid values are Lambda's identifiers."""
    content = {"ZipFile": layer_zip({"python/m.py": "X = 1\n"})}
    given = {"LayerName": "l", "Content": content, "CompatibleRuntimes": ["python3.12", "cobol"]}
    code, message = refusal(aws.client("lambda").publish_layer_version, **given)
    assert code == "ValidationException"
    assert "Value '[python3.12, cobol]' at 'compatibleRuntimes' failed to satisfy constraint" in message
    assert aws.client("lambda").list_layers()["Layers"] == []


def test_filters_by_runtime_and_architecture(aws: Account) -> None:
    """CompatibleRuntime, CompatibleArchitecture; LatestMatchingVersion is the newest that passes (S0-21)."""
    functions = aws.client("lambda")
    publish(aws, "go", CompatibleRuntimes=["go1.x"], CompatibleArchitectures=["x86_64"])
    publish(aws, "go", CompatibleRuntimes=["provided.al2"], CompatibleArchitectures=["arm64"])
    publish(aws, "py", CompatibleRuntimes=["python3.8"])

    def layers(**params: Any) -> list[tuple[str, int]]:
        found = functions.list_layers(**params)["Layers"]
        return [(layer["LayerName"], layer["LatestMatchingVersion"]["Version"]) for layer in found]

    def versions(**params: Any) -> list[int]:
        return [one["Version"] for one in functions.list_layer_versions(LayerName="go", **params)["LayerVersions"]]

    assert layers() == [("go", 2), ("py", 1)]
    assert layers(CompatibleRuntime="go1.x") == [("go", 1)]
    assert layers(CompatibleArchitecture="arm64") == [("go", 2)]
    assert (versions(CompatibleRuntime="go1.x"), versions(CompatibleRuntime="python3.8")) == ([1], [])
    page = functions.list_layers(MaxItems=1)
    assert [layer["LayerName"] for layer in page["Layers"]] == ["go"]
    assert functions.list_layers(Marker=page["NextMarker"])["Layers"][0]["LayerName"] == "py"


def test_other_account_needs_permission(aws: Account) -> None:
    """AddLayerVersionPermission lets account B attach and fetch A's layer; without it AccessDenied (S0-05)."""
    other = Account(aws.platform, f"{(int(aws.id) + 1) % 10**12:012}")
    arn = publish(aws, "shared", {"python/m.py": "X = 5\n"})["LayerVersionArn"]
    owner, guest = aws.client("lambda"), other.client("lambda")
    code = {"ZipFile": package(app="import m\ndef handler(event, context):\n    return m.X\n")}
    with pytest.raises(ClientError) as caught:
        other.create(Code=code, Layers=[arn])
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"
    assert caught.value.response["Error"]["Message"].startswith(
        f"User: arn:aws:iam::{other.id}:root is not authorized to perform: lambda:GetLayerVersion on resource: {arn}"
    )
    assert refusal(guest.get_layer_version_by_arn, Arn=arn)[0] == "AccessDeniedException"
    where = {"LayerName": "shared", "VersionNumber": 1}
    added = owner.add_layer_version_permission(
        **where, StatementId="x", Action="lambda:GetLayerVersion", Principal=other.id
    )
    assert json.loads(added["Statement"]) == {
        "Sid": "x",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{other.id}:root"},
        "Action": "lambda:GetLayerVersion",
        "Resource": arn,
    }
    other.create(Code=code, Layers=[arn])
    assert other.invoke()[1] == 5
    assert guest.get_layer_version(LayerName=arn[:-2], VersionNumber=1)["LayerVersionArn"] == arn
    assert refusal(guest.delete_layer_version, LayerName=arn[:-2], VersionNumber=1)[0] == "AccessDeniedException"
    owner.remove_layer_version_permission(**where, StatementId="x")
    assert refusal(guest.get_layer_version_by_arn, Arn=arn)[0] == "AccessDeniedException"
    assert other.invoke()[1] == 5, "a function keeps the layers that it has"


def test_policy_has_statements_and_a_revision(aws: Account) -> None:
    """GetLayerVersionPolicy; RevisionId guards against a policy that has changed meanwhile."""
    functions = aws.client("lambda")
    publish(aws)
    where: dict[str, Any] = {"LayerName": "l", "VersionNumber": 1}
    assert refusal(functions.get_layer_version_policy, **where) == (
        "ResourceNotFoundException",
        "No policy is associated with the given resource.",
    )
    grant = {**where, "Action": "lambda:GetLayerVersion", "Principal": "*"}
    first = functions.add_layer_version_permission(**grant, StatementId="all", OrganizationId="o-abcdefghij")
    assert refusal(functions.add_layer_version_permission, **grant, StatementId="all")[0] == "ResourceConflictException"
    stale = refusal(functions.add_layer_version_permission, **grant, StatementId="b", RevisionId="old")
    assert stale[0] == "PreconditionFailedException"
    second = functions.add_layer_version_permission(**grant, StatementId="b", RevisionId=first["RevisionId"])
    found = functions.get_layer_version_policy(**where)
    assert found["RevisionId"] == second["RevisionId"]
    statements = json.loads(found["Policy"])["Statement"]
    assert [one["Sid"] for one in statements] == ["all", "b"]
    assert statements[0]["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}
    missing = refusal(functions.remove_layer_version_permission, **where, StatementId="c")
    assert missing == ("ResourceNotFoundException", "Statement c is not found in resource policy.")


def test_references_are_checked(aws: Account) -> None:
    """At most five layers, of the function's region, each once, and they must exist (S0-15)."""
    functions = aws.client("lambda")
    aws.create()
    arns = [publish(aws, f"l{index}")["LayerVersionArn"] for index in range(6)]
    newer = publish(aws, "l0")["LayerVersionArn"]

    def message(*layers: str) -> str:
        code, text = refusal(functions.update_function_configuration, FunctionName="f", Layers=list(layers))
        assert code == "InvalidParameterValueException"
        return text

    assert message(*arns) == "Cannot reference more than 5 layers."
    assert message(arns[0], newer) == (
        "Two different versions of the same layer are not allowed to be referenced in the same function. "
        f"{arns[0]} and {newer} are versions of the same layer."
    )
    absent = arns[0].replace(":l0:1", ":l0:9")
    assert message(absent) == f"Layer version {absent} does not exist."
    elsewhere = arns[0].replace("us-east-1", "eu-west-1")
    assert message(elsewhere) == (
        "Layers are not in the same region as the function. Layers are expected to be in region us-east-1."
    )
    functions.update_function_configuration(FunctionName="f", Layers=arns[:5])


def test_function_and_layers_are_bounded_together(aws: Account) -> None:
    """250 MB unzipped, layers included: UpdateFunctionConfiguration and UpdateFunctionCode refuse more."""
    functions = aws.client("lambda")
    aws.create()
    half = {"zeros": bytes(140_000_000)}
    arns = [publish(aws, name, half)["LayerVersionArn"] for name in ("a", "b")]
    code, text = refusal(functions.update_function_configuration, FunctionName="f", Layers=arns)
    assert code == "InvalidParameterValueException"
    assert text.startswith(
        "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. The actual size is 280"
    )
    functions.update_function_configuration(FunctionName="f", Layers=arns[:1])
    functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    large = layer_zip({"app.py": "x", "zeros": bytes(130_000_000)})
    assert refusal(functions.update_function_code, FunctionName="f", ZipFile=large)[1].startswith(
        "Function code combined with layers exceeds"
    )


def test_archive_is_checked(aws: Account) -> None:
    """What is no archive is refused; a version number below 1 is, too."""
    functions = aws.client("lambda")
    code, text = refusal(functions.publish_layer_version, LayerName="l", Content={"ZipFile": b"none"})
    assert (code, text[:30]) == ("InvalidParameterValueException", "Could not unzip uploaded file.")
    assert refusal(functions.get_layer_version, LayerName="l", VersionNumber=0) == (
        "InvalidParameterValueException",
        "Layer Version Cannot be less than 1.",
    )
    assert functions.list_layers()["Layers"] == []
