"""One round of measurements. Every function starts what it measures, and ends it; results are name -> value.

Our server is asked with a key that it issued, so that each signature is verified, IAM enforcing and everything else at
its defaults; peers check nothing.
"""

import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.credentials import Credentials

from benchmarks import (
    bench_lambda,
    burst,
    density,
    edit,
    events,
    extension,
    freezing,
    lag,
    neighbour,
    pages,
    peers,
    s3,
    sources,
    starting,
    streaming,
)
from benchmarks.figures import Round
from benchmarks.ready import invoke_ms

FUNCTION = "peer-dev-echo"
RUNTIME = f"python3.{sys.version_info.minor}"
MEMORY_MB = 512
"""0.29 vCPU: one runtime of the floor takes half of that, so that AWS's CPU share is not what is measured."""
WARM_CALLS = 1000
LOAD_S = 4
ADMIN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
EVENT_CODE = """
import time
def handler(event, context):
    now = time.time_ns()
    for record in event["Records"]:
        print("BENCH", record["s3"]["object"]["key"], now)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured."""

    idle_s: float = 60.0
    events: int = 100
    objects: int = 300
    cold_runs: int = 10
    pause_s: float = 0.6
    environments: int = 300


def target(port: int, name: str, key: tuple[str, str] = ("test", "test"), pid: int = 0, start: str = "") -> Any:
    """A bench_lambda target."""
    arguments = Namespace(
        region="us-east-1", access_key=key[0], secret_key=key[1], function=FUNCTION, runtimes=[RUNTIME],
        py_runtime=RUNTIME, warm=WARM_CALLS, conc=[1, 8, 32], secs=LOAD_S, wrk=False, ops=300, events=100,
        health="/_undercast/health" if name == "ours" else "/", start_timeout=60, cold=5,
    )  # fmt: skip
    return bench_lambda.Target(f"http://127.0.0.1:{port}", name, start or None, pid or None, arguments)


@contextmanager
def ours(*options: str) -> Iterator[Any]:
    """A running Undercast as a target with an issued administrator key."""
    port = peers.free_port()
    with peers.serving([*peers.PLATFORM, "--port", str(port), *options], port) as pid:
        yield target(port, "ours", issued_key(port), pid)


@contextmanager
def together(floor: Sequence[str]) -> Iterator[list[Any]]:
    """Ours, boto3 alone (the floor's server) and ministack, where it can be had, so that their calls take turns."""
    with ExitStack() as stack:
        subjects = [stack.enter_context(ours())]
        port = peers.free_port()
        stack.enter_context(peers.serving([*floor, "--port", str(port)], port))
        subjects.append(target(port, "boto3"))
        if command := peers.ministack():
            port = peers.free_port()
            pid = stack.enter_context(peers.serving([str(command)], port, GATEWAY_PORT=str(port)))
            subjects.append(target(port, "ministack", pid=pid))
        yield subjects


