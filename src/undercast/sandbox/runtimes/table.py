"""Lambda's runtime identifiers, the deprecated ones included.

Data only. A new version of a language is one line here.
AWS: Lambda Developer Guide, "Lambda runtimes", with its list of deprecated runtimes.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from undercast.core.record import record

Family = Literal["python", "nodejs", "java", "ruby", "dotnet", "go", "provided"]
STARTED_AHEAD = "nodejs"
"""The family whose processes are started before their function is known."""
COMPILED = frozenset({"go", "provided"})
"""Families whose functions bring their program."""


@record
class RuntimeRow:
    """One identifier. `version` is the language's; `nearest` are versions tried, in order, when it is not installed."""

    identifier: str
    family: Family
    version: tuple[int, ...] = ()
    nearest: tuple[tuple[int, ...], ...] = ()
    deprecated: bool = False
    obsolete: bool = False
    """No version of its own runs here any more."""


def _python(minor: int, *, deprecated: bool = False) -> RuntimeRow:
    """An old interpreter that nobody can install any more is served by the next younger ones."""
    nearest = tuple((3, other) for other in range(minor + 1, 16)) if deprecated else ()
    return RuntimeRow(
        identifier=f"python3.{minor}", family="python", version=(3, minor), nearest=nearest, deprecated=deprecated
    )


_NODE_MAJORS = (12, 14, 16, 18, 20, 22, 24, 26)
"""Versions that our runtime client runs on."""


def _node(name: str, major: int, *, deprecated: bool = False) -> RuntimeRow:
    nearest = tuple((other,) for other in _NODE_MAJORS if other > major) if deprecated else ()
    return RuntimeRow(
        identifier=name,
        family="nodejs",
        version=(major,),
        nearest=nearest,
        deprecated=deprecated,
        obsolete=major < _NODE_MAJORS[0],
    )


def _java(name: str, major: int, *, deprecated: bool = False) -> RuntimeRow:
    """A JVM runs what older ones run, so that younger ones may serve."""
    nearest = tuple((other,) for other in (11, 17, 21, 25) if other > major)
    return RuntimeRow(identifier=name, family="java", version=(major,), nearest=nearest, deprecated=deprecated)


_RUBIES = ((2, 7), (3, 0), (3, 1), (3, 2), (3, 3), (3, 4), (4, 0))

_ROWS = (
    RuntimeRow(identifier="python2.7", family="python", version=(2, 7), deprecated=True),
    *(_python(minor, deprecated=True) for minor in (6, 7, 8, 9)),
    *(_python(minor) for minor in (10, 11, 12, 13, 14, 15)),
    _node("nodejs", 0, deprecated=True),
    _node("nodejs4.3", 4, deprecated=True),
    _node("nodejs4.3-edge", 4, deprecated=True),
    _node("nodejs6.10", 6, deprecated=True),
    _node("nodejs8.10", 8, deprecated=True),
    *(_node(f"nodejs{major}.x", major, deprecated=True) for major in (10, 12, 14, 16, 18)),
    *(_node(f"nodejs{major}.x", major) for major in (20, 22, 24, 26)),
    _java("java8", 8, deprecated=True),
    _java("java8.al2", 8),
    *(_java(f"java{major}", major) for major in (11, 17, 21, 25)),
    *(_java(f"java{major}.al2023", major) for major in (8, 11, 17)),
    RuntimeRow(identifier="ruby2.5", family="ruby", version=(2, 5), nearest=_RUBIES, deprecated=True, obsolete=True),
    RuntimeRow(identifier="ruby2.7", family="ruby", version=(2, 7), nearest=_RUBIES, deprecated=True),
    *(RuntimeRow(identifier=f"ruby3.{minor}", family="ruby", version=(3, minor)) for minor in (2, 3, 4)),
    RuntimeRow(identifier="ruby4.0", family="ruby", version=(4, 0)),
    *(
        RuntimeRow(identifier=f"dotnetcore{name}", family="dotnet", version=version, deprecated=True)
        for name, version in (("1.0", (1, 0)), ("2.0", (2, 0)), ("2.1", (2, 1)), ("3.1", (3, 1)))
    ),
    RuntimeRow(identifier="dotnet6", family="dotnet", version=(6,), deprecated=True),
    RuntimeRow(identifier="dotnet8", family="dotnet", version=(8,)),
    RuntimeRow(identifier="dotnet10", family="dotnet", version=(10,)),
    RuntimeRow(identifier="go1.x", family="go", deprecated=True),
    RuntimeRow(identifier="provided", family="provided", deprecated=True),
    RuntimeRow(identifier="provided.al2", family="provided"),
    RuntimeRow(identifier="provided.al2023", family="provided"),
)

RUNTIMES: Mapping[str, RuntimeRow] = MappingProxyType({row.identifier: row for row in _ROWS})
"""By identifier."""

LATER: Mapping[str, str] = MappingProxyType(
    {"dotnet": ".NET"},
)
"""Families whose functions are accepted but cannot run yet, by the name users know."""

SELF_CONTAINED = (
    "publish an executable named bootstrap with Amazon.Lambda.RuntimeSupport (dotnet publish -r linux-x64 "
    "--self-contained) and use the runtime provided.al2023"
)
"""How such a function runs all the same. AWS: "Introducing the .NET runtime client", custom runtimes."""
