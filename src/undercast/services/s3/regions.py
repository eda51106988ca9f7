"""Which texts are AWS regions.

Pure. The form is checked and not a list, so that a region that AWS opens tomorrow works today.
AWS: General Reference, "Amazon S3 endpoints and quotas".
"""

import re

_REGION = re.compile(
    r"(af|ap|ca|cn|eu|il|me|mx|sa|us)(-gov)?-(central|north|south|east|west|(north|south)(east|west))-\d"
)


def is_region(text: str) -> bool:
    """Whether the text has the form of a region's name, e.g. "ap-southeast-2"."""
    return _REGION.fullmatch(text) is not None
