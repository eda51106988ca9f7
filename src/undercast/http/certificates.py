"""Makes X.509 certificates: the authority's own, and one per server name.

Pure: keys and certificates are PEM bytes in and out. ECDSA P-256 throughout: a key takes 0.1 ms.
AWS: none. RFC 5280; browsers and Apple refuse leaves that are valid for more than 398 days.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_AUTHORITY_DAYS = 3650
_LEAF_DAYS = 390
_BACKDATED = timedelta(days=1)


def new_authority(now: float) -> tuple[bytes, bytes]:
    """Key and self-signed certificate of a new authority. `now` in host-clock seconds."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Undercast local CA")
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(name, name, key.public_key(), now, _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _key_pem(key), certificate.public_bytes(serialization.Encoding.PEM)


def new_leaf(name: str, authority_key: bytes, authority: bytes, now: float) -> tuple[bytes, bytes]:
    """Key and certificate chain for a host name, a wildcard or an IP address."""
    signer = serialization.load_pem_private_key(authority_key, None)
    issuer = x509.load_pem_x509_certificate(authority)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is not an elliptic-curve key")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_name(name[:64]), issuer.subject, key.public_key(), now, _LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(_alternatives(name)), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    return _key_pem(key), certificate.public_bytes(serialization.Encoding.PEM) + authority


def _alternatives(name: str) -> list[x509.GeneralName]:
    try:
        return [x509.IPAddress(ip_address(name))]
    except ValueError:
        names: list[x509.GeneralName] = [x509.DNSName(name)]
    if name.startswith("*."):
        names.append(x509.DNSName(name[2:]))
    elif name == "localhost":
        names += [
            x509.DNSName("*.localhost"),
            x509.IPAddress(ip_address("127.0.0.1")),
            x509.IPAddress(ip_address("::1")),
        ]
    return names


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: float, days: int
) -> x509.CertificateBuilder:
    begin = datetime.fromtimestamp(now, UTC) - _BACKDATED
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


if __name__ == "__main__":  # see CertificateAuthority.prepare
    sys.stdout.buffer.write(b"".join(new_authority(time.time())))
