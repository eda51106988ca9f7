"""A registry of container images on loopback, for tests: anonymous tokens, and layers by way of a redirect.

Source: OCI distribution-spec 1.1 ("Pull"); Docker Registry "Token Authentication".
"""

import json
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


def _handler(registry: Registry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            authorization = self.headers.get("Authorization", "")
            registry.asked.append((self.path, authorization))
            path, _, query = self.path.partition("?")
            if path == "/token":
                self._send(200, json.dumps({"token": TOKEN if "scope=repository" in query else ""}).encode())
            elif path.startswith("/stored/"):
                self._send(200, registry.documents[path.removeprefix("/stored/")][1])
            elif authorization != f"Bearer {TOKEN}":
                realm = registry.realm or f"http://{registry.host}/token"
                scope = 'service="test",scope="repository:app:pull"'
                self._send(401, b"", ("WWW-Authenticate", f'{registry.challenge} realm="{realm}",{scope}'))
            else:
                self._document(path.removeprefix("/v2/"))

        def _document(self, path: str) -> None:
            kind, content = registry.documents.get(path, ("", b""))
            if not kind:
                self._send(404, b"{}")
            elif "/blobs/" in path:
                self._send(
                    307, b"", ("Location", registry.moved.get(path[-64:]) or registry.layers_at or f"/stored/{path}")
                )
            else:
                self._send(200, content, ("Content-Type", kind))

        def _send(self, status: int, content: bytes, *headers: tuple[str, str]) -> None:
            self.send_response(status)
            for name, value in (*headers, ("Content-Length", str(len(content)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            """Nothing."""

    return Handler


@contextmanager
def serving() -> Iterator[Registry]:
    """A registry for the length of a block."""
    registry = Registry(host="")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(registry))
    registry.host = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
