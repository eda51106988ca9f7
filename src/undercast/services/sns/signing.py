"""Who signs messages: one RSA key for a data folder, made when the first message is signed, and its certificate.

The certificate is self-signed for SNS's host names. Keys and signatures are made in threads, where OpenSSL leaves the
interpreter to others. A message is committed with a mark in the place of its signature, which is made meanwhile; the
same key gives the same signature after a restart (PKCS #1 v1.5; ADR 63).
AWS: SNS Developer Guide, "Verifying the signatures of Amazon SNS messages" (SHA1withRSA and SHA256withRSA, Base64).
"""

import asyncio
import base64
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from undercast.core.clock import HostClock
from undercast.core.late import Late
from undercast.core.record import record
from undercast.events.delivery import UNFINISHED, Delivery
from undercast.services.sns.addresses import PATH_PREFIX
from undercast.services.sns.envelope import Letter, Seal
from undercast.store.database import Database, Row, Tx

if TYPE_CHECKING:
    from undercast.services.sns.signing_key import SigningKey

_SIGNING_KEY: Late["type[SigningKey]"] = Late("undercast.services.sns.signing_key", "SigningKey")
_MOST = 128
"""Signatures that are made ahead, and as many of those made last for who asked later."""
_ABANDONED_S = 60.0
"""Behind this nobody may come for a signature any more: its message was not committed."""


@dataclass(slots=True, kw_only=True)
class _Ahead:
    """A signature that was begun before anybody needs it; it goes with the last of its deliveries."""

    made: asyncio.Future[str]
    deliveries: int
    begun_at: float


@record
class Material:
    """Key and certificate (PEM)."""

    key: "SigningKey"
    certificate: bytes

    @property
    def path(self) -> str:
        """Where the certificate is served: AWS's form, with a digest of the certificate as its name."""
        return f"{PATH_PREFIX}{hashlib.md5(self.certificate, usedforsecurity=False).hexdigest()}.pem"


class Signer:
    """Signs letters, by a topic's SignatureVersion: "1" is SHA-1, "2" is SHA-256."""

    def __init__(self, database: Database, clock: HostClock) -> None:
        self._database = database
        self._clock = clock
        self._making = asyncio.Lock()
        self._material: Material | None = None
        self._ahead: dict[str, _Ahead] = {}
        self._later: dict[str, asyncio.Future[str]] = {}
        """Of marks that found no room ahead, that an earlier run left, or that are tried again."""

    def forget(self) -> None:
        """The row is gone."""
        self._material = None
        self._ahead.clear()
        self._later.clear()

    async def ready(self) -> Material:
        """The key; made and stored the first time."""
        if self._material is None:
            async with self._making:
                if self._material is None:
                    self._material = await self._load()
        return self._material

    async def _load(self) -> Material:
        signing_key = await _SIGNING_KEY.get()
        row = self._database.read_row(_stored)
        if row is None:
            key, certificate = await asyncio.to_thread(signing_key.make, self._clock.now())
            await self._database.write(
                lambda tx: tx.execute(
                    "INSERT INTO sns_signer VALUES ('', '', ?, ?) ON CONFLICT DO NOTHING", (key, certificate)
                )
            )
        else:
            key, certificate = row["private_key"], row["certificate"]
        return Material(key=signing_key(key), certificate=certificate)

    async def sign(self, letter: Letter, version: str, base_url: str) -> Seal:
        """The seal of one letter. `base_url` is where its receiver finds the certificate."""
        material, mark = await self.ready(), _mark(letter, version)
        return Seal(
            version=version,
            signature=await _begun(material, mark),
            certificate_url=base_url + material.path,
        )

    async def promise(self, letter: Letter, version: str, deliveries: int) -> Seal:
        """A seal for so many deliveries whose signature is being made, with a mark in its place.

        The mark is the digest that is signed: of a text with a random id, so that it is nowhere else in the message.
        Of the certificate it has the path alone. Where many messages wait it is begun when it is needed.
        """
        material, mark = await self.ready(), _mark(letter, version)
        if self._has_room():
            begun_at = self._clock.monotonic()
            self._ahead[mark] = _Ahead(made=_begun(material, mark), deliveries=deliveries, begun_at=begun_at)
        return Seal(version=version, signature=mark, certificate_url=material.path, is_promised=True)

    def _has_room(self) -> bool:
        """Whether one more may be made ahead. What was abandoned makes room."""
        if len(self._ahead) < _MOST:
            return True
        oldest = next(iter(self._ahead))
        if self._clock.monotonic() < self._ahead[oldest].begun_at + _ABANDONED_S:
            return False
        del self._ahead[oldest]
        return True

    async def _signature(self, mark: str) -> str:
        """What belongs in the place of a mark."""
        material, ahead = await self.ready(), self._ahead.get(mark)
        if ahead is None:
            return await asyncio.shield(self._later.get(mark) or self._begin_later(material, mark))
        signature = await asyncio.shield(ahead.made)
        ahead.deliveries -= 1
        if ahead.deliveries <= 0:
            self._ahead.pop(mark, None)
        return signature

    async def finished(self, delivery: Delivery) -> Delivery:
        """A delivery with its signature. See `core.service.Manifest.finishes`."""
        mark = delivery.attributes[UNFINISHED]
        signature = await self._signature(mark)
        return replace(
            delivery,
            payload=delivery.payload.replace(mark.encode(), signature.encode(), 1),
            attributes={name: value for name, value in delivery.attributes.items() if name != UNFINISHED},
        )

    def _begin_later(self, material: Material, mark: str) -> asyncio.Future[str]:
        if len(self._later) >= _MOST:
            del self._later[next(iter(self._later))]
        begun = self._later[mark] = _begun(material, mark)
        return begun


def _mark(letter: Letter, version: str) -> str:
    text = letter.string_to_sign.encode()
    digest = hashlib.sha256(text) if version == "2" else hashlib.sha1(text, usedforsecurity=False)
    return f"{version}:{digest.hexdigest()}"


def _begun(material: Material, mark: str) -> asyncio.Future[str]:
    return asyncio.get_running_loop().run_in_executor(None, _signature, material.key, mark)


def _signature(key: "SigningKey", mark: str) -> str:
    version, _, digest = mark.partition(":")
    return base64.b64encode(key.sign(bytes.fromhex(digest), version)).decode()


def _stored(tx: Tx) -> Row | None:
    return tx.one("SELECT private_key, certificate FROM sns_signer")
