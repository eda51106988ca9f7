"""aws-lambda-go's types and examples: what its functions make of our events, and what AWS documents of them."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.golang import build
from tests.machine import program

MODULE = Path(__file__).parent / "go_events"


@dataclass(frozen=True)
class GoTypes:
    """The built program, and events/testdata of the module."""

    program: Path
    testdata: Path

    def through(self, type_name: str, event: Any) -> Any:
        """The event, decoded with a type of `events` and encoded again."""
        done = subprocess.run(
            [str(self.program), type_name],
            input=json.dumps(event),
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return json.loads(done.stdout)

    def example(self, name: str) -> Any:
        """AWS's example."""
        return json.loads((self.testdata / f"{name}.json").read_text())


def go_types(folder: Path) -> GoTypes:
    """Build it into a folder."""
    command = [program("go"), "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-lambda-go"]
    subprocess.run([program("go"), "mod", "download"], cwd=MODULE, check=True, timeout=300)
    module = subprocess.run(command, cwd=MODULE, capture_output=True, text=True, timeout=300, check=True).stdout
    return GoTypes(build(MODULE, folder / "go_events"), Path(module.strip()) / "events" / "testdata")


def paths(value: Any, prefix: str = "") -> set[str]:
    """Every key of a document as a path; the elements of a list share theirs."""
    if isinstance(value, list):
        return {path for item in value for path in paths(item, f"{prefix}[]")} or {f"{prefix}[]"}
    if not isinstance(value, dict):
        return {prefix}
    return {path for name, item in value.items() for path in paths(item, f"{prefix}.{name}" if prefix else name)}
