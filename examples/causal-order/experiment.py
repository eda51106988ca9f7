"""Invoke the chain often: the differences into a file, and the causal order of each run from the platform's log.

The platform is the one that AWS_ENDPOINT_URL names.
"""

import argparse
import csv
import io
import json
import os
import sys
import urllib.request
import zipfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3

from analysis import report

HERE = Path(__file__).parent
BASE, DESTINATION = "causal-base", "causal-destination"


def client(service: str = "lambda"):
    """Any key will do."""
    if "AWS_ENDPOINT_URL" not in os.environ:
        sys.exit('AWS_ENDPOINT_URL is not set. Run `undercast start` in another terminal, then eval "$(undercast env)"')
    given = {"aws_access_key_id": os.environ.get("AWS_ACCESS_KEY_ID", "test"), "aws_secret_access_key": "test"}
    return boto3.client(service, region_name="us-east-1", endpoint_url=os.environ["AWS_ENDPOINT_URL"], **given)


def deploy(functions, base: dict[str, str], destination: dict[str, str]) -> None:
    """Both functions, with variables of their own."""
    account = client("sts").get_caller_identity()["Account"]
    for name, module, variables in (
        (DESTINATION, "destination", destination),
        (BASE, "base", {"DESTINATION": DESTINATION, **base}),
    ):
        try:
            functions.delete_function(FunctionName=name)
        except functions.exceptions.ResourceNotFoundException:
            pass
        functions.create_function(
            FunctionName=name,
            Runtime=f"python3.{sys.version_info.minor}",
            Role=f"arn:aws:iam::{account}:role/causal-order",
            Handler=f"{module}.handler",
            Code={"ZipFile": packed(HERE / "functions" / f"{module}.py")},
            Timeout=30,
            MemorySize=512,
            Environment={"Variables": variables},
        )
    for name in (BASE, DESTINATION):
        functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def packed(file: Path) -> bytes:
    """A deployment package of one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.write(file, file.name)
    return buffer.getvalue()


def run(functions, invokes: int, parallel: int) -> list[tuple[str, int]]:
    """(request id, difference in nanoseconds) of each run."""

    def once(_: int) -> tuple[str, int]:
        answer = functions.invoke(FunctionName=BASE, Payload=b"{}")
        difference = json.load(answer["Payload"])
        if "FunctionError" in answer:
            raise SystemExit(f"a run failed: {difference}")
        return answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"], difference

    with ThreadPoolExecutor(parallel) as threads:
        return list(threads.map(once, range(invokes)))


def wrongly_ordered(request_ids: Iterable[str]) -> list[str]:
    """The runs in which the platform's log does not have the base before the destination that it called."""
    wrong = []
    for request_id in request_ids:
        with urllib.request.urlopen(f"{os.environ['AWS_ENDPOINT_URL']}/_undercast/trace/{request_id}") as answer:
            trace = json.load(answer)
        order = {node["id"]: node["order"] for node in trace["nodes"]}
        called = [node["id"] for node in trace["nodes"] if node["label"].endswith(f":{DESTINATION}")]
        edges = {(edge["from"], edge["to"]) for edge in trace["edges"]}
        if len(called) != 1 or (request_id, called[0]) not in edges or order[request_id] >= order[called[0]]:
            wrong.append(request_id)
    return wrong


def main() -> None:
    """Deploy, run, write, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--invokes", type=int, default=10_000)
    parser.add_argument("--parallel", type=int, default=4, help="so many callers, and environments of each function")
    parser.add_argument("--clock-off-ms", type=float, default=0.0, help="each environment's clock is wrong by up to this")
    parser.add_argument("--server", default="", help="post to this URL (server.py) in place of the second function")
    parser.add_argument("--csv", type=Path, default=HERE / "build" / "differences.csv")
    asked = parser.parse_args()
    functions = client()
    clock = {"CLOCK_OFF_MS": str(asked.clock_off_ms)}
    deploy(functions, {**clock, **({"SERVER": asked.server} if asked.server else {})}, clock)
    rows = run(functions, asked.invokes, asked.parallel)
    asked.csv.parent.mkdir(exist_ok=True)
    with asked.csv.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([("request id", "difference ns"), *rows])
    print(report([difference / 1e6 for _, difference in rows]))
    if asked.server:
        return  # a server of this machine is no part of the platform's log
    wrong = wrongly_ordered(request_id for request_id, _ in rows)
    print(f"causal order by the platform's log: {len(rows) - len(wrong)} of {len(rows)} right")
    if wrong:
        raise SystemExit(f"wrong: {', '.join(wrong[:10])}")


if __name__ == "__main__":
    main()
