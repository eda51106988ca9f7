"""Access key ids: a prefix for the kind, then the account and randomness in base32, as AWS forms them.

Pure. The account can be read back from any key id, which is what sts:GetAccessKeyInfo does.
AWS: IAM User Guide, "Unique identifiers"; STS API Reference, "GetAccessKeyInfo".
"""

import base64
import binascii

from undercast.core.arn import AccountId
from undercast.core.ids import Ids

PERMANENT = "AKIA"
TEMPORARY = "ASIA"
_FIRST_BIT = 1 << 79
_ACCOUNT_SHIFT = 39
_ACCOUNT_MASK = (1 << 40) - 1


def new_access_key_id(prefix: str, account_id: AccountId, ids: Ids) -> str:
    """20 characters: the prefix, then 1 bit, 40 bits of account, 39 random bits."""
    random = int.from_bytes(base64.b32decode(ids.base32(8)), "big") & ((1 << _ACCOUNT_SHIFT) - 1)
    number = _FIRST_BIT | int(account_id) << _ACCOUNT_SHIFT | random
    return prefix + base64.b32encode(number.to_bytes(10, "big")).decode()


def account_of_key(access_key_id: str) -> AccountId | None:
    """The account in a key id, None when the text is no key id."""
    try:
        number = int.from_bytes(base64.b32decode(access_key_id[4:20]), "big")
    except (binascii.Error, ValueError):
        return None
    account = number >> _ACCOUNT_SHIFT & _ACCOUNT_MASK
    return AccountId(f"{account:012d}") if account < 10**12 and len(access_key_id) >= 20 else None
