"""Verifies messages as AWS describes it, with the certificate that they name.

AWS: SNS Developer Guide, "Verifying the signature of an Amazon SNS message when using HTTP query-based requests".
"""

import base64
import urllib.request
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


def fetched(url: str) -> bytes:
    """What is at a URL."""
    with urllib.request.urlopen(url, timeout=30) as answer:
        body: bytes = answer.read()
        return body


def verify(letter: Mapping[str, Any]) -> None:
    """Raises InvalidSignature."""
    names = NOTIFICATION if letter["Type"] == "Notification" else CONFIRMATION
    signed = "".join(f"{name}\n{letter[name]}\n" for name in names if name in letter)
    certificate = x509.load_pem_x509_certificate(fetched(letter["SigningCertURL"]))
    key = certificate.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    algorithm = hashes.SHA256() if letter["SignatureVersion"] == "2" else hashes.SHA1()
    key.verify(base64.b64decode(letter["Signature"]), signed.encode(), padding.PKCS1v15(), algorithm)
