"""A date of HTTP or of a mail, read. One without a zone, or of the zone -0000, is of UTC, wherever this machine stands.

Pure. AWS: RFC 9110, section 5.6.7; RFC 5322, section 3.3.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def read_http_date(text: str) -> datetime:
    """Raises ValueError where it is none, or beyond the years 1 to 9999."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (TypeError, IndexError, OverflowError):
        raise ValueError(f"no date: {text[:64]}") from None
