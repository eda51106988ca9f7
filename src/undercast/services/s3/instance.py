"""What every S3 operation gets first: the parts of the platform that S3 uses.

Frozen; one per platform.
"""

from undercast.core.config import Profile
from undercast.core.ids import Ids
from undercast.core.record import record
from undercast.events.causality import CausalLog
from undercast.events.outbox import Outbox
from undercast.services.parts import Internal
from undercast.services.s3.buckets import Buckets
from undercast.services.s3.lookups import Lookups
from undercast.services.s3.nightly import Nightly
from undercast.services.s3.sequence import Sequence
from undercast.store.blobs import BlobStore
from undercast.store.database import Database


@record
class S3:
    """The S3 service."""

    database: Database
    blobs: BlobStore
    outbox: Outbox
    causality: CausalLog
    buckets: Buckets
    lookups: Lookups
    sequence: Sequence
    ids: Ids
    internal: Internal
    nightly: Nightly
    """Applies lifecycle rules."""
    profile: Profile
    """"2019" brings back the defaults of buckets and objects of that year."""
