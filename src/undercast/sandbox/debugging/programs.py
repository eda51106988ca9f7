"""How a function is started under its language's debugger: debugpy, Node.js's inspector, delve.

Pure but for the look whether the debugger is here. Ports are the sandbox's own.
Sources: debugpy and delve (`dlv help exec`), "Command line reference"; Node.js, "Command-line API", --inspect.
"""

import shutil
from dataclasses import replace
from pathlib import Path

from undercast.core.record import record
from undercast.sandbox.model import Debug, FunctionVersion
from undercast.sandbox.runtimes.plan import RuntimePlan, invalid_runtime
from undercast.sandbox.runtimes.table import COMPILED, RUNTIMES

MEMORY_MB = 512
"""More than the function has, for the debugger: AWS_LAMBDA_FUNCTION_MEMORY_SIZE stays."""
_OLDEST_PYTHON = (3, 8)


@record
class Debuggers:
    """Those of this machine."""

    search_path: tuple[str, ...]
    home: Path
    installs_dir: Path

    def applied(self, plan: RuntimePlan, function: FunctionVersion) -> RuntimePlan:
        """The plan with the debugger in it. Raises InvalidRuntimeException where there is none."""
        if function.container is not None:
            raise invalid_runtime(f"{function.name} is a container image, which is not debugged here")
        row = RUNTIMES[function.runtime]
        if function.debug is None or plan.fault is not None:
            return plan
        if row.family == "python" and _version(plan) >= _OLDEST_PYTHON:
            changed = self._python(plan, function, function.debug)
        elif row.family == "nodejs":
            changed = _node(plan, function, function.debug)
        elif row.family in COMPILED:
            changed = self._go(plan, function.debug)
        else:
            raise invalid_runtime(f"There is no debugger for {function.runtime} here: run the function without --debug")
        attach = f"The debugger of {function.name} is on 127.0.0.1:{function.debug.port}"
        waits = ": the function waits until it is attached" if function.debug.wait else ""
        return replace(changed, forkable=False, notice=". ".join(filter(None, (plan.notice, attach + waits))))

    def _python(self, plan: RuntimePlan, function: FunctionVersion, debug: Debug) -> RuntimePlan:
        folder = debugpy_folder(self.installs_dir)
        if not folder.is_dir():
            raise invalid_runtime("debugpy is not installed: undercast runtimes install debugpy")
        wait = ("--wait-for-client",) if debug.wait else ()
        words = (str(folder / "debugpy"), "--listen", f"127.0.0.1:{debug.inner_port}", *wait)
        variables = {**plan.variables, "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
        return replace(
            _behind_interpreter(plan, function, words), prefixes=(*plan.prefixes, folder), variables=variables
        )

    def _go(self, plan: RuntimePlan, debug: Debug) -> RuntimePlan:
        """Clients may come and go; without `wait` the program runs at once."""
        delve = find_delve(self.search_path, self.home, self.installs_dir)
        if delve is None:
            raise invalid_runtime("delve (dlv) is not in PATH, nor installed: undercast runtimes install delve")
        go_on = () if debug.wait else ("--continue",)
        options = (
            "exec",
            "--headless=true",
            f"--listen=127.0.0.1:{debug.inner_port}",
            "--api-version=2",
            "--accept-multiclient",
            "--check-go-version=false",
            *go_on,
            plan.program,
        )
        arguments = ("--", *plan.arguments) if plan.arguments else ()
        prefixes = (*plan.prefixes, delve.parent)
        return replace(plan, program=str(delve), options=options, arguments=arguments, prefixes=prefixes, traces=True)


def _version(plan: RuntimePlan) -> tuple[int, ...]:
    """Of the interpreter that was found, which may be younger than the identifier says."""
    return tuple(int(number) for number in plan.version_label.partition(":")[2].split(".") if number.isdigit())


def _node(plan: RuntimePlan, function: FunctionVersion, debug: Debug) -> RuntimePlan:
    flag = "--inspect-brk" if debug.wait else "--inspect"
    return _behind_interpreter(plan, function, (f"{flag}=127.0.0.1:{debug.inner_port}",))


def _behind_interpreter(plan: RuntimePlan, function: FunctionVersion, words: tuple[str, ...]) -> RuntimePlan:
    """Words right behind the interpreter, which is the wrapper's first argument where there is a wrapper."""
    if function.environment.get("AWS_LAMBDA_EXEC_WRAPPER"):
        return replace(plan, options=(plan.options[0], *words, *plan.options[1:]))
    return replace(plan, options=(*words, *plan.options))


def debugpy_folder(installs_dir: Path) -> Path:
    """Where `undercast runtimes install debugpy` puts it."""
    return installs_dir / "debugpy"


def find_delve(search_path: tuple[str, ...], home: Path, installs_dir: Path) -> Path | None:
    """dlv of PATH, of `go install`, or of `undercast runtimes install delve`."""
    places = (*search_path, str(home / "go" / "bin"), str(installs_dir / "delve"))
    found = shutil.which("dlv", path=":".join(places))
    return Path(found).resolve() if found else None
