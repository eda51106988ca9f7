"""Something that happened to an object, before anybody is told.

Pure. AWS: S3 User Guide, "Event message structure".
"""

from undercast.core.context import EXTERNAL, Cause
from undercast.core.record import record
from undercast.services.s3.models import Bucket, ObjectVersion


@record
class Change:
    """Something that happened to an object, as an event record tells it."""

    event: str
    """Without "s3:", e.g. "ObjectCreated:Put"."""
    bucket: Bucket
    key: str
    sequence: int
    at: float
    version: ObjectVersion | None = None
    """The version that the event is about; None where no version is left or made."""
    version_id: str | None = None
    """Only where the bucket is versioned."""
    principal_id: str
    requester: str
    """The account of the caller, or the host name of the service that it is."""
    source_ip: str
    request_id: str
    cause: Cause = EXTERNAL
    trace_header: str = ""
    """X-Amzn-Trace-Id of the request. AWS: X-Ray Developer Guide, "Amazon S3 and AWS X-Ray"."""

    @property
    def sequencer(self) -> str:
        """The sequence as events have it: hexadecimal."""
        return f"{self.sequence:018X}"
