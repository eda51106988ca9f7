"""Layers at /opt, on both drivers."""

from pathlib import Path

from tests.e2e.sandbox.conftest import Stage

SOURCE = """
import os, subprocess, sys

OPT = [path for path in sys.path if path.endswith("/python")][0][: -len("/python")]

def handler(event, context):
    import shared
    tool = subprocess.run([os.path.join(OPT, "bin", "tool")], capture_output=True, text=True)
    paths = os.environ["PATH"].split(":"), os.environ["LD_LIBRARY_PATH"].split(":")
    return [shared.NAME, tool.stdout, os.path.join(OPT, "bin") in paths[0], os.path.join(OPT, "lib") in paths[1]]
"""


def _layer(folder: Path, name: str) -> Path:
    layer = folder / f"layer-{name}"
    for place in ("python", "bin"):
        (layer / place).mkdir(parents=True)
    (layer / "python" / "shared.py").write_text(f"NAME = {name!r}\n")
    tool = layer / "bin" / "tool"
    tool.write_text(f"#!/bin/sh\necho {name}\n")
    tool.chmod(0o755)
    return layer


async def test_layers_are_merged_at_opt_and_the_later_wins(stage: Stage) -> None:
    """Lambda Developer Guide, "Packaging your layer content": search paths; layers are merged in order (S0-15)."""
    layers = tuple(_layer(stage.folder, name) for name in ("first", "second"))
    function = stage.function(SOURCE, layers=layers)
    assert await stage.value(function) == ["second", "second\n", True, True]
    alone = stage.function(SOURCE, layers=layers[:1])
    assert await stage.value(alone) == ["first", "first\n", True, True]
