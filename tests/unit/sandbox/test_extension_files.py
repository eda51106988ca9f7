"""Which files of a function's layers are started as extensions, and with which variables."""

from pathlib import Path

from tests.fakes_sandbox import a_function
from undercast.sandbox.extension_files import external_extensions
from undercast.sandbox.variables import extension_variables


def layer(folder: Path, *files: str) -> Path:
    """A layer with these files."""
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    folder.mkdir(exist_ok=True)
    return folder


def test_files_directly_in_extensions_by_name(tmp_path: Path) -> None:
    """Folders beside them are the extensions' own; files elsewhere are none."""
    first = layer(tmp_path / "1", "extensions/b", "extensions/lib/helper.py", "bin/tool")
    second = layer(tmp_path / "2", "extensions/a")
    assert external_extensions((first, second)) == ("a", "b")


def test_a_later_layer_covers_an_earlier_one(tmp_path: Path) -> None:
    """Layers are merged at /opt: a folder of the same name hides a file, and one file is one extension."""
    first = layer(tmp_path / "1", "extensions/x", "extensions/y")
    second = layer(tmp_path / "2", "extensions/x/data", "extensions/y")
    assert external_extensions((first, second)) == ("y",)


def test_layers_without_extensions(tmp_path: Path) -> None:
    """None, also where `extensions` is a file."""
    assert external_extensions(()) == ()
    assert external_extensions((layer(tmp_path / "1", "extensions"), layer(tmp_path / "2"))) == ()


def test_what_is_the_runtimes_own_stays_with_it() -> None:
    """What a runtime's family sets is not for extensions, unless the function sets it, too."""
    complete = {"_HANDLER": "h", "LAMBDA_TASK_ROOT": "/var/task", "PYTHONPATH": "/x", "OWN": "1", "AWS_REGION": "r"}
    plain, own = a_function(), a_function(environment={"PYTHONPATH": "/x"})
    assert extension_variables(complete, plain, ("PYTHONPATH",)) == {"OWN": "1", "AWS_REGION": "r"}
    assert extension_variables(complete, own, ("PYTHONPATH",)) == {"OWN": "1", "AWS_REGION": "r", "PYTHONPATH": "/x"}
