"""Code.Location of GetFunction: a URL under the platform's endpoint that gives the deployment package for ten minutes.

The URL carries its expiry and a signature by a secret of this run. `CodeLocations.serve` answers it.
AWS: Lambda API Reference, "FunctionCodeLocation" (a presigned URL, valid for 10 minutes).
"""

import hashlib
import hmac
from urllib.parse import parse_qs

from undercast.core.clock import Clock
from undercast.core.errors import ServiceError
from undercast.core.http import HttpRequest, HttpResponse
from undercast.store.blobs import BlobStore
from undercast.store.errors import BlobMissing

PREFIX = "/_undercast/code/"
VALID_S = 600


class CodeLocations:
    """Makes and answers the URLs. `clock` is the host clock: expiry of credentials."""

    def __init__(self, blobs: BlobStore, clock: Clock, secret: bytes) -> None:
        self._blobs = blobs
        self._clock = clock
        self._secret = secret

    def url(self, endpoint: str, sha256: str) -> str:
        """Where the package with this digest can be fetched for the next ten minutes."""
        expires = str(int(self._clock.now()) + VALID_S)
        return f"{endpoint}{PREFIX}{sha256}?Expires={expires}&Signature={self._sign(sha256, expires)}"

    async def serve(self, request: HttpRequest) -> HttpResponse:
        """Answer a GET below PREFIX. Raises ServiceError for a URL that we did not make or that has expired."""
        sha256 = request.path.removeprefix(PREFIX)
        query = parse_qs(request.query)
        expires = query.get("Expires", [""])[0]
        signature = query.get("Signature", [""])[0]
        if not hmac.compare_digest(signature.encode(), self._sign(sha256, expires).encode()):
            raise ServiceError("SignatureDoesNotMatch", "This URL was not made by GetFunction.", 403)
        if int(expires) <= self._clock.now():
            raise ServiceError("AccessDenied", "Request has expired", 403)
        try:
            body = self._blobs.read(sha256)
        except BlobMissing as error:
            raise ServiceError("NoSuchKey", "The deployment package does not exist any more.", 404) from error
        return HttpResponse(status=200, headers=(("content-type", "application/zip"),), body=body)

    def _sign(self, sha256: str, expires: str) -> str:
        return hmac.new(self._secret, f"{sha256} {expires}".encode(), hashlib.sha256).hexdigest()
