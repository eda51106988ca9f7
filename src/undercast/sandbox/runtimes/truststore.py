"""Certificates in the file format that Java reads (JKS), made from a PEM bundle.

Java looks at none of the variables that name a PEM file. Pure; certificates only, so that the digest's well-known
password guards nothing. OpenJDK: sun.security.provider.JavaKeyStore.
"""

import base64
import hashlib
import re

PASSWORD = "changeit"  # the one that every JDK ships with
_MAGIC, _VERSION, _TRUSTED = 0xFEEDFEED, 2, 2
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)


def truststore(pem: str) -> bytes:
    """A JKS file with every certificate of the bundle, once."""
    certificates = list(dict.fromkeys(base64.b64decode(text) for text in _PEM.findall(pem)))
    store = bytearray(_number(_MAGIC, 4) + _number(_VERSION, 4) + _number(len(certificates), 4))
    for index, certificate in enumerate(certificates):
        store += _number(_TRUSTED, 4) + _text(f"undercast-{index}") + _number(0, 8)
        store += _text("X.509") + _number(len(certificate), 4) + certificate
    # The keyed digest of the format; "Mighty Aphrodite" is Sun's.
    digest = hashlib.sha1(PASSWORD.encode("utf-16-be") + b"Mighty Aphrodite" + store, usedforsecurity=False)
    return bytes(store) + digest.digest()


def _number(number: int, size: int) -> bytes:
    return number.to_bytes(size, "big")


def _text(text: str) -> bytes:
    return _number(len(text), 2) + text.encode("ascii")
