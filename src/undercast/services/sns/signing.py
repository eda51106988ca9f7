"""Who signs messages: one RSA key for a data folder, made when the first message is signed, and its certificate.

The certificate is self-signed for SNS's host names. Making the key happens in a thread; a signature takes 1 ms.
AWS: SNS Developer Guide, "Verifying the signatures of Amazon SNS messages" (SHA1withRSA and SHA256withRSA, Base64).
"""

import asyncio
import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from undercast.core.clock import HostClock
from undercast.core.late import Late
from undercast.services.sns.envelope import Letter, Seal
from undercast.store.database import Database, Row, Tx

if TYPE_CHECKING:
    from undercast.services.sns.signing_key import SigningKey

PATH_PREFIX = "/SimpleNotificationService-"
_SIGNING_KEY: Late["type[SigningKey]"] = Late("undercast.services.sns.signing_key", "SigningKey")


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
    """Signs letters. `ready` comes before `sign`."""

    def __init__(self, database: Database, clock: HostClock) -> None:
        self._database = database
        self._clock = clock
        self._making = asyncio.Lock()
        self._material: Material | None = None

    def forget(self) -> None:
        """The row is gone."""
        self._material = None

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

    def sign(self, material: Material, letter: Letter, version: str, base_url: str) -> Seal:
        """The signature of one letter. `base_url` is where its receiver finds the certificate."""
        signature = material.key.sign(letter.string_to_sign, version)
        return Seal(
            version=version, signature=base64.b64encode(signature).decode(), certificate_url=base_url + material.path
        )


def _stored(tx: Tx) -> Row | None:
    return tx.one("SELECT private_key, certificate FROM sns_signer")
