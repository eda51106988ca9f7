"""Which Amazon Linux a runtime's environment says it is: /etc/os-release and /etc/system-release.

Programs of layers and agents choose their binaries by them. The files below are this machine's own all the same.
AWS: Lambda Developer Guide, "Lambda runtimes" (operating system of each); Amazon Linux 2023 User Guide, "Using the
os-release standard", "Amazon Linux specific".
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

Release = Literal["al1", "al2", "al2023"]
PLACE = "/etc/amazon-linux"
"""Where a sandbox has the files of its release: `LINKS` lead there."""
_OS, _SYSTEM = "os-release", "system-release"
LINKS: Mapping[str, str] = MappingProxyType(
    {
        f"/etc/{_OS}": f"amazon-linux/{_OS}",
        f"/etc/{_SYSTEM}": f"amazon-linux/{_SYSTEM}",
        "/etc/amazon-linux-release": _SYSTEM,
    }
)
_AL1 = """\
NAME="Amazon Linux AMI"
VERSION="2018.03"
ID="amzn"
ID_LIKE="rhel fedora"
VERSION_ID="2018.03"
PRETTY_NAME="Amazon Linux AMI 2018.03"
ANSI_COLOR="0;33"
CPE_NAME="cpe:/o:amazon:linux:2018.03:ga"
HOME_URL="http://aws.amazon.com/amazon-linux-ami/"
"""
_AL2 = """\
NAME="Amazon Linux"
VERSION="2"
ID="amzn"
ID_LIKE="centos rhel fedora"
VERSION_ID="2"
PRETTY_NAME="Amazon Linux 2"
ANSI_COLOR="0;33"
CPE_NAME="cpe:2.3:o:amazon:amazon_linux:2"
HOME_URL="https://amazonlinux.com/"
SUPPORT_END="2026-06-30"
"""
_AL2023 = """\
NAME="Amazon Linux"
VERSION="2023"
ID="amzn"
ID_LIKE="fedora"
VERSION_ID="2023"
PLATFORM_ID="platform:al2023"
PRETTY_NAME="Amazon Linux 2023"
ANSI_COLOR="0;33"
CPE_NAME="cpe:2.3:o:amazon:amazon_linux:2023"
HOME_URL="https://aws.amazon.com/linux/amazon-linux-2023/"
DOCUMENTATION_URL="https://docs.aws.amazon.com/linux/"
SUPPORT_URL="https://aws.amazon.com/premiumsupport/"
BUG_REPORT_URL="https://github.com/amazonlinux/amazon-linux-2023"
VENDOR_NAME="AWS"
VENDOR_URL="https://aws.amazon.com/"
SUPPORT_END="2029-06-30"
"""
FILES: Mapping[Release, Mapping[str, str]] = MappingProxyType(
    {
        "al1": {_OS: _AL1, _SYSTEM: "Amazon Linux AMI release 2018.03\n"},
        "al2": {_OS: _AL2, _SYSTEM: "Amazon Linux release 2 (Karoo)\n"},
        "al2023": {_OS: _AL2023, _SYSTEM: "Amazon Linux release 2023 (Amazon Linux)\n"},
    }
)
"""By release: name in `PLACE` -> text."""


_ON_AL1 = frozenset(
    {
        "nodejs",
        "nodejs4.3",
        "nodejs4.3-edge",
        "nodejs6.10",
        "nodejs8.10",
        "python2.7",
        "python3.6",
        "python3.7",
        "java8",
        "ruby2.5",
        "dotnetcore1.0",
        "dotnetcore2.0",
        "dotnetcore2.1",
        "go1.x",
        "provided",
    }
)
_ON_AL2 = frozenset(
    {
        "nodejs10.x",
        "nodejs12.x",
        "nodejs14.x",
        "nodejs16.x",
        "nodejs18.x",
        "python3.8",
        "python3.9",
        "python3.10",
        "python3.11",
        "java8.al2",
        "java11",
        "java17",
        "ruby2.7",
        "ruby3.2",
        "dotnetcore3.1",
        "dotnet6",
        "provided.al2",
    }
)


def release_of(runtime: str) -> Release:
    """What a runtime is built on; newer ones on Amazon Linux 2023."""
    return "al1" if runtime in _ON_AL1 else "al2" if runtime in _ON_AL2 else "al2023"


def write(folder: Path) -> None:
    """A folder per release, for everyone to read."""
    for release, files in FILES.items():
        place = folder / release
        place.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (place / name).write_text(text)
            (place / name).chmod(0o644)
        place.chmod(0o755)
