"""ImageUri: what it names. Pure.

AWS: Lambda API Reference, FunctionCode (ImageUri). The forms with a path are ours, in the words of skopeo(1).
"""

import re
from typing import Literal

from undercast.core.record import record

_ECR = re.compile(r"\d{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?")
_HOST = re.compile(r"(?:[a-zA-Z0-9-]+(?:\.[a-zA-Z0-9-]+)+(?::\d{1,5})?|[a-zA-Z0-9-]+:\d{1,5}|localhost)")
_REPOSITORY = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_LOCAL = re.compile(r"(oci|oci-archive|docker-archive):([^:]+)(?::(.+))?")
_MAX_REPOSITORY = 256


@record
class LocalImage:
    """A folder or file of this machine."""

    kind: Literal["folder", "archive"]
    scheme: str
    path: str
    tag: str

    def resolved(self, digest: str) -> str:
        """ResolvedImageUri."""
        return f"{self.scheme}:{self.path}@sha256:{digest}"


@record
class NamedImage:
    """An image in a registry, or one that was loaded under this name."""

    host: str
    """ "" in the short form that `undercast images load` takes, too."""
    repository: str
    tag: str
    digest: str = ""
    """SHA-256 that it must have."""

    @property
    def is_ecr(self) -> bool:
        """Whether its registry is one of Amazon ECR."""
        return _ECR.fullmatch(self.host) is not None

    @property
    def names(self) -> tuple[str, ...]:
        """Names under which it may have been loaded: with its registry, and for any of ECR's without."""
        short = f"{self.repository}:{self.tag}"
        if not self.host:
            return (short,)
        return (f"{self.host}/{short}", short) if self.is_ecr else (f"{self.host}/{short}",)

    def resolved(self, digest: str) -> str:
        """ResolvedImageUri."""
        prefix = f"{self.host}/" if self.host else ""
        return f"{prefix}{self.repository}@sha256:{digest}"


def parse_uri(uri: str) -> LocalImage | NamedImage | None:
    """What an ImageUri names; None where it names nothing."""
    local = _LOCAL.fullmatch(uri)
    if local is not None:
        kind: Literal["folder", "archive"] = "folder" if local[1] == "oci" else "archive"
        return LocalImage(kind=kind, scheme=local[1], path=local[2], tag=local[3] or "")
    named = parse_name(uri)
    return named if named is not None and named.host else None


def parse_name(text: str) -> NamedImage | None:
    """[HOST/]REPOSITORY[:TAG][@sha256:DIGEST]; None where it is something else."""
    rest, _, digest = text.partition("@")
    if "@" in text and not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        return None
    host, slash, behind = rest.partition("/")
    if slash and _HOST.fullmatch(host):
        rest = behind
    else:
        host = ""
    repository, _, tag = rest.partition(":")
    if not _REPOSITORY.fullmatch(repository) or len(repository) > _MAX_REPOSITORY:
        return None
    if ":" in rest and not _TAG.fullmatch(tag):
        return None
    digest = digest.removeprefix("sha256:")
    return NamedImage(host=host, repository=repository, tag=tag or "latest", digest=digest)
