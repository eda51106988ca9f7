"""`make test`: the suite in three workers; what fails there is asked once more, alone.

Three workers on two cores that other programs use, too, are a load of their own: a test may fail in it for a reason
that its own bounds do not know. At most `AT_MOST` such tests are run again, one after another, and are told by name:
each of them is somebody's work (docs/decisions/0059-failures-are-asked-again.md). More failures, or a failure when
alone, are failures. So is each that tells of lost data or of a wall that gave way (`NEVER_AGAIN`).
"""

import compileall
import json
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS_FAILED = 1  # pytest's exit code: the tests were run, and some failed
AT_MOST = 3
NEVER_AGAIN = ("tests/crash/", "tests/security/", "_kill")
"""Parts of names: what kills or attacks the platform meets another moment in its next run, which says nothing of the
first."""
CROWD = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
"""In the order of their names: the long files of crash/ and e2e/ begin first, and many short ones fill the end."""


def pytest(root: Path, *arguments: str) -> int:
    """One run in the folder `root`; its exit code."""
    return subprocess.run([sys.executable, "-m", "pytest", "-q", *arguments], cwd=root, check=False).returncode


def run(root: Path, *arguments: str) -> int:
    """The suite of `root`, and again what failed; the exit code of `make test`."""
    # A shell starts what runs in its background deaf to Ctrl-C, and all that this starts would be: its tests press it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # The suite starts hundreds of platforms. Where PYTHONDONTWRITEBYTECODE is set each of them would compile the tree
    # anew: 1.3 s of processor time a start.
    compileall.compile_dir(root / "src", quiet=1, workers=0)
    remembered = root / ".pytest_cache/v/cache/lastfailed"
    remembered.unlink(missing_ok=True)
    code = pytest(root, "-m", "not slow", *CROWD, *arguments)
    failed = sorted(json.loads(remembered.read_text(encoding="utf-8"))) if remembered.exists() else []
    is_final = any(part in name for name in failed for part in NEVER_AGAIN)
    if code != TESTS_FAILED or is_final or not 0 < len(failed) <= AT_MOST:
        return code
    print(f"\n{len(failed)} failed beside others; each is run again alone.", flush=True)
    codes = {name: pytest(root, name) for name in failed}
    for name, alone in codes.items():
        print(f"FAILED BESIDE OTHERS, {'and alone' if alone else 'passed alone'}: {name}")
    return max(codes.values())


if __name__ == "__main__":
    sys.exit(run(ROOT, *sys.argv[1:]))
