"""Functions that are container images, on the real platform, with images that the tests build themselves.

AWS: Lambda Developer Guide, "Create a Lambda function using a container image".
"""

import json
import os
import platform as machine
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awslambdaric
import pytest
from botocore.exceptions import ClientError, WaiterError

from tests import images
from tests.e2e.golang import build
from tests.images import ARCHITECTURE, TestImage
from tests.machine import lacking, program
from tests.platform import RunningPlatform, running, start, stop
from tests.services.lambda_.conftest import CODE, Account
from tests.unprivileged import as_nobody, interpreter
from tests.unprivileged import environment as variables

INVALID = "InvalidParameterValueException"
OTHER = {"amd64": "arm64", "arm64": "x86_64"}[images.HERE]


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """What `--image-root` opens."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name).resolve()


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The static program of image_function/."""
    target = tmp_path_factory.mktemp("image") / "main"
    return build(Path(__file__).parent / "image_function", target).read_bytes()


@pytest.fixture(scope="module")
def shipped(folder: Path) -> Iterator[RunningPlatform]:
    """A platform that may read what is below `folder`."""
    with running(options=["--image-root", str(folder)]) as platform:
        if platform.driver != "namespace":
            lacking("container images need the namespace driver")
        yield platform


@pytest.fixture
def aws(shipped: RunningPlatform, account: str) -> Account:
    """An account on it."""
    return Account(shipped, account)


@pytest.fixture(scope="module")
def scratch(folder: Path, binary: bytes) -> str:
    """The ImageUri of an image FROM scratch, with nothing but the program."""
    process = {
        "Entrypoint": ["/main"],
        "Cmd": ["app.handler"],
        "Env": ["OWN=image", "NAME=image"],
        "WorkingDir": "/etc",
    }
    image = TestImage(layers=[images.files({"main": binary})], process=process)
    return f"oci:{images.write_layout(folder / 'scratch', image)}"


def create(aws: Account, uri: str, name: str = "f", **members: Any) -> dict[str, Any]:
    """Create a function of an image and wait until it is Active."""
    functions = aws.client("lambda")
    params = {"FunctionName": name, "Role": aws.role, "PackageType": "Image", "Code": {"ImageUri": uri}, **members}
    made: dict[str, Any] = functions.create_function(**{"Architectures": [ARCHITECTURE], **params})
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
    return made


def environment(found: dict[str, Any]) -> dict[str, str]:
    """The variables that the function has seen."""
    return dict(line.split("=", 1) for line in found["env"])


def test_image_runs_as_its_config_says(aws: Account, scratch: str) -> None:
    """ENTRYPOINT, CMD, WORKDIR and ENV; the function's own variables win, Lambda's are there."""
    made = create(aws, scratch, Environment={"Variables": {"NAME": "function"}})
    assert (made["PackageType"], made["CodeSize"], made.get("Runtime"), made.get("Handler")) == ("Image", 0, None, None)
    _, found = aws.invoke()
    assert (found["args"], found["cwd"]) == (["/main", "app.handler"], "/etc")
    seen = environment(found)
    assert (seen["OWN"], seen["NAME"], seen["AWS_LAMBDA_RUNTIME_API"]) == ("image", "function", "127.0.0.1:9001")


def test_layers_in_zstd_run(aws: Account, folder: Path, binary: bytes) -> None:
    """As buildkit and podman pack them when they are asked to."""
    layers = [images.files({"main": b"replaced"}), images.files({"main": binary})]
    image = TestImage(layers=layers, process={"Entrypoint": ["/main"]}, compression="zstd")
    create(aws, f"oci:{images.write_layout(folder / 'zstd', image)}")
    _, found = aws.invoke()
    assert found["args"] == ["/main"]


