"""The manifest of S3.

What the platform knows of the service: operations, schema, access rules, and how each parameter is treated (I9).
AWS: S3 API Reference.
"""

from collections.abc import Mapping

from undercast.core.service import CrossOrigin, Manifest, operations_of
from undercast.services.parts import Parts
from undercast.services.s3 import cors, members, requester_pays, website_site
from undercast.services.s3.access import access, policy_of
from undercast.services.s3.buckets import Buckets
from undercast.services.s3.housekeeping import expire_due
from undercast.services.s3.instance import S3
from undercast.services.s3.lookups import Lookups
from undercast.services.s3.nightly import Nightly
from undercast.services.s3.operations import (
    buckets,
    configurations,
    copies,
    deletes,
    listings,
    multipart,
    notifications,
    objects,
    permissions,
    tagging,
)
from undercast.services.s3.sequence import Sequence

OPERATIONS = operations_of(
    buckets,
    configurations,
    copies,
    deletes,
    listings,
    multipart,
    notifications,
    objects,
    permissions,
    tagging,
)


def build(parts: Parts) -> S3:
    """The service over the platform's parts."""
    return S3(
        database=parts.database,
        blobs=parts.blobs,
        outbox=parts.outbox,
        causality=parts.causality,
        buckets=Buckets(parts.database),
        lookups=Lookups(parts.database),
        sequence=Sequence(parts.host_clock),
        ids=parts.ids,
        internal=parts.internal,
        nightly=Nightly(parts.platform_clock),
        profile=parts.config.profile,
    )


async def start(s3: S3) -> None:
    """Begin to apply lifecycle rules."""
    s3.nightly.start(lambda: expire_due(s3))


async def stop(s3: S3) -> None:
    """Cease."""
    await s3.nightly.stop()


def reset(s3: S3) -> None:
    """Forget what was read from rows that are gone."""
    s3.buckets.forget()
    s3.sequence.forget()


def cross_origin(s3: S3, request: CrossOrigin) -> Mapping[str, str]:
    """What pages of other origins may do, by the bucket's rules."""
    return cors.answer(s3.buckets.find(request.resource.get("Bucket", "")), request)


MANIFEST = Manifest(
    name="s3",
    build=build,
    operations=requester_pays.charging(OPERATIONS, members.effective()),
    access=access,
    policy_of=policy_of,
    cors=cross_origin,
    site=website_site.serve,
    effective=members.effective(),
    stored=members.stored(),
    refused=members.refused(),
    start=start,
    stop=stop,
    reset=reset,
    differences=(
        "Of two transitions of a lifecycle rule the colder has to come later; how long an object has to stay in a "
        "class before it is not checked, nor do rules of the older form with overlapping prefixes refuse each other.",
        "Of an object with more than 64 parts, a reader can lose later parts when the object is deleted meanwhile.",
        "GetBucketLifecycle, PutBucketLifecycle, GetBucketNotification and PutBucketNotification have the requests of "
        "the operations that took their places (...Configuration), and are answered as these.",
        "Answers have no x-amz-expiration, x-amz-abort-date and x-amz-abort-rule-id: which lifecycle rule will end an "
        "object or an upload is not told ahead.",
        "Signature Version 2 is taken for every bucket; AWS refuses it in newer regions and for newer buckets.",
        "A form's policy is checked before its signature; of two faults AWS may name the other one.",
        "A version id that nobody gave out is NoSuchVersion where it has the form of one; S3 knows its own, and says "
        '"Invalid version id specified".',
        "DeleteObjects with an ETag of an object asks for s3:DeleteObject alone, DeleteObject with If-Match for "
        "s3:GetObject, too.",
        "Events that have no cause here (Replication, ObjectRestore, IntelligentTiering, ReducedRedundancyLostObject) "
        "may be configured, as on AWS, and never come.",
        "A website (BUCKET.s3-website-REGION.amazonaws.com, BUCKET.s3-website.REGION.amazonaws.com, "
        "BUCKET.s3-website.localhost) answers over HTTPS as well, and under no domain of one's own.",
        "Objects under SSE-KMS lie unencrypted in the data folder; KMS is asked at each write and read in the caller's "
        "name, also with a bucket key.",
        "Nobody is billed: x-amz-request-charged says what AWS would say.",
    ),
)
