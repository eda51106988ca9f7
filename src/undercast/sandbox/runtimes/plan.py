"""How a function of one runtime is started on this machine.

Decides from the table, the interpreters found and the function's files; starts nothing.
AWS: Lambda Developer Guide, "Lambda runtimes", "Building a custom runtime for AWS Lambda".
"""

from collections.abc import Callable, Mapping
from dataclasses import field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.sandbox import errors
from undercast.sandbox.errors import Fault
from undercast.sandbox.image_files import resolved
from undercast.sandbox.model import Container, FunctionVersion
from undercast.sandbox.runtimes.lookup import Interpreter, PythonLookup
from undercast.sandbox.runtimes.machine import mismatch
from undercast.sandbox.runtimes.python import PythonRuntime
from undercast.sandbox.runtimes.table import LATER, RUNTIMES, SELF_CONTAINED, RuntimeRow
from undercast.sandbox.variables import Roots

_FRESH_PREFIXES = ("LD_", "PYTHON", "MALLOC_")
"""Variables that a process reads when it starts: a forked one would miss them."""


@record
class RuntimePlan:
    """What it takes to start the runtime of one function version."""

    program: str = ""
    """Template of argv[0]; {task}, {opt}, {runtime} and {lang} are the sandbox's folders."""
    options: tuple[str, ...] = ()
    """Templates of the next arguments."""
    arguments: tuple[str, ...] = ()
    """Arguments taken as they are."""
    fault: Fault | None = None
    """Why it cannot be started: the function's mistake, told as AWS tells it."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Templates of the family's default variables."""
    execution_env: str = ""
    cwd: str = ""
    """Empty: the folder of the code."""
    runtime_dir: Path | None = None
    lang_dir: Path | None = None
    """Becomes /var/lang."""
    python: Path | None = None
    prefixes: tuple[Path, ...] = ()
    forkable: bool = False
    """Nothing in the function demands a fresh interpreter."""
    prestart: tuple[str, ...] = ()
    """Options with which the command can be started before its function is known; empty: it cannot."""
    telemetry: bool = False
    traces: bool = False
    """Its program is a debugger that needs ptrace(2), which no function has."""
    version_label: str = ""
    notice: str = ""
    """What the user should know of this start, for the function's log."""
    absent: Path | None = None
    """A folder that was missing and that `undercast runtimes install` makes: once it is there, the plan is old."""

    @property
    def is_old(self) -> bool:
        """Whether something was installed meanwhile that it lacks."""
        return self.absent is not None and self.absent.is_dir()

    def argv(self, roots: Roots) -> tuple[str, ...]:
        """The command as the sandbox sees it."""
        return (expand(self.program, roots), *(expand(option, roots) for option in self.options), *self.arguments)


Debugged = Callable[[RuntimePlan, FunctionVersion], RuntimePlan]
"""Puts the debugger that a function asks for into its plan."""


class Family(Protocol):
    """The functions of one language."""

    def plan(self, row: RuntimeRow, function: FunctionVersion) -> RuntimePlan:
        """How to start the function. Raises InvalidRuntimeException where this machine cannot, naming the fix."""
        ...


@record
class PreparedPython:
    """An interpreter and what its functions see as /var/runtime and /var/lang."""

    interpreter: Interpreter
    runtime_dir: Path
    lang_dir: Path
    absent: Path | None = None
    """See `RuntimePlan`."""


def expand(template: str, roots: Roots) -> str:
    """Put the sandbox's folders into a template."""
    filled = template.replace("{task}", roots.task).replace("{opt}", roots.opt)
    return filled.replace("{runtime}", roots.runtime).replace("{lang}", roots.lang)


