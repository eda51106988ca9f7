"""Removing what functions have written."""

import os
import subprocess
import tempfile
from pathlib import Path

from tests.unprivileged import as_nobody, environment, interpreter
from undercast.sandbox.trees import remove_tree

LOCKED = """
import os, sys
from pathlib import Path
from undercast.sandbox.trees import remove_tree

top = Path(sys.argv[1]) / "tmp"
(top / "a/b").mkdir(parents=True)
(top / "a/b/file").write_bytes(b"x" * 4096)
(top / "away").symlink_to(sys.argv[1])
(top / "a/b").chmod(0)
(top / "a").chmod(0)
remove_tree(top)
print(os.path.lexists(top), Path(sys.argv[1], "kept").read_text())
"""


def test_folders_that_their_function_has_locked_go_too() -> None:
    """Without root a folder of mode 0 is not entered: what is in it would stay on the disk for ever."""
    python = interpreter() if os.geteuid() == 0 else "python3"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        Path(folder, "kept").write_text("kept")
        command = (python, "-c", LOCKED, folder)
        told = subprocess.run(
            as_nobody(*command) if os.geteuid() == 0 else command,
            env=environment(), cwd="/", capture_output=True, text=True, timeout=60, check=True,
        ).stdout  # fmt: skip
        assert told.split() == ["False", "kept"]


def test_what_is_not_there_is_no_problem(tmp_path: Path) -> None:
    """A sandbox may be gone twice."""
    remove_tree(tmp_path / "nothing")
    assert list(tmp_path.iterdir()) == []
