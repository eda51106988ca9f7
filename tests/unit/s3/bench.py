"""Calls S3's operations as dispatch does, without authentication and wire."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tests.fakes import CountingIds, FakeClock
from tests.state import State
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.body import BodyStream
from undercast.core.config import Profile
from undercast.core.context import EXTERNAL, Cause, RequestContext
from undercast.core.identity import Principal, root_principal
from undercast.core.service import Access, Reply
from undercast.services.s3.buckets import Buckets
from undercast.services.s3.instance import S3
from undercast.services.s3.lookups import Lookups
from undercast.services.s3.nightly import Nightly
from undercast.services.s3.sequence import Sequence
from undercast.services.s3.service import MANIFEST
from undercast.store.database import Row

ACCOUNT = AccountId("123456789012")
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"


class Permissions:
    """Answers `ctx.permits` and remembers what was asked."""

    def __init__(self) -> None:
        self.allowed = True
        self.asked: list[tuple[str, str, str, Mapping[str, str]]] = []

    async def __call__(
        self, principal: Principal, action: str, resource_arn: str, conditions: Mapping[str, str]
    ) -> bool:
        self.asked.append((principal.arn, action, resource_arn, conditions))
        return self.allowed


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One S3 and the ways to use it."""

    s3: S3
    state: State
    clock: FakeClock
    ctx: RequestContext
    permissions: Permissions
    last: list[Reply] = field(default_factory=list)

    def as_account(self, account: str, region: str = "us-east-1") -> "Bench":
        """The same S3, called by another account or in another region."""
        scope = Scope(AccountId(account), Region(region))
        return replace(self, ctx=replace(self.ctx, scope=scope, principal=root_principal(scope.account_id)))

    def caused_by(self, cause: Cause) -> "Bench":
        """The same S3, called for another reason."""
        return replace(self, ctx=replace(self.ctx, cause=cause))

    def called_by(self, principal: Principal) -> "Bench":
        """The same S3, called by somebody else."""
        return replace(self, ctx=replace(self.ctx, principal=principal))

    def by_form(self) -> "Bench":
        """The same S3, called by a browser's form."""
        return replace(self, ctx=replace(self.ctx, is_form=True))

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Run an operation; a streamed body comes back as bytes. `last[-1]` has status and headers."""
        result = await MANIFEST.operations[operation](self.s3, self.ctx, params)
        reply = result if isinstance(result, Reply) else Reply(output=result or {})
        self.last.append(reply)
        output = dict(reply.output)
        if isinstance(output.get("Body"), BodyStream):
            output["Body"] = await output["Body"].read()
        return output

    async def put(self, key: str, body: bytes = b"x", bucket: str = "bkt", **params: Any) -> dict[str, Any]:
        """PutObject."""
        return await self.call("PutObject", Bucket=bucket, Key=key, Body=BodyStream.of(body), **params)

    async def get(self, key: str, bucket: str = "bkt", **params: Any) -> dict[str, Any]:
        """GetObject."""
        return await self.call("GetObject", Bucket=bucket, Key=key, **params)

    async def keys(self, **params: Any) -> list[str]:
        """The keys of ListObjectsV2."""
        return [entry["Key"] for entry in (await self.call("ListObjectsV2", Bucket="bkt", **params))["Contents"]]

    async def access(self, operation: str, **params: Any) -> tuple[Access, ...]:
        """What the request needs."""
        assert MANIFEST.access is not None
        return await MANIFEST.access(self.s3, self.ctx, operation, params)

    async def notify(self, *events: str, **filters: str) -> None:
        """Send events of bucket "bkt" to the function; `prefix` and `suffix` filter."""
        rules = [{"Name": name, "Value": value} for name, value in filters.items()]
        entry: dict[str, Any] = {"Id": "rule", "LambdaFunctionArn": FUNCTION, "Events": list(events)}
        if rules:
            entry["Filter"] = {"Key": {"FilterRules": rules}}
        configuration = {"LambdaFunctionConfigurations": [entry]}
        await self.call("PutBucketNotificationConfiguration", Bucket="bkt", NotificationConfiguration=configuration)

    def deliveries(self) -> list[Row]:
        """The rows of the outbox, in order."""
        return self.state.database.read_now(lambda tx: tx.all("SELECT * FROM event_delivery ORDER BY ord"))


async def _no_service(*_: object, **__: object) -> dict[str, Any]:
    raise AssertionError("S3 calls no other service")


def bench_on(state: State, clock: FakeClock, profile: Profile = "current") -> Bench:
    """A bench over a state folder."""
    ids = CountingIds()

    def internal(scope: Scope, principal: Principal, cause: Cause = EXTERNAL) -> RequestContext:
        return replace(ctx, scope=scope, principal=principal, cause=cause)

    s3 = S3(
        database=state.database,
        blobs=state.blobs,
        outbox=state.outbox,
        causality=state.causality,
        buckets=Buckets(state.database),
        lookups=Lookups(state.database),
        sequence=Sequence(clock.host),
        ids=ids,
        internal=internal,
        nightly=Nightly(clock),
        profile=profile,
    )
    permissions = Permissions()
    ctx: RequestContext = RequestContext(
        request_id="11111111-0000-4000-8000-000000000000",
        scope=Scope(ACCOUNT, Region("us-east-1")),
        principal=root_principal(ACCOUNT),
        cause=EXTERNAL,
        clock=clock,
        host_clock=clock.host,
        ids=ids,
        caller=_no_service,
        permits=permissions,
    )
    return Bench(s3=s3, state=state, clock=clock, ctx=ctx, permissions=permissions)