def test_image_config_takes_the_place_of_the_image_s_own(aws: Account, scratch: str) -> None:
    """ImageConfig overrides ENTRYPOINT, CMD and WORKDIR each for itself; an empty one takes that back."""
    made = create(aws, scratch, ImageConfig={"Command": ["other.handler", "x"], "WorkingDirectory": "/proc"})
    assert made["ImageConfigResponse"] == {
        "ImageConfig": {"Command": ["other.handler", "x"], "WorkingDirectory": "/proc"}
    }
    _, found = aws.invoke()
    assert (found["args"], found["cwd"]) == (["/main", "other.handler", "x"], "/proc")
    functions = aws.client("lambda")
    changed = functions.update_function_configuration(FunctionName="f", ImageConfig={"EntryPoint": ["/main", "-v"]})
    assert changed["ImageConfigResponse"] == {"ImageConfig": {"EntryPoint": ["/main", "-v"]}}
    functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    _, found = aws.invoke()
    assert (found["args"], found["cwd"]) == (["/main", "-v", "app.handler"], "/etc")
    assert "ImageConfigResponse" not in functions.update_function_configuration(FunctionName="f", ImageConfig={})


def test_image_is_the_root_file_system(aws: Account, scratch: str) -> None:
    """Nothing of the host is there; the root is read-only, /tmp is not; a program without rights runs it."""
    create(aws, scratch)
    _, found = aws.invoke(event={"List": "/"})
    assert set(found["names"]) == {"main", "dev", "etc", "proc", "tmp"}
    assert found["uid"] == 993
    assert aws.invoke(event={"Write": "/x"})[1]["error"] == "open /x: read-only file system"
    assert aws.invoke(event={"Write": "/etc/hosts"})[1]["error"] == "open /etc/hosts: read-only file system"
    assert aws.invoke(event={"Write": "/tmp/x"})[1]["error"] == ""
    assert "sandbox.localdomain" in aws.invoke(event={"Read": "/etc/hosts"})[1]["read"]
    assert aws.invoke(event={"List": "/proc/1/root/.."})[1]["names"] in (None, [])


def test_links_of_an_image_lead_nowhere_else(aws: Account, folder: Path, binary: bytes) -> None:
    """Where something is mounted a link gives way; any other ends in the image: nothing of the host is there."""
    links = {
        "proc": "/",
        "dev": "../../..",
        "etc": "/.host/etc",
        "tmp": "/proc",
        "opt": "/.host",
        "x": "/../etc/shadow",
    }
    made = [images.entry(name, type=tarfile.SYMTYPE, linkname=target) for name, target in links.items()]
    image = TestImage(layers=[images.layer(images.entry("main", binary), *made)], process={"Entrypoint": ["/main"]})
    create(aws, f"oci:{images.write_layout(folder / 'links', image)}")
    for event in ({"Read": "/x"}, {"List": "/opt"}, {"List": "/.host"}, {"List": "/.image"}):
        assert aws.invoke(event=event)[1]["error"].endswith(": no such file or directory")
    assert set(aws.invoke(event={"List": "/etc"})[1]["names"]) >= {"hosts", "resolv.conf"}
    assert "urandom" in aws.invoke(event={"List": "/dev"})[1]["names"]
    assert aws.invoke(event={"Write": "/tmp/x"})[1]["error"] == ""


def test_get_function_tells_the_image(aws: Account, scratch: str) -> None:
    """Code: RepositoryType ECR, ImageUri, ResolvedImageUri; CodeSha256 is the image's digest."""
    create(aws, scratch)
    found = aws.client("lambda").get_function(FunctionName="f")
    digest = found["Configuration"]["CodeSha256"]
    assert len(digest) == 64
    assert found["Code"] == {
        "RepositoryType": "ECR",
        "ImageUri": scratch,
        "ResolvedImageUri": f"{scratch}@sha256:{digest}",
    }


def test_extension_and_entrypoint_script_of_an_image(aws: Account, folder: Path, binary: bytes) -> None:
    """As AWS's base images: /lambda-entrypoint.sh executes /var/runtime/bootstrap; /opt/extensions are started."""
    shell = program("dash")
    script = b'#!/bin/sh\nexport _HANDLER="$1"\nexec /var/runtime/bootstrap\n'
    contents = {"bin/sh": Path(shell).read_bytes(), "lambda-entrypoint.sh": script, "var/task/here": b""}
    contents |= {path.lstrip("/"): Path(path).resolve().read_bytes() for path in libraries(shell)}
    base = images.files(contents)
    top = images.files({"var/runtime/bootstrap": binary, "opt/extensions/watcher": binary})
    process = {"Entrypoint": ["lambda-entrypoint.sh"], "Cmd": ["app.handler"], "Env": ["PATH=/nowhere:/"]}
    image = TestImage(layers=[base, top], process=process | {"WorkingDir": "/var/task"})
    archive = images.write_archive(folder / "base.tar", images.layout_files(image))
    create(aws, f"oci-archive:{archive}")
    _, found = aws.invoke()
    seen = environment(found)
    assert (found["args"], found["cwd"], seen["_HANDLER"]) == (["/var/runtime/bootstrap"], "/var/task", "app.handler")
    assert seen["PATH"] == "/nowhere:/"
    assert "extension watcher registered\n" in messages(aws)