class Runtimes:
    """Plans for functions, with what was found on this machine."""

    def __init__(
        self,
        lookup: PythonLookup,
        python: PythonRuntime,
        families: Mapping[str, Family] = MappingProxyType({}),
        debugged: Debugged | None = None,
    ) -> None:
        """`families` are languages that are neither Python nor compiled."""
        self._debugged = debugged
        self._lookup = lookup
        self._python = python
        self._families = families

    def plan(self, function: FunctionVersion) -> RuntimePlan:
        """How to start the function. Raises InvalidRuntimeException where this machine cannot, naming the fix."""
        plan = self._plain(function)
        return plan if function.debug is None or self._debugged is None else self._debugged(plan, function)

    def _plain(self, function: FunctionVersion) -> RuntimePlan:
        if function.container is not None:
            return container_plan(function, function.container)
        row = RUNTIMES.get(function.runtime)
        if row is None:
            raise invalid_runtime(f"The runtime {function.runtime} is unknown")
        plan = self._planned(row, function)
        if function.layers and any(path.is_relative_to("/opt") for path in plan.prefixes):
            text = f"{plan.program} lies in /opt, which the function's layers cover: install it elsewhere"
            return replace(plan, notice=text)
        return plan

    def _planned(self, row: RuntimeRow, function: FunctionVersion) -> RuntimePlan:
        python = self.python(function.runtime)
        if python is not None:
            return self._python_plan(row, python, function)
        if row.family == "go":
            return _go_plan(function)
        if row.family == "provided":
            return _provided_plan(row, function)
        if row.family in self._families:
            return self._families[row.family].plan(row, function)
        language = LATER[row.family]
        raise invalid_runtime(f"Undercast cannot run {function.runtime} ({language}): {SELF_CONTAINED}")

    def python(self, runtime: str) -> PreparedPython | None:
        """What a Python runtime needs, made ready; None for another family. Raises InvalidRuntimeException."""
        row = RUNTIMES.get(runtime)
        if row is None or row.family != "python":
            return None
        found = next((hit for version in (row.version, *row.nearest) if (hit := self._lookup.find(version))), None)
        if found is None:
            dotted = ".".join(map(str, row.version))
            raise invalid_runtime(
                f"No python{dotted} is installed for the runtime {row.identifier}. "
                f"Install it (`uv python install {dotted}`, `pyenv install {dotted}` or your system's packages) "
                "and try again"
            )
        return PreparedPython(
            interpreter=found,
            absent=self._python.missing_sdk(found),  # asked first: what is installed from here on makes the plan old
            runtime_dir=self._python.folder(found),
            lang_dir=self._python.lang_folder(found),
        )

    def _python_plan(self, row: RuntimeRow, python: PreparedPython, function: FunctionVersion) -> RuntimePlan:
        found = python.interpreter
        dotted, wanted = (".".join(map(str, version)) for version in (found.version, row.version))
        near = f"{row.identifier} runs on Python {dotted}: Python {wanted} is not installed here"
        interpreter = f"{{lang}}/python{dotted}"
        program, options = with_wrapper((interpreter, "{runtime}/bootstrap.py"), function)
        return RuntimePlan(
            program=program,
            options=options,
            variables={"PYTHONPATH": "{runtime}"},
            execution_env=f"AWS_Lambda_{function.runtime}",
            runtime_dir=python.runtime_dir,
            lang_dir=python.lang_dir,
            python=found.path,
            prefixes=found.prefixes,
            forkable=program == interpreter and _forkable(function),
            telemetry=True,
            version_label=f"python:{dotted}.undercast",
            absent=python.absent,
            notice=near if found.version != row.version else "",
        )


def _forkable(function: FunctionVersion) -> bool:
    """Whether a forked interpreter behaves as a fresh one: no start-up variables, no libraries on the loader's path."""
    if any(name.startswith(_FRESH_PREFIXES) for name in function.environment):
        return False
    return not any((folder / "lib").is_dir() for folder in (function.code_dir, *function.layers))


def container_plan(function: FunctionVersion, container: Container) -> RuntimePlan:
    """The image's own process. Its working directory is looked up in its root, which it never leaves."""
    folder = resolved(function.code_dir, container.working_dir)
    if folder is None or not folder.is_dir():
        return RuntimePlan(fault=errors.invalid_working_dir(container.working_dir))
    if not container.command:
        return RuntimePlan(fault=errors.no_bootstrap(()))
    program, *arguments = container.command
    return RuntimePlan(program=program, arguments=tuple(arguments), cwd=container.working_dir, telemetry=True)


def _go_plan(function: FunctionVersion) -> RuntimePlan:
    label = "go:1.undercast"
    if reason := mismatch(function.code_dir / function.handler):
        fault = errors.cannot_execute(f"/var/task/{function.handler}", reason, go1x=True)
        return RuntimePlan(fault=fault, version_label=label)
    return RuntimePlan(program="{task}/" + function.handler, execution_env="AWS_Lambda_go1.x", version_label=label)


def _provided_plan(row: RuntimeRow, function: FunctionVersion) -> RuntimePlan:
    """The bootstrap is the function's, else the last layer's that has one."""
    label = f"{row.identifier.replace('.', ':')}.undercast"
    folders = [("task", function.code_dir), *(("opt", layer) for layer in reversed(function.layers))]
    for root, folder in folders:
        if not (folder / "bootstrap").exists():
            continue
        if reason := mismatch(folder / "bootstrap"):
            place = {"task": "/var/task", "opt": "/opt"}[root]
            fault = errors.cannot_execute(f"{place}/bootstrap", reason, go1x=False)
            return RuntimePlan(fault=fault, version_label=label)
        return RuntimePlan(program=f"{{{root}}}/bootstrap", arguments=(function.handler,), version_label=label)
    return RuntimePlan(fault=errors.no_bootstrap(("/var/task/bootstrap", "/opt/bootstrap")), version_label=label)


def with_wrapper(command: tuple[str, ...], function: FunctionVersion) -> tuple[str, tuple[str, ...]]:
    """Program and options: AWS_LAMBDA_EXEC_WRAPPER gets the runtime's command as its arguments."""
    wrapper = function.environment.get("AWS_LAMBDA_EXEC_WRAPPER")
    return (wrapper, command) if wrapper else (command[0], command[1:])


def invalid_runtime(text: str) -> ServiceError:
    """The error of an invocation that this machine has no runtime for."""
    return ServiceError("InvalidRuntimeException", text, 502, members={"Type": "Server"})
