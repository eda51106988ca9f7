"""Lambda on a real store, with a sandbox that answers what the test tells it."""

import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import CountingIds, FakeClock
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.body import BodyStream
from undercast.core.context import EXTERNAL, Cause, RequestContext
from undercast.core.errors import ServiceError, not_implemented
from undercast.core.identity import Principal, root_principal
from undercast.core.metrics import Metrics
from undercast.core.service import Reply
from undercast.events import schema as events_schema
from undercast.events.arrivals import Arrivals
from undercast.events.causality import CausalLog
from undercast.events.delivery import Delivery
from undercast.events.outbox import Outbox, delivery_of
from undercast.sandbox.model import FunctionVersion, Invocation, InvocationResult
from undercast.sandbox.provision import Provisioned
from undercast.services.lambda_.catalog import Catalog
from undercast.services.lambda_.code import CodeStore
from undercast.services.lambda_.concurrency import Concurrency
from undercast.services.lambda_.deployments import Code, Deployments
from undercast.services.lambda_.hot_reload import HotReload
from undercast.services.lambda_.images.library import Images, Shelf
from undercast.services.lambda_.instance import Lambda
from undercast.services.lambda_.lineage import Lineages
from undercast.services.lambda_.locations import CodeLocations
from undercast.services.lambda_.mappings import mappings
from undercast.services.lambda_.measures import Measures
from undercast.services.lambda_.provisioning import Provisioning
from undercast.services.lambda_.request_rates import RequestRates
from undercast.services.lambda_.schema import SCHEMA
from undercast.services.lambda_.service import MANIFEST
from undercast.services.lambda_.streams import Streams
from undercast.services.lambda_.unable import Unable
from undercast.store import schema as store_schema
from undercast.store.blobs import BlobStore
from undercast.store.database import Database
from undercast.store.journal import Journal
from undercast.store.migrations import migrate

SCOPE = Scope(AccountId("111122223333"), Region("us-west-2"))
ROLE = "arn:aws:iam::111122223333:role/worker"
Answer = Callable[[Invocation], Awaitable[InvocationResult]]
Service = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def zip_of(files: Mapping[str, str | bytes], mode: int = 0o100644) -> bytes:
    """A deployment package."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return buffer.getvalue()


CODE = zip_of({"app.py": "def handler(event, context):\n    return event\n"})
OTHER_CODE = zip_of({"app.py": "def handler(event, context):\n    return 2\n"})


async def echo(invocation: Invocation) -> InvocationResult:
    """Answers with the event."""
    return InvocationResult(payload=invocation.payload, log_tail=b"START\nEND\n")


async def fail(invocation: Invocation) -> InvocationResult:
    """Answers as a function that raised."""
    return InvocationResult(payload=b'{"errorType":"E"}', function_error="Unhandled")


@dataclass
class FakeEnvironments:
    """A sandbox without processes: notes what it was asked and lets the test answer."""

    answer: Answer = echo
    invocations: list[Invocation] = field(default_factory=list)
    retired: list[tuple[str, str | None]] = field(default_factory=list)
    provisions: list[tuple[str, int]] = field(default_factory=list)
    there: Provisioned = field(default_factory=Provisioned)
    no_images: str = ""
    missing: dict[str, str] = field(default_factory=dict)
    """Runtime -> what it lacks."""
    looks: list[str] = field(default_factory=list)
    """The runtimes that were looked for."""

    async def invoke(self, invocation: Invocation) -> InvocationResult:
        """See `deployments.Environments`."""
        self.invocations.append(invocation)
        return await self.answer(invocation)

    def takes_images(self) -> str:
        """See `deployments.Environments`."""
        return self.no_images

    def waiting(self, function: FunctionVersion) -> bool:
        """See `deployments.Environments`."""
        return False

    def room_for(self, function: FunctionVersion) -> int:
        """See `deployments.Environments`."""
        return 500

    def provision(self, function: FunctionVersion, wanted: int) -> None:
        """See `deployments.Environments`."""
        self.provisions.append((function.version, wanted))

    def provisioned(self, function: FunctionVersion) -> Provisioned:
        """See `deployments.Environments`."""
        return self.there

    async def snapshot(self, function: FunctionVersion) -> str:
        """See `deployments.Environments`."""
        return ""

    async def prepare(self, function: FunctionVersion) -> None:
        """See `deployments.Environments`."""

    async def lacks(self, function: FunctionVersion) -> str:
        """See `deployments.Environments`."""
        self.looks.append(function.runtime)
        return self.missing.get(function.runtime, "")

    def retire(self, function_arn: str, version: str | None = None) -> None:
        """See `deployments.Environments`."""
        self.retired.append((function_arn, version))


@dataclass
class World:
    """Lambda and everything around it that a test looks at."""

    functions: Lambda
    environments: FakeEnvironments
    clock: FakeClock
    ids: CountingIds
    database: Database
    folder: Path
    cause: Cause = EXTERNAL
    services: dict[str, Service] = field(default_factory=dict)
    permitted: bool = True
    asked: list[tuple[str, str, str, Mapping[str, str]]] = field(default_factory=list)
    request_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def context(self) -> RequestContext:
        """A request by the account's root."""
        return RequestContext(
            request_id=self.request_id or self.ids.uuid(),
            scope=SCOPE,
            principal=root_principal(SCOPE.account_id),
            cause=self.cause,
            clock=self.clock,
            host_clock=self.clock.host,
            ids=self.ids,
            caller=self._call,
            permits=self._permits,
            headers=self.headers,
        )

    async def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """Run an operation as dispatch does; its output."""
        reply = await self.reply(operation, **params)
        return dict(reply.output)

    async def reply(self, operation: str, **params: Any) -> Reply:
        """Run an operation; the whole reply."""
        result = await MANIFEST.operations[operation](self.functions, self.context(), params)
        return result if isinstance(result, Reply) else Reply(output=result or {})

    async def create(self, name: str = "f", code: bytes = CODE, **members: Any) -> dict[str, Any]:
        """Create a Python function and wait until it is Active."""
        params = {"Runtime": "python3.12", "Role": ROLE, "Handler": "app.handler", "Code": {"ZipFile": code}}
        made = await self.call("CreateFunction", FunctionName=name, **{**params, **members})
        await self.functions.deployments.idle()
        return made

    def deliveries(self) -> list[Delivery]:
        """What is in the outbox."""
        rows = self.database.read_now(lambda tx: tx.all("SELECT * FROM event_delivery ORDER BY ord"))
        return [delivery_of(row) for row in rows]

    async def _call(
        self,
        ctx: RequestContext,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        checked: bool = False,
    ) -> dict[str, Any]:
        if service == "lambda":
            if not self.permitted:
                raise ServiceError("AccessDeniedException", "not authorized", 403)
            return await self.call(operation, **params)
        answer = self.services.get(f"{service}:{operation}")
        if answer is None:
            raise not_implemented(service, operation)
        return dict(answer(params))

    async def _permits(
        self, principal: Principal, action: str, resource_arn: str, conditions: Mapping[str, str]
    ) -> bool:
        if action == "sts:AssumeRole":
            return not resource_arn.endswith("/closed")
        self.asked.append((principal.arn, action, resource_arn, conditions))
        return self.permitted