def issued_key(port: int) -> tuple[str, str]:
    """An access key of a new administrator."""
    iam = target(port, "ours").client("iam")
    iam.create_user(UserName="bench")
    iam.put_user_policy(UserName="bench", PolicyName="admin", PolicyDocument=json.dumps(ADMIN))
    key = iam.create_access_key(UserName="bench")["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def warm_and_throughput() -> Round:
    """Warm invokes over one raw keep-alive connection (p50, ms) and requests per second at 8 and 32."""
    found: dict[str, float] = {}
    floor_port, sls_port = peers.free_port(), peers.free_port()
    with peers.serving([*peers.FLOOR, "serve", "--port", str(floor_port)], floor_port):
        time.sleep(2)
        found |= _invokes(target(floor_port, "floor"), "floor", (8, 32))
    with ours() as mine:
        mine.create(FUNCTION, RUNTIME, *bench_lambda.code_for(RUNTIME), MemorySize=MEMORY_MB)
        found |= _invokes(mine, "ours", (8, 32))
    if folder := peers.serverless_offline():
        command = ["node_modules/.bin/serverless", "offline", "start", "--httpPort", str(peers.free_port())]
        command += ["--lambdaPort", str(sls_port)]
        with peers.serving(command, sls_port, folder, SLS_TELEMETRY_DISABLED="1"):
            found |= _invokes(target(sls_port, "sls"), "sls", ())
    return found


def _invokes(subject: Any, name: str, levels: Sequence[int]) -> Round:
    _, _, raw = subject.raw_request(FUNCTION, bench_lambda.BODY)
    connection, times = bench_lambda.RawConn(subject.host, subject.port, raw), []
    for number in range(WARM_CALLS + 50):
        began = time.perf_counter()
        status, body = connection.call()
        if number >= 50:
            times.append((time.perf_counter() - began) * 1000)
        if status != 200 or json.loads(body) != bench_lambda.EVENT:
            raise RuntimeError(f"{name} answered {status} {body[:200]!r}")
    found = {f"warm_{name}": statistics.median(times), f"warm_{name}_min": min(times)}
    for level in levels:
        bench_lambda.load_python(subject.host, subject.port, raw, level, 1)
        load = bench_lambda.load_python(subject.host, subject.port, raw, level, LOAD_S)
        if load["errors"]:
            raise RuntimeError(f"{name}: {load['errors']} errors at {level} at once")
        found[f"rps{level}_{name}"] = load["rps"]
    return found


def neighbour_of_a_loop() -> Round:
    """Warm invokes of a function while another one's bucket triggers itself, and alone (p50, ms)."""
    with ours() as mine:
        mine.create(FUNCTION, RUNTIME, *bench_lambda.code_for(RUNTIME), MemorySize=MEMORY_MB)
        return neighbour.measured(mine, FUNCTION, RUNTIME, MEMORY_MB)


def beside_an_extension() -> Round:
    """Warm invokes with and without an extension that registers for INVOKE (p50, ms)."""
    with ours() as mine:
        mine.create(FUNCTION, RUNTIME, *bench_lambda.code_for(RUNTIME), MemorySize=MEMORY_MB)
        return extension.measured(mine, FUNCTION, RUNTIME, MEMORY_MB)


def frozen() -> Round:
    """What freeze and thaw add to an invoke, above what the same pause adds to the floor's (ms)."""
    found: dict[str, float] = {}
    port = peers.free_port()
    with peers.serving([*peers.FLOOR, "serve", "--port", str(port)], port):
        time.sleep(2)
        found["pause_floor_min"], found["pause_floor"] = freezing.pause_adds(target(port, "floor"), FUNCTION)
    with ours() as mine:
        mine.create(FUNCTION, RUNTIME, *bench_lambda.code_for(RUNTIME), MemorySize=MEMORY_MB)
        found["thaw_min"], found["thaw"] = freezing.pause_adds(mine, FUNCTION)
    return found | {"thaw_above_floor": found["thaw"] - found["pause_floor"]}


def streamed() -> Round:
    """From a streaming handler's write to the client's first byte (ms)."""
    with ours() as mine:
        return streaming.measured(mine, RUNTIME, MEMORY_MB)


def edited(plan: Plan) -> Round:
    """A fresh interpreter as floor, and from a save in a mounted folder to the next answer (p50, ms)."""
    floor = subprocess.run([*peers.FLOOR, "cold", "--runs", str(plan.cold_runs)], capture_output=True, check=True)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve()
        root.chmod(0o755)  # another user runs what is in it
        with ours("--hot-reload-root", str(root)) as mine:
            mine.create(FUNCTION, RUNTIME, *bench_lambda.code_for(RUNTIME)[:1], "app.handler", MemorySize=MEMORY_MB)
            return {"edit_floor": json.loads(floor.stdout)["cold_ms"]["p50"]} | edit.measured(mine, root, FUNCTION)


def cold(plan: Plan) -> Round:
    """Cold floor, and the first invoke of a new function after idling (ms); then idle sandboxes' memory (MiB)."""
    floor = subprocess.run([*peers.FLOOR, "cold", "--runs", str(plan.cold_runs)], capture_output=True, check=True)
    found: dict[str, float] = {"cold_floor": json.loads(floor.stdout)["cold_ms"]["p50"]}
    with ours() as mine:
        time.sleep(10)
        found["idle_ours"] = bench_lambda.memory_mib(bench_lambda.children_of(mine.pid))["pss_mib"]
        code, handler = bench_lambda.code_for(RUNTIME)
        names = [mine.fresh("cold") for _ in range(plan.cold_runs)]
        for name in names:
            mine.create(name, RUNTIME, code, handler)
        time.sleep(plan.idle_s)
        before = bench_lambda.memory_mib(bench_lambda.children_of(mine.pid))["pss_mib"]
        times = [_after_a_pause(mine, name, plan) for name in names]
        found |= {"cold_ours": times[0], "cold_ours_p50": statistics.median(times[1:])}
        time.sleep(1)
        after = bench_lambda.memory_mib(bench_lambda.children_of(mine.pid))["pss_mib"]
        found["sandbox_ours"] = (after - before) / len(names)
        found["sandbox_runtime"] = _runtime_pss()
        found["sandbox_extra"] = found["sandbox_ours"] - found["sandbox_runtime"]
    return found


def cold_go(plan: Plan) -> Round:
    """First invokes of new provided.al2023 functions, beside the bare binary's start (ms)."""
    program = peers.go_echo()
    if program is None:
        return {}
    command = [*peers.FLOOR, "cold", "--runs", str(plan.cold_runs), "--program", str(program)]
    floor = subprocess.run(command, capture_output=True, check=True)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o100755 << 16
        archive.writestr(entry, program.read_bytes())
    with ours() as mine:
        names = [mine.fresh("coldgo") for _ in range(plan.cold_runs)]
        for name in names:
            mine.create(name, "provided.al2023", buffer.getvalue(), "bootstrap")
        time.sleep(plan.pause_s)
        times = [_after_a_pause(mine, name, plan) for name in names]
    return {"cold_go_floor": json.loads(floor.stdout)["cold_ms"]["p50"], "cold_go_ours": statistics.median(times)}


def cold_node(plan: Plan) -> Round:
    """First invokes of new Node.js functions, from the pre-started pool, beside a fresh node with AWS's client (ms)."""
    program = peers.node_ric()
    if program is None:
        return {}
    command = [*peers.FLOOR, "cold", "--runs", str(plan.cold_runs), "--program", str(program)]
    floor = subprocess.run(command, capture_output=True, check=True)
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    runtime = f"nodejs{version.removeprefix('v').partition('.')[0]}.x"  # the same node as the floor's
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.js", (program.parent / "app.js").read_bytes())
    with ours() as mine:
        names = [mine.fresh("coldnode") for _ in range(plan.cold_runs)]
        for name in names:
            mine.create(name, runtime, buffer.getvalue(), "app.handler")
        times = [_after_a_pause(mine, name, plan) for name in names]
    return {"cold_node_floor": json.loads(floor.stdout)["cold_ms"]["p50"], "cold_node_ours": statistics.median(times)}


def many(plan: Plan) -> Round:
    """What hundreds of frozen environments cost (MiB, counts)."""
    with ours("--max-environments", str(plan.environments + 1)) as mine:
        return density.density(mine, RUNTIME, plan.environments)


def _after_a_pause(subject: Any, name: str, plan: Plan) -> float:
    """One cold start at a time: behind the last one a spare is made again."""
    time.sleep(plan.pause_s)
    return _first_invoke(subject, name)


def _first_invoke(subject: Any, name: str) -> float:
    _, _, raw = subject.raw_request(name, bench_lambda.BODY)
    return invoke_ms(name, bench_lambda.RawConn(subject.host, subject.port, raw))


def _runtime_pss() -> float:
    """PSS of one of ten idle `python -m awslambdaric`, as the floor starts them."""
    port = peers.free_port()
    with peers.serving([*peers.FLOOR, "serve", "--port", str(port), "--runtimes", "10"], port) as pid:
        time.sleep(4)
        runtimes = bench_lambda.children_of(pid) - {pid}
        return float(bench_lambda.memory_mib(runtimes)["pss_mib"]) / len(runtimes)


def services(plan: Plan) -> Round:
    """Start to ready and to the first ListBuckets, S3 through boto3, put to handler's first line: ours and ministack;
    boto3 alone (ms)."""
    found: dict[str, float] = {}
    port = peers.free_port()
    started = target(port, "ours", start=" ".join([*peers.PLATFORM, "--port", str(port)]))
    found |= starting.measured(started, "/_undercast/health")
    with together(s3.FLOOR) as subjects:
        found |= s3.measured(subjects, plan.objects)
    with ours() as mine:
        found |= _events(mine, plan)
        found |= lag.loop_lag(
            mine.host,
            mine.port,
            mine.client("s3"),
            mine.client("lambda"),
            Credentials(mine.args.access_key, mine.args.secret_key),
        )
    if command := peers.ministack():
        port = peers.free_port()
        with peers.serving([str(command)], port, GATEWAY_PORT=str(port)) as pid:
            found |= _events(target(port, "ministack", pid=pid), plan)
        started = target(port, "ministack", start=f"env GATEWAY_PORT={port} {command}")
        found |= starting.measured(started, "/")
    return found


def _events(subject: Any, plan: Plan) -> Round:
    """Put to handler's first line, warm."""
    return events.measured(subject, "event", RUNTIME, EVENT_CODE, _bucket, plan.events)


def _bucket(subject: Any, function: str) -> Mapping[str, events.Send]:
    bucket, client = subject.fresh("bench-ev"), subject.client("s3")
    client.create_bucket(Bucket=bucket)
    subject.client("lambda").add_permission(
        FunctionName=function, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com",
        SourceArn=f"arn:aws:s3:::{bucket}",
    )  # fmt: skip
    configuration = {"LambdaFunctionArn": function, "Events": ["s3:ObjectCreated:*"]}
    client.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [configuration]}
    )
    return {"": events.through_boto3(lambda name: client.put_object(Bucket=bucket, Key=name, Body=b"x" * 1024))}


