"""A browser: forms with a file, and requests with an Origin."""

import http.client
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: str


def multipart(fields: Mapping[str, str], file: bytes, filename: str = "f.txt") -> tuple[bytes, str]:
    """A form and its content type, the file last."""
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{filename}"\r\n'
    body = "".join(parts).encode() + head.encode() + b"Content-Type: text/plain\r\n\r\n" + file
    return body + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def send(url: str, method: str, path: str, headers: Mapping[str, str] | None = None, body: Any = None) -> Answer:
    """One request to the platform at `url`; the Host header may say something else."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=60)
    try:
        connection.request(method, path, body=body, headers=dict(headers or {}))
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(status=answer.status, headers=found, body=answer.read().decode())
    finally:
        connection.close()


def submit(post: Mapping[str, Any], file: bytes, filename: str = "f.txt", **changes: str) -> Answer:
    """Send the form that generate_presigned_post made, with changes to its fields."""
    body, content_type = multipart({**post["fields"], **changes}, file, filename)
    path = urlsplit(post["url"]).path or "/"
    return send(post["url"], "POST", path, {"Content-Type": content_type}, body)