def get_object(params: Mapping[str, Any]) -> Mapping[str, Any]:
    """S3 with one bucket that holds one package."""
    if params["Bucket"] == "locked":
        raise ServiceError("AccessDenied", "Access Denied", 403)
    if params["Key"] != "code.zip":
        raise ServiceError("NoSuchKey", "The specified key does not exist.", 404)
    return {"Body": BodyStream.of(CODE)}


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A Lambda service with its own data folder."""
    database = Database.open(tmp_path / "state.db")
    journal = Journal.open(tmp_path / "journal.db")
    clock, ids, environments = FakeClock(), CountingIds(), FakeEnvironments()
    shared = (("blob", store_schema.BLOB), ("causal", events_schema.EDGE), ("event", events_schema.DELIVERY))
    for name, schema in shared:
        migrate(database, name, schema)
    migrate(database, "lambda", SCHEMA)
    migrate(journal.database, "causal", events_schema.EDGE)
    blobs = BlobStore(tmp_path / "blobs", database)
    code = CodeStore(tmp_path / "code", blobs, ids)
    concurrency = Concurrency(clock.host)
    shelf: dict[str, Any] = {"code": code, "blobs": blobs, "database": database, "clock": clock, "ids": ids}
    images = Images(Shelf(folder=tmp_path / "images", root=tmp_path / "opened", loopback=True, **shelf))
    catalog = Catalog(database, code, images, concurrency)
    made: World
    causality = CausalLog(database, journal, clock)
    unable = Unable()
    functions = Lambda(
        database=database,
        blobs=blobs,
        outbox=Outbox(database, clock, causality),
        causality=causality,
        arrivals=Arrivals(),
        environments=environments,
        code=code,
        images=images,
        catalog=catalog,
        deployments=Deployments(database, Code(code, images), catalog, environments, unable),
        unable=unable,
        mappings=mappings(database, clock),
        provisioning=Provisioning(database, catalog, environments),
        concurrency=concurrency,
        rates=RequestRates(clock, enabled=False),
        lineages=Lineages(),
        measures=Measures(Metrics(), clock),
        locations=CodeLocations(blobs, clock.host, b"secret"),
        streams=Streams(paced=False),
        hot_reload=HotReload(None, blobs, environments),
        internal=lambda scope, principal, cause=EXTERNAL: made.context(),
        clock=clock,
        ids=ids,
    )
    made = World(
        functions=functions,
        environments=environments,
        clock=clock,
        ids=ids,
        database=database,
        folder=tmp_path,
        services={"s3:GetObject": get_object},
    )
    yield made
    for part in (functions.mappings, functions.provisioning, functions.deployments):
        await part.stop()
    images.close()
    await blobs.close()
    await journal.close()
    await database.close()
