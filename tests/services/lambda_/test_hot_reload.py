"""Folders as code: the bucket name `hot-reload` below `start --hot-reload-root`. AWS: none; the promises are ours."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.e2e.golang import build
from tests.machine import lacking, program
from tests.platform import RunningPlatform, running
from tests.services.lambda_.conftest import CODE, Account

RUNTIME = f"python3.{sys.version_info.minor}"
GO_FUNCTION = Path(__file__).parents[2] / "e2e" / "sandbox" / "go_function"
CALLER = """
import boto3
def handler(event, context):
    try:
        boto3.client("lambda").create_function(**event)
    except Exception as error:
        return str(error)
"""


ANSWERING = """
import os, time
def handler(event, context):
    time.sleep(event.get("sleep", 0))
    return [TEXT, os.getpid()]
"""


def answering(text: str) -> str:
    """A handler with a constant answer and its process's id."""
    return f"TEXT = {text!r}\n{ANSWERING}"


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    """A folder that another user can read, as a project's is; pytest's own are private."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name).resolve()


@pytest.fixture(scope="module")
def live(root: Path) -> Iterator[RunningPlatform]:
    """A platform that may mount what is below `root`."""
    with running(options=["--hot-reload-root", str(root)]) as platform:
        yield platform


@pytest.fixture
def functions(live: RunningPlatform, account: str) -> Account:
    """An account of this test's own on it."""
    return Account(live, account)


@pytest.fixture
def folder(root: Path, account: str) -> Path:
    """A function's code."""
    made = root / account
    made.mkdir()
    (made / "app.py").write_text(answering("first"))
    return made


def code(folder: Path | str) -> dict[str, str]:
    """Code of CreateFunction."""
    return {"S3Bucket": "hot-reload", "S3Key": str(folder)}


def refused(call: Any, *args: Any, **params: Any) -> str:
    """The error's text."""
    with pytest.raises(ClientError) as caught:
        call(*args, **params)
    return str(caught.value.response["Error"]["Message"])


def test_next_invoke_runs_what_was_saved(functions: Account, folder: Path) -> None:
    """A saved file, a new one, one that went and one that came back under its old name are all seen at once."""
    functions.create(Runtime=RUNTIME, Code=code(folder))
    first = functions.invoke()[1]
    assert first[0] == "first"
    assert functions.invoke()[1] == first
    (folder / "app.py").write_text(answering("second"))
    assert functions.invoke()[1][0] == "second"
    (folder / "other.py").write_text("TEXT = 'third'\n")
    (folder / "app.py").write_text("from other import TEXT\ndef handler(event, context):\n    return TEXT\n")
    assert functions.invoke()[1] == "third"
    (folder / "other.py").unlink()
    assert functions.invoke()[0]["FunctionError"] == "Unhandled"
    Path(shutil.copy(folder / "app.py", folder / "app.tmp")).replace(folder / "app.py")
    (folder / "other.py").write_text("TEXT = 'fifth'\n")
    assert functions.invoke()[1] == "fifth"


def test_a_running_invoke_ends_as_it_began(functions: Account, folder: Path) -> None:
    """The change waits for the next one; the environment that ran the old code takes none."""
    functions.create(Runtime=RUNTIME, Code=code(folder), Timeout=20)
    pid = functions.invoke()[1][1]
    with ThreadPoolExecutor() as pool:
        busy = pool.submit(functions.invoke, event={"sleep": 2})
        while not _busy(functions):
            pass
        (folder / "app.py").write_text(answering("second"))
        assert functions.invoke()[1][0] == "second"
        assert busy.result()[1] == ["first", pid]
    assert functions.invoke()[1][0] == "second"


def _busy(functions: Account) -> bool:
    fleets = functions.platform.ask("/_undercast/status")["sandboxes"]["functions"]
    states = [
        state for fleet in fleets if functions.id in fleet["function"] for state in fleet["environments"].values()
    ]
    return "invoke" in states


def test_the_folder_is_read_only(functions: Account, folder: Path) -> None:
    """A function does not write into its user's project."""
    if functions.platform.driver != "namespace":
        lacking("the process driver has no file system of its own")
    (folder / "app.py").write_text("def handler(event, context):\n    open('/var/task/x', 'w')\n")
    functions.create(Runtime=RUNTIME, Code=code(folder))
    response, body = functions.invoke()
    assert response["FunctionError"] == "Unhandled"
    assert "Read-only file system" in body["errorMessage"]
    assert sorted(path.name for path in folder.iterdir()) == ["app.py"]


def test_node_runs_what_was_saved(functions: Account, folder: Path) -> None:
    """Modules beside the handler, too; a package that was installed meanwhile is found."""
    program("node")
    (folder / "part.js").write_text("module.exports = 'first';\n")
    (folder / "app.js").write_text("exports.handler = async () => require('./part');\n")
    functions.create(Runtime="nodejs20.x", Code=code(folder), Timeout=20)
    assert functions.invoke()[1] == "first"
    (folder / "part.js").write_text("module.exports = 'second';\n")
    assert functions.invoke()[1] == "second"
    (folder / "node_modules" / "third").mkdir(parents=True)
    (folder / "node_modules" / "third" / "index.js").write_text("module.exports = 'third';\n")
    (folder / "part.js").write_text("module.exports = require('third');\n")
    assert functions.invoke()[1] == "third"


