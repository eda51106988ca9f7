"""Lambda's manifest: what the service offers to the platform.

AWS: Lambda API Reference.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from undercast.core.service import Manifest, operations_of
from undercast.events.poller import Source
from undercast.sandbox.pool import Pool
from undercast.services.event_sources.queue_source import QueueSource
from undercast.services.event_sources.reading import Reading
from undercast.services.event_sources.stream_source import StreamSource
from undercast.services.lambda_ import destinations
from undercast.services.lambda_.access import access, policy_of, tags_of
from undercast.services.lambda_.catalog import Catalog
from undercast.services.lambda_.code import CodeStore
from undercast.services.lambda_.concurrency import Concurrency
from undercast.services.lambda_.consumer import Consumer
from undercast.services.lambda_.deployments import Code, Deployments
from undercast.services.lambda_.destinations import DestinationTarget
from undercast.services.lambda_.hot_reload import HotReload
from undercast.services.lambda_.images.connection import is_loopback
from undercast.services.lambda_.images.library import Images, Shelf
from undercast.services.lambda_.instance import Lambda
from undercast.services.lambda_.lineage import Lineages
from undercast.services.lambda_.locations import CodeLocations
from undercast.services.lambda_.mapping_measures import MappingMeasures
from undercast.services.lambda_.mapping_store import EventSourceMapping, progress_of
from undercast.services.lambda_.mappings import mappings
from undercast.services.lambda_.measures import Measures
from undercast.services.lambda_.members import EFFECTIVE, REFUSED, STORED
from undercast.services.lambda_.operations import (
    aliases,
    code_signing,
    event_invoke_configs,
    event_source_mappings,
    functions,
    invoke,
    layers,
    policies,
    provisioned_concurrency,
    resource_policies,
    runtime_management,
    settings,
    stream,
    tags,
    updates,
    urls,
    versions,
)
from undercast.services.lambda_.provisioning import Provisioning
from undercast.services.lambda_.queue_work import QueueWork
from undercast.services.lambda_.request_rates import RequestRates, held_to_rates
from undercast.services.lambda_.source_checks import is_queue
from undercast.services.lambda_.stream_attempts import StreamAttempts
from undercast.services.lambda_.streams import Streams
from undercast.services.lambda_.target import FunctionTarget
from undercast.services.lambda_.unable import Unable
from undercast.services.lambda_.url_site import serve
from undercast.services.parts import Parts


def build(parts: Parts, pool: Pool) -> Lambda:
    """The instance that every operation gets."""
    code = CodeStore(parts.config.data_dir / "code", parts.blobs, parts.ids)
    concurrency = Concurrency(parts.host_clock)
    images = Images(
        Shelf(
            folder=parts.config.data_dir / "images",
            root=parts.config.image_root,
            loopback=is_loopback(parts.config.host),
            code=code,
            blobs=parts.blobs,
            database=parts.database,
            clock=parts.platform_clock,
            ids=parts.ids,
        )
    )
    catalog = Catalog(parts.database, code, images, concurrency)
    unable = Unable()
    return Lambda(
        database=parts.database,
        blobs=parts.blobs,
        outbox=parts.outbox,
        causality=parts.causality,
        arrivals=parts.arrivals,
        environments=pool,
        code=code,
        images=images,
        catalog=catalog,
        deployments=Deployments(parts.database, Code(code, images), catalog, pool, unable),
        unable=unable,
        mappings=mappings(parts.database, parts.platform_clock),
        provisioning=Provisioning(parts.database, catalog, pool),
        concurrency=concurrency,
        rates=RequestRates(parts.platform_clock, enabled=parts.config.throttle_requests),
        lineages=Lineages(),
        measures=Measures(parts.metrics, parts.platform_clock),
        locations=CodeLocations(parts.blobs, parts.host_clock, secrets.token_bytes(32)),
        streams=Streams(paced=parts.config.stream_pace),
        hot_reload=HotReload(parts.config.hot_reload_root, parts.blobs, pool),
        internal=parts.internal,
        clock=parts.platform_clock,
        ids=parts.ids,
        profile=parts.config.profile,
    )


def _targets(instance: Lambda) -> Mapping[str, Any]:
    return {invoke.KIND: FunctionTarget(instance), destinations.KIND: DestinationTarget(instance)}


async def _start(instance: Lambda) -> None:
    await instance.deployments.resume()
    await instance.provisioning.start()

    def source(mapping: EventSourceMapping) -> Source:
        consumer = Consumer(instance, mapping)
        reading = Reading(
            source_arn=mapping.source_arn,
            settings=mapping.configuration,
            consumer=consumer,
            progress=progress_of(mapping),
        )
        measures = MappingMeasures(instance.measures, mapping)
        if is_queue(mapping.source_arn):
            return QueueSource(instance.clock, reading, QueueWork(instance, mapping, consumer, measures), measures)
        return StreamSource(instance, reading, StreamAttempts(instance, mapping, consumer, measures), measures)

    instance.mappings.start(source)


async def _quiesce(instance: Lambda) -> None:
    await instance.mappings.stop()


async def _stop(instance: Lambda) -> None:
    await instance.streams.stop()
    await instance.provisioning.stop()
    await instance.deployments.stop()
    instance.images.close()


def _reset(instance: Lambda) -> None:
    instance.catalog.clear()
    instance.deployments.clear()
    instance.hot_reload.clear()
    instance.provisioning.clear()
    instance.mappings.clear()
    instance.measures.clear()
    instance.unable.clear()


_PACKAGE_REQUEST_BYTES = 96 * 1024 * 1024
"""More than AWS's 70,167,211, so that a package that is too large is told by the operation, in its own words."""
_EVENT_REQUEST_BYTES = 32 * 1024 * 1024
"""So, too, an event above 6 MiB."""
_LARGEST = {
    **dict.fromkeys(("CreateFunction", "UpdateFunctionCode", "PublishLayerVersion"), _PACKAGE_REQUEST_BYTES),
    **dict.fromkeys(("Invoke", "InvokeAsync", "InvokeWithResponseStream"), _EVENT_REQUEST_BYTES),
}

