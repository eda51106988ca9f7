"""An image in a registry, pulled over HTTPS without credentials: manifests, configs and layers by the OCI's API.

As container engines do, a registry on 127.0.0.0/8 or localhost is spoken to in plain HTTP. Nothing else is: neither
where tokens are issued nor where a layer's download leads. Blocking; every wait has a limit, see `pulling`.
Sources: OCI distribution-spec 1.1 ("Pull"); Docker Registry "Token Authentication".
"""

import http.client
import re
from collections.abc import Mapping
from typing import IO, cast
from urllib.parse import urlencode, urljoin, urlsplit

from undercast.services.lambda_.images import manifest
from undercast.services.lambda_.images.connection import connected, is_loopback, not_here
from undercast.services.lambda_.images.download import Download, Part
from undercast.services.lambda_.images.faults import ImageDenied, ImageMissing, InvalidImage
from undercast.services.lambda_.images.manifest import Layer
from undercast.services.lambda_.images.pulling import Pull, Steady
from undercast.services.lambda_.images.reference import NamedImage

_REDIRECTS = 5
_MAX_TOKEN_BYTES = 64 * 1024
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_ELSEWHERE: Mapping[str, str] = {"docker.io": "registry-1.docker.io", "index.docker.io": "registry-1.docker.io"}


class RegistrySource:
    """See `sources.Source`."""

    def __init__(self, reference: NamedImage, pull: Pull, *, loopback: bool) -> None:
        """`loopback`: whether registries of this machine may be asked."""
        host = _ELSEWHERE.get(reference.host, reference.host)
        self._is_local, self._loopback = is_loopback(host), loopback
        if self._is_local and not loopback:
            raise not_here()
        name = reference.repository
        if host == "registry-1.docker.io" and "/" not in name:
            name = f"library/{name}"
        self._base = f"{'http' if self._is_local else 'https'}://{host}/v2/{name}/"
        self._reference = reference
        self._pull = pull
        self._token = ""

    def manifest(self, architecture: str) -> bytes:
        """See `Source`."""
        digest: str | None = self._reference.digest or None
        for _ in range(4):
            asked = f"sha256:{digest}" if digest else self._reference.tag
            document = self._document(f"manifests/{asked}", ", ".join(manifest.MANIFEST_TYPES))
            if digest is not None and manifest.digest_of(document) != digest:
                raise InvalidImage("the registry gives a manifest that does not have its digest")
            digest = manifest.chosen(manifest.parse(document), architecture)
            if digest is None:
                return document
        raise InvalidImage("its indexes lead on and on")

    def document(self, digest: str) -> bytes:
        """See `Source`."""
        return self._document(f"blobs/sha256:{digest}", "*/*")

    def layer(self, layer: Layer) -> IO[bytes]:
        """See `Source`."""
        return cast(IO[bytes], Download(lambda first: self._part(layer, first)))

    def _part(self, layer: Layer, first: int) -> Part:
        """A layer from a byte on."""
        answer = self._get(f"blobs/sha256:{layer.digest}", "*/*", first)
        told = answer.headers.get("Content-Range", "")
        if first and (answer.status != 206 or not told.startswith(f"bytes {first}-")):
            answer.close()
            raise ImageMissing(f"the registry has broken off at byte {first}, and does not go on from there")
        end = None if answer.length is None else first + answer.length
        return Part(body=self._steady(answer), end=end)

    def _document(self, path: str, accept: str) -> bytes:
        with self._steady(self._get(path, accept)) as answer:
            return _limited(answer, manifest.MAX_DOCUMENT_BYTES)

    def _steady(self, answer: http.client.HTTPResponse) -> Steady:
        return Steady(answer, self._pull)

    def _get(self, path: str, accept: str, first: int = 0) -> http.client.HTTPResponse:
        """What is there, from a byte on: 200, or 206 where it is not the first. Raises ImageError."""
        url = self._base + path
        headers = {"Accept": accept, **({"Range": f"bytes={first}-"} if first else {})}
        answer = self._asked(url, headers)
        if answer.status == 401:  # at first, and when a token has grown old: they live for minutes
            challenge = answer.headers.get("WWW-Authenticate", "")
            answer.close()
            self._token = self._issued(challenge)
            answer = self._asked(url, headers)
        for _ in range(_REDIRECTS):
            if answer.status not in (301, 302, 303, 307, 308):
                break
            url = urljoin(url, answer.headers.get("Location", ""))
            answer.close()
            answer = self._asked(url, headers)
        if answer.status == 200 or (first and answer.status == 206):
            return answer
        answer.close()
        host = urlsplit(url).netloc
        if answer.status in (401, 403):
            raise ImageDenied(f"{host} answers {answer.status}; images are pulled without credentials: load it instead")
        raise ImageMissing(f"{host} answers {answer.status} for {path}")

    def _asked(self, url: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        """The token is for the registry alone, not for where it sends us."""
        headers = dict(headers)
        if self._token and urlsplit(url).netloc == urlsplit(self._base).netloc:
            headers["Authorization"] = f"Bearer {self._token}"
        return self._request(url, headers)

    def _issued(self, challenge: str) -> str:
        """An anonymous token, as the registry says where."""
        kind, _, rest = challenge.partition(" ")
        asked = dict(_CHALLENGE.findall(rest))
        if kind.lower() != "bearer" or "realm" not in asked:
            raise ImageDenied("the registry asks for credentials, and images are pulled without: load it instead")
        query = urlencode({name: asked[name] for name in ("service", "scope") if name in asked})
        joint = "&" if "?" in asked["realm"] else "?"
        with self._request(f"{asked['realm']}{joint}{query}", {}) as answer:
            if answer.status != 200:
                raise ImageDenied("the registry gives no token to anybody: load the image instead")
            found = manifest.parse(_limited(self._steady(answer), _MAX_TOKEN_BYTES))
        token = found.get("token") or found.get("access_token")
        if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
            raise ImageDenied("the registry gives no token to anybody: load the image instead")
        return token

    def _request(self, url: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        connection = None
        try:
            parts = urlsplit(url)
            host, is_plain = parts.hostname or "", parts.scheme == "http"
            if parts.scheme != "https" and not (is_plain and self._is_local and is_loopback(host)):
                raise ImageDenied("the registry leads to where nothing is encrypted")
            connection = connected(host, parts.port, self._pull, tls=not is_plain, loopback=self._loopback)
            target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
            connection.request("GET", target, headers={**headers, "User-Agent": "undercast", "Connection": "close"})
            return connection.getresponse()
        except (OSError, http.client.HTTPException, ValueError, ImageMissing) as error:
            if connection is not None:
                connection.close()
            raise ImageMissing(f"{urlsplit(self._base).netloc} cannot be asked: {str(error)[:200]}") from error


def _limited(answer: Steady, limit_bytes: int) -> bytes:
    document = bytearray()
    while piece := answer.read(limit_bytes + 1 - len(document)):
        document += piece
        if len(document) > limit_bytes:
            raise InvalidImage(f"a document of the registry is larger than {limit_bytes} bytes")
    return bytes(document)
