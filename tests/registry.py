"""A registry of container images on loopback, for tests: anonymous tokens, and layers by way of a redirect.

With TLS it is found by any name that leads here; it breaks off and forgets its tokens when it is told to.
Source: OCI distribution-spec 1.1 ("Pull"); Docker Registry "Token Authentication".
"""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.images import INDEX, MANIFEST, TestImage, layout_files, sha256

TOKEN = "anybody's"


@dataclass
class Registry:
    """What it has and how it behaves."""

    host: str
    scheme: str = "http"
    documents: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """Path below /v2/ -> (media type, content)."""
    realm: str = ""
    challenge: str = "Bearer"
    layers_at: str = ""
    """Where layers are sent to; else their own path below /stored/."""
    moved: dict[str, str] = field(default_factory=dict)
    """Where single blobs are sent to, by their digests."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """(path, Authorization) of every request."""
    hosts: set[tuple[str, str]] = field(default_factory=set)
    """(Host, the first part of the path) of every request."""
    ranges: list[str] = field(default_factory=list)
    """Range of every request for what is stored."""
    pieces: int = 0
    """Where it is not 0, what is stored breaks off behind so many bytes."""
    gives_ranges: bool = True
    tokens: int = 0
    """How many were given out."""
    token_lives: int = 0
    """Where it is not 0, how many requests a token is good for."""

    def push(self, name: str, tag: str, *images: TestImage) -> str:
        """Put images under one tag, as an index; the ImageUri."""
        found = layout_files(*images)
        index = json.loads(found["index.json"])
        manifests = {entry["digest"] for entry in index["manifests"]}
        self.documents[f"{name}/manifests/{tag}"] = (INDEX, found["index.json"])
        for path, content in found.items():
            if path.startswith("blobs/"):
                digest = f"sha256:{sha256(content)}"
                kind = "manifests" if digest in manifests else "blobs"
                self.documents[f"{name}/{kind}/{digest}"] = (MANIFEST, content)
        return f"{self.host}/{name}:{tag}"

    def token(self) -> str:
        """A new one."""
        self.tokens += 1
        self._left = self.token_lives
        return TOKEN if not self.token_lives else f"{TOKEN}{self.tokens}"

    def lets_in(self, authorization: str) -> bool:
        """Whether a request may be answered."""
        if not self.token_lives:
            return authorization == f"Bearer {TOKEN}"
        self._left -= 1
        return authorization == f"Bearer {TOKEN}{self.tokens}" and self._left >= 0

    _left: int = 0


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            authorization = self.headers.get("Authorization", "")
            registry.asked.append((self.path, authorization))
            path, _, query = self.path.partition("?")
            registry.hosts.add((self.headers["Host"], path.split("/")[1]))
            if path == "/token":
                token = registry.token() if "scope=repository" in query else ""
                self._send(200, json.dumps({"token": token}).encode())
            elif path.startswith("/stored/"):
                self._stored(registry.documents[path.removeprefix("/stored/")][1])
            elif not registry.lets_in(authorization):
                realm = registry.realm or f"{registry.scheme}://{registry.host}/token"
                scope = 'service="test",scope="repository:app:pull"'
                self._send(401, b"", ("WWW-Authenticate", f'{registry.challenge} realm="{realm}",{scope}'))
            else:
                self._document(path.removeprefix("/v2/"))

        def _document(self, path: str) -> None:
            kind, content = registry.documents.get(path, ("", b""))
            if not kind:
                self._send(404, b"{}")
            elif "/blobs/" in path:
                elsewhere = registry.layers_at.replace("PATH", path) or f"/stored/{path}"
                self._send(307, b"", ("Location", registry.moved.get(path[-64:]) or elsewhere))
            else:
                self._send(200, content, ("Content-Type", kind))

        def _stored(self, content: bytes) -> None:
            asked = self.headers.get("Range", "")
            registry.ranges.append(asked)
            first = int(asked[6:-1]) if asked and registry.gives_ranges else 0
            told = f"bytes {first}-{len(content) - 1}/{len(content)}"
            rest = content[first:]
            status, headers = (206, [("Content-Range", told)]) if first else (200, [])
            self._send(status, rest, *headers, cut=registry.pieces or len(rest))

        def _send(self, status: int, content: bytes, *headers: tuple[str, str], cut: int | None = None) -> None:
            self.send_response(status)
            for name, value in (*headers, ("Content-Length", str(len(content)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content[:cut])

        def log_message(self, *arguments: object) -> None:
            """Nothing."""

    return Handler


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Registry]:
    """A registry for the length of a block."""
    registry = Registry(host="", scheme="https" if tls else "http")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(registry))
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # who does not trust us hangs up
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    registry.host = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
