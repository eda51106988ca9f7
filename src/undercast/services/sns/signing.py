"""The key that signs messages, and its certificate.

One RSA key for a data folder, made when the first message is signed; the certificate is self-signed for SNS's host
names. Making the key takes 60 to 300 ms and happens in a thread; a signature takes 1 ms.
AWS: SNS Developer Guide, "Verifying the signatures of Amazon SNS messages" (SHA1withRSA and SHA256withRSA, Base64).
"""

import asyncio
import base64
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from undercast.core.clock import HostClock
from undercast.services.sns.envelope import Letter, Seal
from undercast.store.database import Database, Row, Tx

PATH_PREFIX = "/SimpleNotificationService-"
_HOST = "sns.amazonaws.com"
_YEARS = 10
_BITS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Key and certificate (PEM)."""

    key: rsa.RSAPrivateKey
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
        row = self._database.read_row(_stored)
        if row is None:
            key, certificate = await asyncio.to_thread(_make, self._clock.now())
            await self._database.write(
                lambda tx: tx.execute("INSERT OR IGNORE INTO sns_signer VALUES ('', '', ?, ?)", (key, certificate))
            )
        else:
            key, certificate = row["private_key"], row["certificate"]
        private = serialization.load_pem_private_key(key, None)
        assert isinstance(private, rsa.RSAPrivateKey)
        return Material(key=private, certificate=certificate)

    def sign(self, material: Material, letter: Letter, version: str, base_url: str) -> Seal:
        """The signature of one letter. `base_url` is where its receiver finds the certificate."""
        algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()
        signature = material.key.sign(letter.string_to_sign.encode(), padding.PKCS1v15(), algorithm)
        return Seal(
            version=version, signature=base64.b64encode(signature).decode(), certificate_url=base_url + material.path
        )


def _stored(tx: Tx) -> Row | None:
    return tx.one("SELECT private_key, certificate FROM sns_signer")


def _make(now: float) -> tuple[bytes, bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _HOST)])
    begin = datetime.fromtimestamp(now, UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_HOST), x509.DNSName("sns.*.amazonaws.com")]), False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, certificate.public_bytes(serialization.Encoding.PEM)