def test_a_go_binary_is_exchanged(functions: Account, folder: Path, tmp_path: Path) -> None:
    """The program that the next invoke starts is the new one."""
    binary = build(GO_FUNCTION, tmp_path / "bootstrap")
    shutil.copy(binary, folder / "bootstrap")
    functions.create(Runtime="provided.al2023", Handler="bootstrap", Code=code(folder), Timeout=20)
    assert "FunctionError" not in functions.invoke()[0]
    (folder / "bootstrap").unlink()
    (folder / "bootstrap").write_text("#!/bin/sh\necho stopped >&2\nexit 7\n")
    (folder / "bootstrap").chmod(0o755)
    assert functions.invoke()[1]["errorType"] == "Runtime.ExitError"
    (folder / "bootstrap").unlink()
    shutil.copy(binary, folder / "bootstrap")
    assert "FunctionError" not in functions.invoke()[0]


def test_paths_outside_the_root_are_refused(functions: Account, folder: Path, root: Path, tmp_path: Path) -> None:
    """By name, by "..", by a link, and where there is nothing; also behind a link that was exchanged later."""
    (folder / "out").symlink_to(tmp_path)
    client = functions.client("lambda")
    params = {"FunctionName": "f", "Runtime": RUNTIME, "Role": functions.role, "Handler": "app.handler"}
    for key in ("/etc", f"{root}/../../etc", f"{folder}/out"):
        assert "--hot-reload-root" in refused(client.create_function, **params, Code=code(key))
    for key in ("relative", f"{root}x"):
        assert "does not exist" in refused(client.create_function, **params, Code=code(key))
    assert "is not a folder" in refused(client.create_function, **params, Code=code(folder / "app.py"))
    inner = folder / "inner"
    inner.mkdir()
    (inner / "app.py").write_text(answering("inner"))
    functions.create(Runtime=RUNTIME, Code=code(inner))
    shutil.rmtree(inner)
    inner.symlink_to(tmp_path)
    assert "--hot-reload-root" in refused(functions.invoke)


def test_a_link_inside_leads_nowhere_but_the_sandbox(functions: Account, folder: Path, tmp_path: Path) -> None:
    """An absolute link is followed in the sandbox's own file system."""
    if functions.platform.driver != "namespace":
        lacking("the process driver has no file system of its own")
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (folder / "link").symlink_to(secret)
    (folder / "app.py").write_text("def handler(event, context):\n    return open('/var/task/link').read()\n")
    functions.create(Runtime=RUNTIME, Code=code(folder))
    assert functions.invoke()[1]["errorType"] == "FileNotFoundError"


def test_a_folder_belongs_to_one_account(live: RunningPlatform, functions: Account, folder: Path, root: Path) -> None:
    """Neither the folder, nor one in it, nor one around it can be another account's code."""
    functions.create(Runtime=RUNTIME, Code=code(folder))
    (folder / "sub").mkdir()
    other = Account(live, "999999999999")
    for key in (folder, folder / "sub", root):
        params = {"FunctionName": "f", "Runtime": RUNTIME, "Role": other.role, "Handler": "app.handler"}
        text = refused(other.client("lambda").create_function, **params, Code=code(key))
        assert "another account" in text
    functions.client("lambda").delete_function(FunctionName="f")
    other.create(Runtime=RUNTIME, Code=code(folder))
    other.client("lambda").delete_function(FunctionName="f")


def test_a_function_cannot_name_a_folder(functions: Account, folder: Path) -> None:
    """Code in a sandbox must not read its user's projects, whatever its role allows."""
    (folder / "app.py").write_text(CALLER)
    functions.create(Runtime=RUNTIME, Code=code(folder), Timeout=30, MemorySize=512)
    event = {"FunctionName": "g", "Runtime": RUNTIME, "Role": functions.role, "Handler": "app.handler"}
    assert "may not take code" in functions.invoke(event={**event, "Code": code(folder)})[1]


def test_no_version_is_published_of_what_changes(functions: Account, folder: Path) -> None:
    """Until the function has a package again."""
    client = functions.client("lambda")
    params = {"FunctionName": "p", "Runtime": RUNTIME, "Role": functions.role, "Handler": "app.handler"}
    assert "no version" in refused(client.create_function, **params, Code=code(folder), Publish=True)
    functions.create(Runtime=RUNTIME, Code=code(folder))
    assert "no version" in refused(client.publish_version, FunctionName="f")
    assert client.get_function(FunctionName="f")["Code"]["Location"] == folder.as_uri()
    client.update_function_code(FunctionName="f", ZipFile=CODE, Publish=True)
    client.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    assert functions.invoke(event={"a": 1})[1]["event"] == {"a": 1}
    assert [version["Version"] for version in client.list_versions_by_function(FunctionName="f")["Versions"]] == [
        "$LATEST",
        "1",
    ]


def test_a_layer_has_no_folder(functions: Account, folder: Path) -> None:
    """Layer versions never change."""
    text = refused(functions.client("lambda").publish_layer_version, LayerName="l", Content=code(folder))
    assert "Content.S3Bucket" in text


def test_without_the_option_the_error_names_it(platform: RunningPlatform, account: str, tmp_path: Path) -> None:
    """Nothing of the machine is opened unasked."""
    text = refused(Account(platform, account).create, Runtime=RUNTIME, Code=code(tmp_path))
    assert "undercast start --hot-reload-root DIR" in text


def test_it_survives_a_restart(root: Path, account: str, tmp_path: Path) -> None:
    """With the option the function runs on; without it its invokes are refused, and say why."""
    folder = root / account
    folder.mkdir()
    (folder / "app.py").write_text(answering("kept"))
    data, option = tmp_path / "data", ["--hot-reload-root", str(root)]
    with running(data, option) as platform:
        Account(platform, account).create(Runtime=RUNTIME, Code=code(folder))
    with running(data, option) as platform:
        assert Account(platform, account).invoke()[1][0] == "kept"
    with running(data) as platform:
        assert "--hot-reload-root" in refused(Account(platform, account).invoke)
