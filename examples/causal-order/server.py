"""The same as a server of this machine: functions reach it as host.undercast.internal, on a port of --forward-ports."""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Difference(BaseHTTPRequestHandler):
    """Answers a POST of {"sent_ns": ...} with a number."""

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
        body = str(time.time_ns() - sent["sent_ns"]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """One line for each of ten thousand requests says nothing."""


def make(port: int = 8080) -> ThreadingHTTPServer:
    """A server that `serve_forever` runs; port 0 takes a free one."""
    return ThreadingHTTPServer(("127.0.0.1", port), Difference)


if __name__ == "__main__":
    make(int(sys.argv[1]) if len(sys.argv) > 1 else 8080).serve_forever()
