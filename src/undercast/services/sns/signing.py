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
from undercast.events.delivery import UNFINISHED, Delivery
from undercast.services.sns.envelope import Letter, Seal
from undercast.store.database import Database, Row, Tx

if TYPE_CHECKING:
    from undercast.services.sns.signing_key import SigningKey

PATH_PREFIX = "/SimpleNotificationService-"
_SIGNING_KEY: Late["type[SigningKey]"] = Late("undercast.services.sns.signing_key", "SigningKey")
_KEPT = 128
"""Signatures under way or made last; one that is gone is made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
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
        self._signatures: dict[str, asyncio.Future[str]] = {}

    def forget(self) -> None:
        """The row is gone."""
        self._material = None
        self._signatures.clear()

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
                lambda tx: tx.execute("INSERT OR IGNORE INTO sns_signer VALUES ('', '', ?, ?)", (key, certificate))
            )
        else:
            key, certificate = row["private_key"], row["certificate"]
        return Material(key=signing_key(key), certificate=certificate)

    async def sign(self, letter: Letter, version: str, base_url: str) -> Seal:
        """The seal of one letter. `base_url` is where its receiver finds the certificate."""
        seal = await self.promise(letter, version)
        return replace(
            seal,
            signature=await self.signature(seal.signature),
            certificate_url=base_url + seal.certificate_url,
            is_promised=False,
        )

    async def promise(self, letter: Letter, version: str) -> Seal:
        """A seal whose signature is being made, with a mark in its place and the path alone of the certificate.

        The mark is the digest that is signed: of a text with a random id, so that it is nowhere else in the message.
        """
        material, text = await self.ready(), letter.string_to_sign.encode()
        digest = hashlib.sha256(text) if version == "2" else hashlib.sha1(text, usedforsecurity=False)
        mark = f"{version}:{digest.hexdigest()}"
        self._begin(material, mark)
        return Seal(version=version, signature=mark, certificate_url=material.path, is_promised=True)

    async def signature(self, mark: str) -> str:
        """What belongs in the place of a mark."""
        begun = self._signatures.get(mark) or self._begin(await self.ready(), mark)
        return await asyncio.shield(begun)

    async def finished(self, delivery: Delivery) -> Delivery:
        """A delivery with its signature. See `core.service.Manifest.finishes`."""
        mark = delivery.attributes[UNFINISHED]
        signature = await self.signature(mark)
        return replace(
            delivery,
            payload=delivery.payload.replace(mark.encode(), signature.encode(), 1),
            attributes={name: value for name, value in delivery.attributes.items() if name != UNFINISHED},
        )

    def _begin(self, material: Material, mark: str) -> asyncio.Future[str]:
        if len(self._signatures) >= _KEPT:
            del self._signatures[next(iter(self._signatures))]
        begun = asyncio.get_running_loop().run_in_executor(None, _signature, material.key, mark)
        self._signatures[mark] = begun
        return begun


def _signature(key: "SigningKey", mark: str) -> str:
    version, _, digest = mark.partition(":")
    return base64.b64encode(key.sign(bytes.fromhex(digest), version)).decode()


def _stored(tx: Tx) -> Row | None:
    return tx.one("SELECT private_key, certificate FROM sns_signer")