def test_python_image_with_aws_runtime_interface_client(aws: Account, folder: Path) -> None:
    """Any image: this machine's interpreter, found in PATH, with awslambdaric as AWS's documentation has it."""
    client = Path(awslambdaric.__file__).parent
    interpreter = Path(sys.executable).resolve()
    modules = Path(json.__file__).parents[1]
    native = [str(path) for path in (client.parent).glob("runtime_client*.so")]
    contents = {"usr/bin/python3": interpreter.read_bytes(), "var/task/app.py": PYTHON}
    programs = (str(interpreter), *native, *map(str, (modules / "lib-dynload").glob("_s*.so")))
    contents |= {path.lstrip("/"): Path(path).resolve().read_bytes() for path in libraries(*programs)}
    contents |= tree(modules, f"usr/lib/{modules.name}", LEFT_OUT) | tree(client, "var/task/awslambdaric")
    contents |= tree(client.parent / "simplejson", "var/task/simplejson")
    contents |= {f"var/task/{name}": (client.parent / name).read_bytes() for name in ("snapshot_restore_py.py",)}
    contents |= {f"var/task/{Path(path).name}": Path(path).read_bytes() for path in native}
    process = {"Entrypoint": ["python3", "-m", "awslambdaric"], "Cmd": ["app.handler"], "WorkingDir": "/var/task",
               "Env": ["PATH=/usr/bin", "PYTHONHOME=/usr"]}  # fmt: skip
    image = TestImage(layers=[images.files(contents)], process=process)
    create(aws, f"oci:{images.write_layout(folder / 'python', image)}", MemorySize=256, Timeout=30)
    _, found = aws.invoke(event={"a": 1})
    assert found == [{"a": 1}, "/var/task", "/usr/bin/python3"], messages(aws)


PYTHON = b"""
import os, sys
def handler(event, context):
    return [event, os.getcwd(), os.readlink("/proc/self/exe")]
"""
LEFT_OUT = frozenset({
    "__pycache__", "test", "site-packages", "ensurepip", "idlelib", "tkinter", "lib2to3", "distutils", "unittest",
    f"config-{sys.version_info[0]}.{sys.version_info[1]}-{machine.machine()}-linux-gnu",
})  # fmt: skip


def tree(folder: Path, prefix: str, left_out: frozenset[str] = frozenset({"__pycache__"})) -> dict[str, bytes]:
    """The files below a folder."""
    found = (path for path in folder.rglob("*") if path.is_file() and not left_out & set(path.parts))
    return {f"{prefix}/{path.relative_to(folder)}": path.read_bytes() for path in found}


def libraries(*programs: str) -> list[str]:
    """The shared libraries and the loader of programs, by their paths."""
    told = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True, timeout=30).stdout
    return [word for word in told.split() if word.startswith("/") and not word.endswith(":")]


def messages(aws: Account, name: str = "f") -> list[str]:
    """The function's log."""
    pages = aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
    return [event["message"] for page in pages for event in page["events"]]


def test_process_that_cannot_start_is_told_as_aws_does(aws: Account, scratch: str) -> None:
    """Runtime.InvalidEntrypoint and Runtime.InvalidWorkingDir, not an error of the platform."""
    create(aws, scratch, ImageConfig={"EntryPoint": ["/nothing"]})
    assert aws.invoke()[1]["errorType"] == "Runtime.InvalidEntrypoint"
    create(aws, scratch, "g", ImageConfig={"WorkingDirectory": "/nowhere"})
    answer = aws.invoke("g")[1]
    assert answer["errorType"] == "Runtime.InvalidWorkingDir"
    assert answer["errorMessage"].endswith("Error: chdir /nowhere: no such file or directory")


