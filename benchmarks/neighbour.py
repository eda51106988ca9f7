"""What a bucket that triggers itself costs another function: its warm invokes beside the loop, and alone.

The loop is let run (AWS: PutFunctionRecursionConfig, RecursiveLoop=Allow) in several chains; else it would be stopped
at its 17th run, long before anything is measured. Both functions have the same memory, so the same share of the CPU.
"""

import io
import json
import statistics
import time
import urllib.request
import zipfile
from typing import Any

from benchmarks import bench_lambda

CHAINS = 4
CALLS = 500
LEAST_RUNS = 50
LOOP = """
import boto3
s3 = boto3.client("s3")
def handler(event, context):
    bucket, key = event["Records"][0]["s3"]["bucket"]["name"], event["Records"][0]["s3"]["object"]["key"]
    s3.put_object(Bucket=bucket, Key=key, Body=b"x")
"""


def measured(subject: Any, neighbour: str, runtime: str, memory_mb: int) -> dict[str, float]:
    """p50 and minimum (ms) of warm invokes of `neighbour`, alone and while the bucket triggers itself."""
    found = _invokes(subject, neighbour, "alone")
    bucket, function = subject.fresh("bench-loop"), subject.fresh("loop")
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("app.py", LOOP)
    arn = subject.create(function, runtime, package.getvalue(), "app.handler", MemorySize=memory_mb, Timeout=30)
    functions, s3 = subject.client("lambda"), subject.client("s3")
    functions.put_function_recursion_config(FunctionName=function, RecursiveLoop="Allow")
    functions.add_permission(
        FunctionName=function, StatementId="s3", Action="lambda:InvokeFunction", Principal="s3.amazonaws.com"
    )
    s3.create_bucket(Bucket=bucket)
    configuration = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [configuration]}
    )
    for chain in range(CHAINS):
        s3.put_object(Bucket=bucket, Key=f"chain{chain}", Body=b"x")
    _await_runs(subject, LEAST_RUNS)
    began, before = time.monotonic(), _runs(subject)
    found |= _invokes(subject, neighbour, "beside")
    found["neighbour_loop_runs_per_s"] = (_runs(subject) - before) / (time.monotonic() - began)
    if not found["neighbour_loop_runs_per_s"]:
        raise RuntimeError("the bucket did not trigger itself meanwhile: nothing was measured")
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    functions.delete_function(FunctionName=function)
    return found


def _invokes(subject: Any, function: str, name: str) -> dict[str, float]:
    _, _, raw = subject.raw_request(function, bench_lambda.BODY)
    connection, times = bench_lambda.RawConn(subject.host, subject.port, raw), []
    for number in range(CALLS + 20):
        began = time.perf_counter()
        status, body = connection.call()
        if number >= 20:
            times.append((time.perf_counter() - began) * 1000)
        if status != 200 or json.loads(body) != bench_lambda.EVENT:
            raise RuntimeError(f"the neighbour answered {status} {body[:200]!r}")
    return {f"neighbour_{name}": statistics.median(times), f"neighbour_{name}_min": min(times)}


def _await_runs(subject: Any, wanted: int) -> None:
    end = time.monotonic() + 60
    while _runs(subject) < wanted:
        if time.monotonic() > end:
            raise RuntimeError(f"the bucket has not triggered itself {wanted} times within a minute")
        time.sleep(0.2)


def _runs(subject: Any) -> int:
    """Deliveries that have ended: all of them are the loop's."""
    with urllib.request.urlopen(f"http://{subject.host}:{subject.port}/_undercast/status", timeout=10) as answer:
        return int(json.load(answer)["deliveries"]["done"])