def event_sources(plan: Plan) -> Round:
    """DynamoDB, SQS, SNS and Kinesis: ours and ministack; their calls alone of moto and DynamoDB Local."""
    with together(sources.FLOOR) as subjects:
        found = dict(sources.calls_of(subjects, plan.objects))
    with ours() as mine:
        found |= sources.measured(mine, "ours", RUNTIME, plan.events)
    if command := peers.ministack():
        port = peers.free_port()
        with peers.serving([str(command)], port, GATEWAY_PORT=str(port)) as pid:
            found |= sources.measured(target(port, "ministack", pid=pid), "ministack", RUNTIME, plan.events)
    if command := peers.moto():
        port = peers.free_port()
        with peers.serving([str(command), "-H", "127.0.0.1", "-p", str(port)], port):
            found |= sources.calls_of([target(port, "moto")], plan.objects)
    if java := peers.dynamodb_local():
        port = peers.free_port()
        with (
            tempfile.TemporaryDirectory() as folder,
            peers.serving([*java, "-port", str(port), "-dbPath", folder], port, Path(folder)),
        ):
            found |= sources.calls_of([target(port, "ddblocal")], plan.objects, (sources.dynamodb,))
    return found


def a_burst() -> Round:
    """10,000 messages through SQS and a function into a table (1/s): ours and ministack."""
    with ours() as mine:
        found = dict(burst.measured(mine, "ours", RUNTIME))
    if command := peers.ministack():
        port = peers.free_port()
        with peers.serving([str(command)], port, GATEWAY_PORT=str(port)) as pid:
            found |= burst.measured(target(port, "ministack", pid=pid), "ministack", RUNTIME)
    return found


def pages_of_a_query() -> Round:
    """A page of a query in a table of 10,000 and one of 1,000,000 items (p50, ms)."""
    with ours() as mine:
        return pages.measured(mine, "ours")


def busy_cores() -> float:
    """Cores that others keep busy just now: what is measured beside them is worth less."""
    return float(bench_lambda.busy_cores(2.0))