def test_update_takes_another_image(aws: Account, folder: Path, scratch: str, binary: bytes) -> None:
    """UpdateFunctionCode with ImageUri; published versions keep theirs. What `docker save` writes is read, too."""
    create(aws, scratch, Publish=True)
    image = TestImage(layers=[images.files({"main": binary, "new": b"new"})], process={"Entrypoint": ["/main", "2"]})
    archive = images.write_archive(folder / "docker.tar", images.docker_files(image, "app:1", "app:2"))
    functions = aws.client("lambda")
    uri = f"docker-archive:{archive}:app:2"
    first = functions.get_function_configuration(FunctionName="f")["CodeSha256"]
    dry = functions.update_function_code(FunctionName="f", ImageUri=uri, DryRun=True)
    assert functions.get_function_configuration(FunctionName="f")["CodeSha256"] == first != dry["CodeSha256"]
    changed = functions.update_function_code(FunctionName="f", ImageUri=uri)
    assert changed["CodeSha256"] == dry["CodeSha256"]
    functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    assert aws.invoke(event={"Read": "/new"})[1]["read"] == "new"
    assert aws.invoke(event={"Read": "/new"}, Qualifier="1")[1]["error"] == "open /new: no such file or directory"


def test_image_is_loaded_under_a_name(aws: Account, folder: Path, binary: bytes, tmp_path: Path) -> None:
    """`undercast images load`: ImageUri of any ECR registry finds it; a function keeps what it has when it is gone."""
    name = f"app{aws.id}:1"
    image = TestImage(layers=[images.files({"main": binary, "id": aws.id.encode()})], process={"Entrypoint": ["/main"]})
    layout = images.write_layout(tmp_path / "layout", image)
    assert undercast(aws, "load", str(layout), "--name", name).split() == [name, f"sha256:{image.digest}"]
    uri = f"{aws.id}.dkr.ecr.eu-west-1.amazonaws.com/{name}"
    create(aws, uri)
    code = aws.client("lambda").get_function(FunctionName="f")["Code"]
    assert code["ResolvedImageUri"] == f"{uri.removesuffix(':1')}@sha256:{image.digest}"
    assert name in undercast(aws, "list")
    archive = images.write_archive(tmp_path / "a.tar", images.docker_files(image, name))
    assert undercast(aws, "load", str(archive)).split()[0] == name
    undercast(aws, "remove", name)
    gone = f"undercast: no image is loaded as {name}\n  what is loaded: undercast images list\n"
    assert undercast(aws, "remove", name, fails=True) == gone
    assert name not in undercast(aws, "list")
    assert aws.invoke(event={"Read": "/id"})[1]["read"] == aws.id
    with pytest.raises(
        ClientError, match=f"Source image {uri} does not exist. Provide a valid source image."
    ) as missing:
        create(aws, uri, "g")
    assert "undercast images load" in str(missing.value)


