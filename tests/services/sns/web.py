"""An HTTP endpoint of a subscriber, in the test's own process."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any


@dataclass(frozen=True)
class Post:
    """What came. Header names are lower case."""

    path: str
    headers: Mapping[str, str]
    body: str
    method: str = "POST"

    @property
    def letter(self) -> Any:
        """The envelope."""
        return json.loads(self.body)


@dataclass
class Endpoint:
    """Answers with the next of `statuses`, then with 200."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    """Path -> the body of its answers."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of every answer."""
    asks_for_login: bool = False
    came: "Queue[Post]" = field(default_factory=Queue)

    def next(self, timeout_s: float = 20) -> Post:
        """The next request, in order."""
        return self.came.get(timeout=timeout_s)

    def is_quiet(self) -> bool:
        """Whether nothing more has come: behind `RunningPlatform.drain`, for what was due has its answer then."""
        return self.came.empty()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """One request."""
        body = handler.rfile.read(int(handler.headers.get("content-length", 0))).decode()
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.came.put(Post(handler.path, headers, body, handler.command))  # who has the answer finds it here
        login = self.asks_for_login and "authorization" not in headers
        status = 401 if login else self.statuses.pop(0) if self.statuses else 200
        handler.send_response(status)
        if login:
            handler.send_header("WWW-Authenticate", 'Basic realm="sns"')
        if status in (301, 302):
            handler.send_header("Location", self.url + "/elsewhere")
        for name, value in self.headers.items():
            handler.send_header(name, value)
        text = self.texts.get(handler.path, "").encode()
        handler.send_header("Content-Length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)


@contextmanager
def listening() -> Iterator[Endpoint]:
    """An endpoint on a free port of loopback."""
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            endpoint.answer(self)

        do_GET = do_PUT = do_POST

        def log_message(self, format: str, *args: object) -> None:
            """Tests have their own output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
