"""Taking in the bytes of PutObject and UploadPart: stream to a blob, verify, describe.

Nothing is committed here; a body that does not match what its request says of it leaves nothing behind.
AWS: S3 User Guide, "Checking object integrity in Amazon S3"; S3 API Reference, PutObject.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.body import BodyStream
from undercast.core.context import RequestContext
from undercast.core.record import record
from undercast.services.s3 import checksums
from undercast.services.s3.errors import EntityTooLarge
from undercast.services.s3.instance import S3
from undercast.services.s3.models import Checksum, DataKey
from undercast.store.blobs import BlobDraft

MAX_PUT_BYTES = 5 * 1024**3


@record
class Received:
    """Verified bytes, not yet referred to. `checksum` is in the algorithm that is to be stored."""

    draft: BlobDraft
    checksum: Checksum | None

    def etag(self, ctx: RequestContext, data_key: DataKey | None) -> str:
        """The MD5; under a key of KMS something that tells nothing of the bytes (API Reference, "Object": ETag)."""
        return self.draft.digests["md5"] if data_key is None else ctx.ids.hex(32)


async def receive(
    s3: S3, ctx: RequestContext, operation: str, params: Mapping[str, Any], keep: str | None = None
) -> Received:
    """Store the Body. The checksum kept is that of algorithm `keep`, else the declared one, else S3's default."""
    algorithm, value = checksums.declared(params, ctx.headers)
    default = None if s3.profile == "2019" else checksums.DEFAULT_ALGORITHM
    kept = keep or algorithm or default
    names = {name: checksums.digest_name(name, operation) for name in (algorithm, kept) if name}
    body = params.get("Body", b"")
    _check_length(body.length if isinstance(body, BodyStream) else len(body))
    draft = await s3.blobs.put(body, digests=("md5", *dict.fromkeys(names.values())))
    _check_length(draft.size_bytes)
    checksums.check_md5(params.get("ContentMD5"), draft.digests["md5"])
    computed = {name: checksums.to_base64(draft.digests[digest]) for name, digest in names.items()}
    if algorithm is not None:
        checksums.check_value(algorithm, value, computed[algorithm])
    return Received(draft=draft, checksum=Checksum(algorithm=kept, value=computed[kept]) if kept else None)


def _check_length(size_bytes: int | None) -> None:
    if size_bytes is not None and size_bytes > MAX_PUT_BYTES:
        raise EntityTooLarge(members={"ProposedSize": str(size_bytes), "MaxSizeAllowed": str(MAX_PUT_BYTES)})