def undercast(aws: Account, *words: str, fails: bool = False) -> str:
    """The command line's `undercast images`: what it prints, or why it fails."""
    command = [sys.executable, "-m", "undercast", "images", *words, "--data", str(aws.platform.data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == int(fails), done.stderr
    return done.stderr if fails else done.stdout


def test_broken_image_leaves_the_function_failed(aws: Account, folder: Path) -> None:
    """State Failed with StateReasonCode InvalidImage, and why: here a layer that is not what its digest says."""
    image = TestImage(layers=[images.files({"a": b"1"}), images.files({"b": b"2"})], process={"Cmd": ["/a"]})
    layout = images.write_layout(folder / "broken", image)
    stolen, other = list(image.blobs)[:2]
    (layout / "blobs/sha256" / stolen).write_bytes((layout / "blobs/sha256" / other).read_bytes())
    functions = aws.client("lambda")
    functions.create_function(
        FunctionName="f", Role=aws.role, PackageType="Image", Code={"ImageUri": f"oci:{layout}"},
        Architectures=[ARCHITECTURE],
    )  # fmt: skip
    until_settled(aws)
    found = functions.get_function_configuration(FunctionName="f")
    assert (found["State"], found["StateReasonCode"]) == ("Failed", "InvalidImage")
    assert "does not have its digest" in found["StateReason"]


def until_settled(aws: Account) -> None:
    """Wait until the function is no longer Pending."""
    waiter = aws.client("lambda").get_waiter("function_active_v2")
    with pytest.raises(WaiterError):
        waiter.wait(FunctionName="f", WaiterConfig={"Delay": 1})


@pytest.mark.parametrize(
    ("members", "error", "text"),
    [
        ({"Runtime": "python3.12"}, INVALID, "Please don't provide Handler or Runtime or Layer when the intended"),
        ({"Handler": "a.b"}, INVALID, "Please don't provide Handler or Runtime or Layer when the intended"),
        ({"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:a:1"]}, INVALID, "Please don't provide Handler or"),
        ({"Code": {"ZipFile": CODE}}, INVALID, "Please provide ImageUri when creating"),
        ({"Code": {"ImageUri": "x:latest"}}, INVALID, "Source image x:latest is not valid"),
        ({"Code": {"ImageUri": "oci:/etc"}}, "AccessDeniedException", "Images lie below"),
        ({"Code": {"ImageUri": "oci:relative"}}, INVALID, "does not exist"),
        ({"ImageConfig": {"Command": ["x" * 20_000]}}, INVALID, "ImageConfig exceeded the limit of 16384 bytes"),
        ({"ImageConfig": {"Command": ["a\0b"]}}, INVALID, "null character"),
        ({"SnapStart": {"ApplyOn": "PublishedVersions"}}, INVALID, "SnapStart"),
        ({"Architectures": [OTHER]}, INVALID, "for linux"),
        ({"PackageType": "Zip", "Runtime": "python3.12", "Handler": "a.b"}, "InvalidParameterValueException",
         "Please don't provide ImageUri when creating a function with packageType Zip."),
    ],
)  # fmt: skip
def test_what_an_image_cannot_have(aws: Account, scratch: str, members: Any, error: str, text: str) -> None:
    """AWS's messages where it has them."""
    with pytest.raises(ClientError, match=text) as refused:
        create(aws, scratch, **members)
    assert refused.value.response["Error"]["Code"] == error


def test_package_type_never_changes(aws: Account, scratch: str) -> None:
    """A function of a package takes no ImageUri, one of an image no package."""
    functions = aws.client("lambda")
    aws.create("zip", Runtime=f"python3.{sys.version_info.minor}")
    create(aws, scratch)
    with pytest.raises(ClientError, match="Please don't provide ImageUri when updating a function with"):
        functions.update_function_code(FunctionName="zip", ImageUri=scratch)
    with pytest.raises(ClientError, match="Please provide ImageUri when updating a function with"):
        functions.update_function_code(FunctionName="f", ZipFile=CODE)
    with pytest.raises(ClientError, match="Please don't provide Handler or Runtime or Layer"):
        functions.update_function_configuration(FunctionName="f", Handler="a.b")


def test_image_runs_without_root(binary: bytes, account: str) -> None:
    """As nobody: one uid, so that the files are the function's own user's."""
    if os.geteuid() != 0:
        pytest.skip("only root can become nobody; the other tests run without root already")
    run = as_nobody("sh", "-c", f'shift; exec {interpreter()} "$@"', "sh")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        layers = [images.files({"main": binary, "gone": b""}), images.layer(images.entry(".wh.gone"))]
        image = TestImage(layers=layers, process={"Entrypoint": ["/main"], "WorkingDir": "/tmp"})
        layout = images.write_layout(Path(name) / "layout", image)
        platform = start(options=["--image-root", name], prefix=run, environment=variables())
        try:
            if platform.driver != "namespace":
                lacking("this machine gives an unprivileged user no namespaces")
            aws = Account(platform, account)
            create(aws, f"oci:{layout}")
            _, found = aws.invoke(event={"List": "/"})
            assert (set(found["names"]), found["cwd"]) == ({"main", "dev", "etc", "proc", "tmp"}, "/tmp")
            assert aws.invoke(event={"Write": "/x"})[1]["error"] == "open /x: read-only file system"
        finally:
            stop(platform)
