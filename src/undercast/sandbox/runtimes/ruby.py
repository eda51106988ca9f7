"""Ruby functions: the interpreter of this machine and our runtime client. Gems are the function's and its layers'.

AWS: Lambda Developer Guide, "Building Lambda functions with Ruby"; "Using Lambda environment variables".
"""

from collections.abc import Mapping
from pathlib import Path

from undercast.core.record import record
from undercast.sandbox.model import FunctionVersion
from undercast.sandbox.runtimes.lang import lang_folder
from undercast.sandbox.runtimes.plan import RuntimePlan, invalid_runtime, with_wrapper
from undercast.sandbox.runtimes.programs import ProgramLookup
from undercast.sandbox.runtimes.table import RuntimeRow


@record
class RubyRuntime:
    """`client_dir` holds our client and becomes /var/runtime as it is; `runtimes_dir` is in the data folder."""

    lookup: ProgramLookup
    runtimes_dir: Path
    client_dir: Path

    def plan(self, row: RuntimeRow, function: FunctionVersion) -> RuntimePlan:
        """How to start the function. Raises InvalidRuntimeException when there is no interpreter."""
        versions = (row.version, *row.nearest)
        found = next((hit for version in versions if (hit := self.lookup.find("ruby", version))), None)
        wanted = ".".join(map(str, row.version))
        if found is None:
            raise invalid_runtime(
                f"No Ruby {wanted} is installed for the runtime {row.identifier}. "
                f"Install it (`rbenv install {wanted}`, mise, asdf or your system's packages) and try again"
            )
        program, options = with_wrapper(("{lang}/ruby", "{runtime}/bootstrap.rb"), function)
        dotted = ".".join(map(str, found.version))
        near = found.version[:2] != row.version
        return RuntimePlan(
            program=program,
            options=options,
            variables=_variables(found.version),
            execution_env=f"AWS_Lambda_{row.identifier}",
            runtime_dir=self.client_dir,
            lang_dir=lang_folder(self.runtimes_dir, _lang(found.path)),
            prefixes=found.prefixes,
            telemetry=True,
            version_label=f"ruby:{dotted}.undercast",
            notice=f"{row.identifier} runs on Ruby {dotted}: Ruby {wanted} is not installed here" if near else "",
        )


def _lang(program: Path) -> Mapping[str, Path]:
    """One that was built to be moved looks for its library beside itself."""
    library = program.parent.parent / "lib/ruby"
    return {"bin/ruby": program, **({"lib/ruby": library} if library.is_dir() else {})}


def _variables(version: tuple[int, ...]) -> Mapping[str, str]:
    """Gems are built for one minor version: the interpreter's that runs, whatever was asked for."""
    api = f"{version[0]}.{version[1]}.0"
    return {
        "GEM_PATH": f"{{task}}/vendor/bundle/ruby/{api}:{{opt}}/ruby/gems/{api}",
        "RUBYLIB": "{task}:{opt}/ruby/lib",
    }
