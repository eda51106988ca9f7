"""The canonical form of a request, over which SigV4 signatures are made.

Pure. Works on the bytes as they were sent, which `HttpRequest` holds as latin-1 text, so that nothing is lost.
AWS: IAM User Guide, "Create a signed AWS API request", step 1.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote_from_bytes, unquote_to_bytes

_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._~-]*").fullmatch
_PLAIN = re.compile(r"[A-Za-z0-9._~-]*").fullmatch
_SPACES = re.compile(" {2,}")


def canonical_head(
    method: str, path: str, query: str, headers: Mapping[str, str], signed_headers: tuple[str, ...]
) -> str:
    """Everything of the canonical request but its last line, the payload's hash. `path` and `query` are canonical."""
    lines = [method, "\n", path or "/", "\n", query, "\n"]
    for name in signed_headers:
        value = headers.get(name, "").strip(" ")
        lines += name, ":", _SPACES.sub(" ", value) if "  " in value else value, "\n"
    lines += "\n", ";".join(signed_headers), "\n"
    return "".join(lines)


def s3_path(raw: str) -> str:
    """S3 encodes once and keeps the path as it is, "//" and ".." included."""
    return raw if _PLAIN_PATH(raw) else quote_from_bytes(unquote_to_bytes(raw.encode("latin-1")), safe="/~")


def normal_path(raw: str) -> str:
    """All other services remove dot segments and empty ones, and encode what was sent encoded once more."""
    if "//" in raw or "/." in raw:
        raw = _without_dots(raw)
    return raw if _PLAIN_PATH(raw) else quote_from_bytes(raw.encode("latin-1"), safe="/~")


def canonical_query(query: str, leave_out: str = "") -> str:
    """The parameters sorted by encoded name and value, without the one named."""
    if not query:
        return ""
    pairs = []
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            if name != leave_out:
                pairs.append((_encoded(name), _encoded(value)))
    pairs.sort()
    return "&".join([f"{name}={value}" for name, value in pairs])


def _encoded(text: str) -> str:
    if _PLAIN(text):
        return text
    return quote_from_bytes(unquote_to_bytes(text.replace("+", " ").encode("latin-1")), safe="~")


def _without_dots(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if kept:
                kept.pop()
        elif segment and segment != ".":
            kept.append(segment)
    trailing = "/" if path.endswith(("/", "/.", "/..")) and kept else ""
    return f"/{'/'.join(kept)}{trailing}"
