"""From a server's start to its first answers: to whoever asks whether it is there, and to the first call of AWS's API.

Ours is ready before its services are loaded, so that the first alone would not say when one can work. AWS: S3 API
Reference, ListBuckets.
"""

import http.client
import statistics
import time
from typing import Any

from benchmarks.figures import Round

STARTS = 3
_WAIT_S, _BETWEEN_S = 60.0, 0.005
_SCOPE = "test/20261121/us-east-1/s3/aws4_request"
_HEADERS = {
    # A key that no server here issued: a new data folder has none yet, so nobody can check a signature.
    "Authorization": f"AWS4-HMAC-SHA256 Credential={_SCOPE}, SignedHeaders=host, Signature={'0' * 64}",
    "X-Amz-Date": "20261121T000000Z",
    "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD",
}


def measured(subject: Any, health: str) -> Round:
    """Medians and leasts (ms) of `STARTS` starts."""
    subject.args.health = health
    ready, listed = [], []
    for _ in range(STARTS):
        took_s = subject.launch()
        began = time.perf_counter() - took_s
        try:
            _list_buckets(subject)
            listed.append((time.perf_counter() - began) * 1000)
        finally:
            subject.stop()
        ready.append(took_s * 1000)
    found = {}
    for kind, times in (("start", ready), ("first_list", listed)):
        found |= {f"{kind}_{subject.name}": statistics.median(times), f"{kind}_{subject.name}_min": min(times)}
    return found


def _list_buckets(subject: Any) -> None:
    """Asks until it is answered."""
    until, last = time.monotonic() + _WAIT_S, "nothing"
    while time.monotonic() < until:
        connection = http.client.HTTPConnection(subject.host, subject.port, timeout=_WAIT_S)
        try:
            connection.request("GET", "/", headers=_HEADERS)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 200 and b"ListAllMyBucketsResult" in body:
                return
            last = f"{answer.status} {body[:200]!r}"
        except (OSError, http.client.HTTPException) as error:
            last = repr(error)
        finally:
            connection.close()
        time.sleep(_BETWEEN_S)
    raise RuntimeError(f"{subject.name} never answered ListBuckets: {last}")
