"""The RSA key that signs messages: made, read, used. Loaded late (`core/late.py`).

AWS: SNS Developer Guide, "Verifying the signatures of Amazon SNS messages" (SHA1withRSA and SHA256withRSA).
"""

from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.x509.oid import NameOID

_HOST = "sns.amazonaws.com"
_YEARS = 10
_BITS = 2048


class SigningKey:
    """Read from PKCS 8 (PEM), in which it is kept; quick enough for the event loop."""

    def __init__(self, private_key: bytes) -> None:
        # It is what `make` made. To prove that takes 60 times as long as to sign with it.
        private = serialization.load_pem_private_key(private_key, None, unsafe_skip_rsa_key_validation=True)
        assert isinstance(private, rsa.RSAPrivateKey)
        self._private = private

    def sign(self, digest: bytes, version: str) -> bytes:
        """Of a text's digest, by a topic's SignatureVersion: "1" is SHA-1, "2" is SHA-256. Takes 0.7 to 1 ms."""
        algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()
        return self._private.sign(digest, padding.PKCS1v15(), utils.Prehashed(algorithm))

    @staticmethod
    def make(now: float) -> tuple[bytes, bytes]:
        """A new one in PKCS 8, and its certificate (both PEM). Takes 60 to 300 ms."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _HOST)])
        names = x509.SubjectAlternativeName([x509.DNSName(_HOST), x509.DNSName("sns.*.amazonaws.com")])
        begin = datetime.fromtimestamp(now, UTC) - timedelta(days=1)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=365 * _YEARS))
            .add_extension(names, False)
            .sign(key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return private, certificate.public_bytes(serialization.Encoding.PEM)
