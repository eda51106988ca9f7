"""ClientToken: what must be the same where a request is made again with the same token.

Pure. AWS: EC2 API Reference, "Ensuring idempotency in Amazon EC2 API requests": other parameters are another request.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def digest(params: Mapping[str, Any]) -> str:
    """Of a request but for its token."""
    asked = {member: value for member, value in params.items() if member != "ClientToken"}
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()