MANIFEST = Manifest(
    name="lambda",
    build=build,
    largest=_LARGEST,
    operations=held_to_rates(
        operations_of(
            aliases,
            code_signing,
            event_invoke_configs,
            event_source_mappings,
            functions,
            invoke,
            layers,
            policies,
            provisioned_concurrency,
            resource_policies,
            runtime_management,
            settings,
            stream,
            tags,
            updates,
            urls,
            versions,
        )
    ),
    needs_pool=True,
    access=access,
    policy_of=policy_of,
    tags_of=tags_of,
    effective=EFFECTIVE,
    stored=STORED,
    refused=REFUSED,
    site=serve,
    targets=_targets,
    start=_start,
    quiesce=_quiesce,
    stop=_stop,
    reset=_reset,
    differences=(
        "Requests of the control plane are held to AWS's rates (GetFunction 100 a second, GetPolicy 15, all others "
        "together 15, for each account and region) only with --throttle-requests: deployments are quick without it.",
        "AWS lets a function scale by 1,000 execution environments every 10 s. Nothing here holds it to this rate, for "
        "an account has 1,000 concurrent executions and never more.",
        "Every runtime identifier that Lambda ever had can be created; AWS refuses the ones past their block date.",
        "ErrorCode of a dead letter is 200 for a function's error and 429 where the last attempt was throttled, as on "
        "AWS; of what was not run for another reason it is what Invoke answers then. AWS documents it as a 3-digit "
        "HTTP error code only.",
        "No account here belongs to an organization: what AddPermission grants with PrincipalOrgID, and "
        "AddLayerVersionPermission with OrganizationId, is kept and shown, and nobody meets its condition.",
        "A program or script in a package runs even when the zip has no run bit for it.",
        "A layer version of another account that is not on this platform is InvalidParameterValueException, on AWS "
        "AccessDeniedException.",
        "Functions have AWS_ENDPOINT_URL, which names a host without a dot. Code that takes a region out of the host "
        "(the X-Ray SDK's patch of pynamodb: IndexError) needs the variable empty in the function's environment: "
        "under the namespace driver AWS's own names lead here without it.",
        "Files of a package are readable by the function whatever mode the zip gives them.",
        "Functions have a /dev/shm, which AWS does not mount: Python's multiprocessing.Pool, Queue and Lock work here, "
        "and are OSError 38 there.",
        "A function's /usr, /bin and /lib are this machine's, whatever Amazon Linux /etc/os-release names: the C "
        "library and the system's programs have this machine's versions. Under the process driver /etc/os-release and "
        "the paths of interpreters are this machine's, too.",
        "A link that points out of the package is refused; AWS unpacks it.",
        "FunctionUrl is http://<id>.lambda-url.<region>.localhost:<port>/, which leads to this machine (curl "
        "and browsers resolve *.localhost; whatever does not asks localhost with this name as Host); the same is "
        "served under AWS's name, <id>.lambda-url.<region>.on.aws, which functions here can use.",
        "LogType Tail waits for the REPORT line, and so for the function's extensions; AWS does not say.",
        "An extension whose event/next broke may ask again; AWS refuses it until the environment ends.",
        "Telemetry goes to sandbox.localdomain, which has no address under the process driver: listen on 127.0.0.1.",
        "With `start --hot-reload-root DIR` the bucket name hot-reload takes a folder below DIR as code, by its "
        "absolute path in S3Key: it is mounted as it is, CodeSha256 is its path's, and no version of it can be "
        "published.",
        "An ImageUri names an image that `undercast images load` has brought, with `start --image-root DIR` an OCI"
        " layout or archive below DIR (oci:PATH, oci-archive:PATH, docker-archive:PATH), or one of any registry "
        "but ECR, which is pulled without credentials. Images run under the namespace driver only; an index with "
        "several architectures is taken; an image for another architecture than the "
        "function's is refused when it is named, where AWS fails at the first INIT.",
        "Under `start --profile 2019` a function has up to 3,008 MB by 64 MB and 512 MB of /tmp, an asynchronous event "
        "256 KB, Billed Duration steps of 100 ms; timeouts, and exits of runtimes from before the Runtime API, have "
        "that year's words. Timeout, environment variables, package and concurrency were as today; bursts of 3,000 "
        "are more than an account's 1,000.",
        "PutResourcePolicy refuses statements about anything but the resource itself, with texts of ours.",
        "A destination that fails with a fault of its own is tried for six hours.",
        "With TracingConfig Active every trace that the caller has not decided is sampled, not one a second and 5 %; "
        "what is sampled is sent to X-Ray whatever the function's role allows.",
        "SnapStart restores Python functions; Java, .NET and what has threads, open files or processes behind its "
        "INIT are initialised ahead. A version whose snapshot is gone (a restart) is not Inactive: its next invocation "
        "waits for a new one.",
        "The prelude of a streamed answer of a function URL has at most 64 KiB: a longer one is malformed, 502. AWS "
        "names no limit.",
        "A function URL, also one with AuthType NONE, needs both permissions, lambda:InvokeFunctionUrl and "
        "lambda:InvokeFunction, as on AWS since October 2025; with one of them it answers 403.",
        "Event sources are SQS queues, DynamoDB streams, Kinesis streams and their consumers; Kafka, MQ and DocumentDB "
        "are refused by name.",
        "AWS filters SQS messages by `body` only, and does not say what another key in FilterCriteria does. Here a "
        "pattern is compared with the whole record: a key that no record has matches none, and the messages are "
        "deleted unseen.",
        "A mapping of a consumer (enhanced fan-out) reads the stream itself, after its role was asked whether it may "
        "subscribe; another subscription of the same consumer is not cut.",
        "Aggregated records of the Kinesis Producer Library are not taken apart for a consumer.",
        "LastProcessingResult is told of queues, too, and since the platform's start; AWS tells it of streams.",
        "A throttled batch is tried again only as long as the function could end before its messages are visible "
        "again; then they come back by the queue's timeout.",
        "A provisioned poller is room for ten batches at once; its throughput is no limit.",
        "Max Memory Used is, where there is a memory cgroup, the anonymous and shared memory of the sandbox. Pages "
        "that a Python function still shares with the zygote it was forked from are charged to it, and pages of "
        "files are not counted: the figure is below what the whole process takes.",
        "used_memory_max, total_memory and memory_utilization of LambdaInsights are told of every function, without "
        "that extension; its other metrics are not.",
        "Under `start --log-payloads` the event and the answer of each invocation are in its function's log: lines "
        "`undercast: EVENT RequestId: ...` behind START and `undercast: ANSWER RequestId: ...` before END; in the JSON "
        "format objects with the same text. A streamed answer is only named.",
        "LastUpdateStatus is InProgress as long as code is unpacked and made ready, some milliseconds for a small "
        "package: an update right behind another one often succeeds, where AWS, which takes seconds, answers "
        "ResourceConflictException. Wait for function_updated_v2 between the two.",
        "Recursion is stopped at the 17th run of a function in a chain, also through event buses; a batch counts what "
        "all its messages share.",
        "No request has the condition keys lambda:VpcIds (there is no EC2 that knows a subnet's VPC) and "
        "lambda:EventSourceToken.",
    ),
)
