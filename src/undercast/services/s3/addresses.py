"""Host names of website endpoints, with a hyphen or a dot before the region, and local ones without a region.

AWS: S3 User Guide, "Website endpoints".
"""

import re

from undercast.core.record import record
from undercast.core.service import Addresses

_HOST = (
    r"(?:(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.)?s3-website(?:[.-](?P<region>[a-z]{2,}(?:-[a-z]+)+-\d+))?"
    r"\.(?:amazonaws\.com(?:\.cn)?|localhost(?:\.localstack\.cloud)?)"
)
"""Compiled when the first such name is asked for: every start loads this."""


@record
class Place:
    """What a host name says. `bucket` is "" for the endpoint itself, `region` for the local names, which say none."""

    bucket: str
    region: str


def place_of(name: str) -> Place | None:
    """What a lower-case host name says; None where it is no website endpoint's."""
    found = re.fullmatch(_HOST, name) if "s3-website" in name else None
    return None if found is None else Place(bucket=found["bucket"] or "", region=found["region"] or "")


def _owns(name: str) -> bool:
    return place_of(name) is not None


ADDRESSES = Addresses(owns=_owns)
