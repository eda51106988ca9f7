"""What a sandbox sees of the host, as data: the template that the launcher lays out once and all its sandboxes share.

Read-only: system programs and libraries, the interpreters' prefixes at their own path, a generated /etc and /dev. What
is not listed here is not there.
AWS: Lambda runtime images (public.ecr.aws/lambda): uid 993, /var/task, /var/runtime, /opt, /tmp.
"""

from collections.abc import Iterable
from pathlib import Path

from undercast.core.record import record
from undercast.sandbox import releases

INSIDE_UID = 993
INSIDE_GID = 990
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/services", "/etc/protocols", "/etc/mime.types")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
LANG = "/var/lang"
IMAGE_CA_BUNDLE = "/etc/undercast-ca-certificates.crt"
"""In a container image, whose own bundle may be anywhere and stays."""
PLACES = (
    ("/proc", "folder"),
    ("/dev", "folder"),
    ("/tmp", "folder"),
    ("/etc/hosts", "file"),
    ("/etc/resolv.conf", "file"),
    (IMAGE_CA_BUNDLE, "file"),
)
"""What the root of a container image must have, each reached without a link: something is mounted on it."""
_FILES = {
    "/etc/passwd": (
        "root:x:0:0:root:/root:/sbin/nologin\n"
        f"sbx_user1051:x:{INSIDE_UID}:{INSIDE_GID}::/home/sbx_user1051:/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\n"
    ),
    "/etc/group": f"root:x:0:\nsbx_user1051:x:{INSIDE_GID}:\nnogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost sandbox sandbox.localdomain\n::1 localhost\n",
    "/etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:2 attempts:2\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
    "services: files\nprotocols: files\n",
    "/etc/hostname": "sandbox\n",
}
_DIRECTORIES = (
    "/proc",
    "/dev/shm",
    "/tmp",
    "/var/task",
    "/var/runtime",
    LANG,
    "/opt",
    releases.PLACE,
    "/etc/ssl/certs",
    "/etc/pki/tls/certs",
)
_LINKS = {
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
    "/etc/localtime": "/usr/share/zoneinfo/UTC",
    "/etc/mtab": "/proc/self/mounts",
    "/var/tmp": "/tmp",
    "/etc/pki/tls/certs/ca-bundle.crt": CA_BUNDLE,
    "/etc/ssl/cert.pem": CA_BUNDLE,
    **releases.LINKS,
}


@record
class Template:
    """Instructions for the launcher. `binds` are (host path, path inside); all of them become read-only."""

    dirs: tuple[str, ...]
    files: dict[str, str]
    links: dict[str, str]
    binds: tuple[tuple[str, str], ...]
    devices: tuple[str, ...] = _DEVICES


def template(prefixes: Iterable[Path], runtime_dir: Path | None, lang_dir: Path | None) -> Template:
    """The template on this host. `prefixes` are folders that keep their path; those under /usr are there anyway."""
    links = dict(_LINKS)
    binds: list[tuple[str, str]] = []
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            links[name] = str(path.readlink())
        elif path.is_dir():
            binds.append((name, name))
    binds += [(name, name) for name in _ETC if Path(name).exists()]
    bundle = next((Path(name) for name in _BUNDLES if Path(name).is_file()), None)
    if bundle is not None:
        binds.append((str(bundle.resolve()), CA_BUNDLE))
    binds += prefix_binds(prefixes)
    binds += runtime_binds(runtime_dir, lang_dir)
    return Template(dirs=_DIRECTORIES, files=dict(_FILES), links=links, binds=tuple(binds))


def runtime_binds(runtime_dir: Path | None, lang_dir: Path | None) -> list[tuple[str, str]]:
    """The runtime's own folders, where there are any; below /var/lang what its folder has."""
    binds = [] if runtime_dir is None else [(str(runtime_dir.resolve()), "/var/runtime")]
    return binds + (lang_binds(lang_dir) if lang_dir is not None else [])


def lang_binds(lang_dir: Path) -> list[tuple[str, str]]:
    """The empty places, and on each what its link leads to: nothing is made in the root that sandboxes share."""
    links = sorted(path for path in (lang_dir / "links").rglob("*") if path.is_symlink())
    over = [(str(link.resolve()), f"{LANG}/{link.relative_to(lang_dir / 'links')}") for link in links]
    return [(str((lang_dir / "places").resolve()), LANG), *over]


def prefix_binds(prefixes: Iterable[Path]) -> list[tuple[str, str]]:
    """Each prefix at its own path, and where its links lead; what the system folders hold already is left out."""
    wanted = {str(path) for prefix in prefixes for path in (prefix.absolute(), prefix.resolve())}
    return [(path, path) for path in sorted(wanted) if not _is_system(path)]


def hidden_place(path: Path) -> str:
    """Why a sandbox with a root file system of its own does not have this path; "" when it may have it."""
    if not any(path.is_relative_to(own) for own in ("/tmp", "/var/tmp")):
        return ""
    return f"{path} lies in /tmp, of which each sandbox has its own: install it elsewhere"


def _is_system(path: str) -> bool:
    return any(path == name or path.startswith(name + "/") for name in _SYSTEM)
