"""Where version managers keep what they install: below the home folder, or where a variable of the user's says.

Pure, but for the look into folders. Each manager's documentation names its variable.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from undercast.core.record import record

MOVED: Mapping[str, str] = MappingProxyType(
    {
        "PYENV_ROOT": ".pyenv",
        "UV_PYTHON_INSTALL_DIR": ".local/share/uv/python",
        "ASDF_DATA_DIR": ".asdf",
        "MISE_DATA_DIR": ".local/share/mise",
        "NVM_DIR": ".nvm",
        "FNM_DIR": ".local/share/fnm",
        "VOLTA_HOME": ".volta",
        "NODENV_ROOT": ".nodenv",
        "N_PREFIX": "/usr/local",
        "SDKMAN_DIR": ".sdkman",
        "RBENV_ROOT": ".rbenv",
        "rvm_path": ".rvm",
        "XDG_DATA_HOME": ".local/share",
    }
)
"""Variable -> the folder that it stands for, below the home folder unless absolute."""
UNMOVED: Mapping[str, str] = MappingProxyType({})


@record
class Homes:
    """One user's. `moved` are the variables that are set."""

    home: Path
    moved: Mapping[str, str]

    def installs(self, pattern: str) -> Iterator[Path]:
        """What a pattern finds, the newest version first: below moved folders, then where it is unless one says."""
        for root, relative in self._places(pattern):
            yield from sorted(root.glob(relative), key=_numbers, reverse=True)

    def _places(self, pattern: str) -> Iterator[tuple[Path, str]]:
        for name, folder in MOVED.items():
            # A relative one would depend on where the platform was started.
            if pattern.startswith(f"{folder}/") and (moved := self.moved.get(name, "")).startswith("/"):
                yield Path(moved), pattern.removeprefix(f"{folder}/")
        yield (Path("/"), pattern[1:]) if pattern.startswith("/") else (self.home, pattern)


def _numbers(path: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", path.name)[:3])
