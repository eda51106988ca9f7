"""Host names of function URLs: AWS's own, and those that lead to this machine.

AWS: Lambda Developer Guide, "Creating and managing Lambda function URLs".
"""

import re

from undercast.core.record import record
from undercast.core.service import Addresses

_HOST = r"(?P<id>[a-z0-9]{1,64})\.lambda-url\.(?P<region>[a-z0-9-]+)\.(?:on\.aws|localhost(?:\.localstack\.cloud)?)"
"""Compiled when the first such name is asked for: every start loads this."""


@record
class Place:
    """What a host name says."""

    url_id: str
    region: str


def place_of(name: str) -> Place | None:
    """What a lower-case host name says; None where it is no function URL's."""
    found = re.fullmatch(_HOST, name) if ".lambda-url." in name else None
    return None if found is None else Place(url_id=found["id"], region=found["region"])


def _owns(name: str) -> bool:
    return place_of(name) is not None


ADDRESSES = Addresses(owns=_owns)
