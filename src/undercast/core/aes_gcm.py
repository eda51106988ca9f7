"""AES-GCM for values that are kept encrypted. Loaded late (`core/late.py`).

NIST: SP 800-38D.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class AesGcm:
    """One key, of 16 or 32 bytes. `bound` is authenticated and not kept."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, nonce: bytes, plaintext: bytes, bound: bytes) -> bytes:
        """Encrypt. A nonce (12 bytes) must never come twice under one key."""
        return self._cipher.encrypt(nonce, plaintext, bound)

    def unseal(self, nonce: bytes, sealed: bytes, bound: bytes) -> bytes:
        """Decrypt. Raises ValueError for what was not sealed so."""
        try:
            return self._cipher.decrypt(nonce, sealed, bound)
        except InvalidTag:
            raise ValueError("not sealed with this key, nonce and bound data") from None
