"""Requester Pays: who is not the bucket's owner must say that he pays, and is told that he did.

Wraps each operation that names a bucket; nobody is billed here. The owner's own requests are left alone.
AWS: S3 User Guide, "Using Requester Pays general purpose buckets", "Downloading objects from Requester Pays buckets".
"""

import contextlib
import dataclasses
from collections.abc import Mapping
from functools import wraps
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.service import OperationFunction, Reply
from undercast.services.s3.errors import AccessDenied, S3Error
from undercast.services.s3.instance import S3
from undercast.services.s3.operations.copies import CopySource

_HEADER = "x-amz-request-payer"
_NEVER = ("CreateBucket", "ListBuckets")
_UNTOLD = frozenset({"GetObjectTagging", "PutObjectTagging"})
"""Take the header; their answers have no member to say that it was charged (botocore's model of s3)."""


def charging(
    operations: Mapping[str, OperationFunction], payers: Mapping[str, frozenset[str]]
) -> dict[str, OperationFunction]:
    """The operations, each of which first asks who pays. `payers`: operation -> its input members."""
    telling = {name for name, members in payers.items() if "RequestPayer" in members} - _UNTOLD
    return {
        name: function if name in _NEVER else _asking(function, tells=name in telling)
        for name, function in operations.items()
    }


def _asking(function: OperationFunction, *, tells: bool) -> OperationFunction:
    @wraps(function)
    async def ask(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> Mapping[str, Any] | Reply | None:
        charged = _charged(s3, ctx, params)
        result = await function(s3, ctx, params)
        if not charged or not tells:
            return result
        if isinstance(result, Reply):
            return dataclasses.replace(result, output={**result.output, "RequestCharged": "requester"})
        return {**(result or {}), "RequestCharged": "requester"}

    return ask


def _charged(s3: S3, ctx: RequestContext, params: Mapping[str, Any]) -> bool:
    """Whether the caller pays. Raises AccessDenied when he would have to and does not say that he will."""
    names = [params["Bucket"]]
    if "CopySource" in params:
        with contextlib.suppress(S3Error):  # the operation answers with what is wrong
            names.append(CopySource.parse(params["CopySource"]).bucket)
    if not any(_pays(s3, ctx, name) for name in names):
        return False
    if ctx.principal.kind == "anonymous" or (params.get("RequestPayer") or ctx.headers.get(_HEADER)) != "requester":
        raise AccessDenied()
    return True


def _pays(s3: S3, ctx: RequestContext, name: str) -> bool:
    bucket = s3.buckets.find(name)
    if bucket is None or ctx.principal.kind == "service":
        return False
    owner = ctx.principal.kind != "anonymous" and ctx.principal.account_id == bucket.account_id
    return not owner and bucket.configurations.get("request_payment", {}).get("Payer") == "Requester"
