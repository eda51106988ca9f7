"""SSE-KMS while something else happens: which version is read when the key has answered."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.s3.bench import Bench
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError

UNDER = {"ServerSideEncryption": "aws:kms"}


class Kms:
    """Seals with the key's id; while it opens, the object can be replaced."""

    def __init__(self) -> None:
        self.opened: list[bytes] = []
        self.refused = b""
        self.meanwhile: list[tuple[bytes, dict[str, Any]]] = []
        """What is put, each during one Decrypt."""
        self.bench: Bench | None = None

    async def __call__(
        self, ctx: RequestContext, service: str, operation: str, params: Mapping[str, Any], checked: bool = False
    ) -> dict[str, Any]:
        if operation == "GenerateDataKey":
            return {"KeyId": params["KeyId"], "CiphertextBlob": params["KeyId"].encode()}
        self.opened.append(params["CiphertextBlob"])
        if params["CiphertextBlob"] == self.refused:
            raise ServiceError("AccessDeniedException", "no")
        if self.meanwhile:
            assert self.bench is not None
            body, more = self.meanwhile.pop(0)
            await self.bench.put("a", body, **more)
        return {"Plaintext": b"k"}


@pytest.fixture
def kms() -> Kms:
    return Kms()


@pytest.fixture
def sealed(s3: Bench, kms: Kms) -> Bench:
    """The bench with a KMS."""
    kms.bench = replace(s3, ctx=replace(s3.ctx, caller=kms))
    return kms.bench


async def test_what_replaces_an_object_while_its_key_is_asked_is_read(sealed: Bench, kms: Kms) -> None:
    """The bytes of the first version may be gone; the second lies under no key."""
    await sealed.put("a", b"first", **UNDER, SSEKMSKeyId="one")
    kms.meanwhile = [(b"second", {})]
    got = await sealed.get("a")
    assert (got["Body"], got["ContentLength"], "SSEKMSKeyId" in got) == (b"second", 6, False)
    assert kms.opened == [b"one"]


async def test_the_key_of_what_replaces_it_is_asked_too(sealed: Bench, kms: Kms) -> None:
    """However often it is replaced: each version is read behind its own key."""
    await sealed.put("a", b"first", **UNDER, SSEKMSKeyId="one")
    kms.meanwhile = [(b"second", {**UNDER, "SSEKMSKeyId": "two"}), (b"third", {**UNDER, "SSEKMSKeyId": "three"})]
    got = await sealed.get("a")
    assert (got["Body"], got["SSEKMSKeyId"], kms.opened) == (b"third", "three", [b"one", b"two", b"three"])


async def test_who_may_not_use_the_key_of_what_replaces_it_reads_nothing(sealed: Bench, kms: Kms) -> None:
    """Leave for the first key is none for the second."""
    await sealed.put("a", b"first", **UNDER, SSEKMSKeyId="one")
    kms.meanwhile, kms.refused = [(b"second", {**UNDER, "SSEKMSKeyId": "two"})], b"two"
    with pytest.raises(ServiceError) as caught:
        await sealed.get("a")
    assert (caught.value.code, kms.opened) == ("AccessDenied", [b"one", b"two"])
