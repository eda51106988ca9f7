"""What a sandbox with a root file system of its own can run, and one without."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes_sandbox import a_function, echo
from tests.unit.sandbox.conftest import StartBench
from tests.unit.sandbox.test_pool import invoke, until
from tests.unit.sandbox.test_runtimes import runtimes
from tests.unit.sandbox.test_variables import CREDENTIALS, SURROUNDINGS
from undercast.core.errors import ServiceError
from undercast.sandbox.extension_files import extensions_of
from undercast.sandbox.model import Container
from undercast.sandbox.runtimes.plan import RuntimePlan
from undercast.sandbox.variables import Roots, variables

CONTAINER = Container(command=("/main", "{task}"), working_dir="/", environment={})


async def test_image_needs_a_driver_that_takes_it(start: StartBench) -> None:
    """The process driver says what to do, at an invoke as at CreateFunction."""
    made = await start(echo)
    made.driver.no_images = "take the other driver"
    with pytest.raises(ServiceError, match="cannot run f here: take the other driver") as refused:
        await invoke(made, container=CONTAINER)
    assert refused.value.code == "InvalidRuntimeException"


@pytest.mark.parametrize("folder", ["/tmp/python", "/var/tmp/python"])
async def test_interpreter_in_tmp_is_named(start: StartBench, folder: str) -> None:
    """Each sandbox has a /tmp of its own, which would cover it."""
    plan = RuntimePlan(program=f"{folder}/bin/python3", prefixes=(Path(folder),))
    made = await start(echo, plan=plan)
    with pytest.raises(ServiceError, match=f"{folder} lies in /tmp, of which each sandbox has its own"):
        await invoke(made)
    made.driver.no_images = "no root file systems: /tmp is everybody's"
    await invoke(made, "g")


async def test_sdk_in_tmp_is_told_in_the_log(start: StartBench) -> None:
    """A function may do without it."""
    made = await start(echo, plan=RuntimePlan(program="/usr/bin/node", prefixes=(Path("/tmp/sdk"),)))
    await invoke(made)
    await until(lambda: any("/tmp/sdk lies in /tmp" in line for line in made.log.messages))


def test_process_of_an_image_is_taken_as_it_is(tmp_path: Path) -> None:
    """Arguments are no templates, and the working directory is looked up in the image."""
    (tmp_path / "there").mkdir()
    (tmp_path / "out").symlink_to("/")
    inside = replace(CONTAINER, working_dir="/out/there")
    plan = runtimes(tmp_path).plan(a_function(container=inside, code_dir=tmp_path))
    assert (plan.argv(Roots()), plan.cwd) == (("/main", "{task}"), "/out/there")
    elsewhere = replace(CONTAINER, working_dir="/out/etc")
    plan = runtimes(tmp_path).plan(a_function(container=elsewhere, code_dir=tmp_path))
    assert plan.fault is not None
    assert (plan.fault.error_type, plan.fault.text) == (
        "Runtime.InvalidWorkingDir",
        "chdir /out/etc: no such file or directory",
    )
    nothing = replace(CONTAINER, command=())
    plan = runtimes(tmp_path).plan(a_function(container=nothing, code_dir=tmp_path))
    assert plan.fault is not None
    assert plan.fault.error_type == "Runtime.InvalidEntrypoint"


def test_extensions_of_an_image_are_its_own(tmp_path: Path) -> None:
    """/opt may be a link; it never leads out of the image."""
    (tmp_path / "real/extensions").mkdir(parents=True)
    (tmp_path / "real/extensions/one").touch()
    (tmp_path / "opt").symlink_to("/real")
    assert extensions_of(a_function(container=CONTAINER, code_dir=tmp_path)) == ("one",)
    (tmp_path / "opt").unlink()
    (tmp_path / "opt").symlink_to("/etc")
    assert extensions_of(a_function(container=CONTAINER, code_dir=tmp_path)) == ()


def test_variables_of_an_image() -> None:
    """ENV lies between Lambda's defaults and the function's own; the reserved ones are Lambda's."""
    given = {"PATH": "/own", "ONE": "image", "TWO": "image", "LAMBDA_TASK_ROOT": "/app", "AWS_REGION": "mars"}
    function = a_function(environment={"TWO": "function"})
    found = variables(function, CREDENTIALS, replace(SURROUNDINGS, image_variables=given))
    assert [found[name] for name in given] == ["/own", "image", "function", "/app", "us-east-1"]
    assert "_HANDLER" not in found
    assert "LD_LIBRARY_PATH" not in found
    plain = variables(a_function(), CREDENTIALS, replace(SURROUNDINGS, image_variables={}))
    assert plain["PATH"] == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert (plain["LAMBDA_TASK_ROOT"], plain["TZ"]) == ("/var/task", ":UTC")
