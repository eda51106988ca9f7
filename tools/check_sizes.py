"""Holds the size budgets of the house style: a file has at most 600 lines, a function at most 60.

Generated code in `_generated/` is exempt. Prints every offender and exits 1.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 60
ROOT = Path(__file__).resolve().parent.parent
EXEMPT = frozenset({"benchmarks/floor_lambda.py", "benchmarks/bench_lambda.py"})


def tracked() -> list[Path]:
    """Python files that git knows or would add."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return [
        ROOT / name for name in names if "_generated/" not in name and name not in EXEMPT and (ROOT / name).exists()
    ]


def offences(path: Path) -> Iterator[str]:
    """One line for each budget that the file breaks."""
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(ROOT)
    lines = text.count("\n")
    if lines > MAX_FILE_LINES:
        yield f"{name}: {lines} lines (at most {MAX_FILE_LINES})"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{name}:{node.lineno}: {node.name} has {length} lines (at most {MAX_FUNCTION_LINES})"


def main() -> int:
    """Print all offences."""
    found = [line for path in tracked() for line in offences(path)]
    for line in found:
        print(line)
    print(f"sizes: {len(found)} over budget")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
