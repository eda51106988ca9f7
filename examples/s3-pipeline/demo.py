"""`make demo`: start a platform, deploy the pipeline, upload a file, show the log and the result, stop the platform."""

import contextlib
import re
import signal
import subprocess
import sys
import time

import boto3

from build import HERE, pack_go, pack_python
from deploy import deploy, wait_for_object

COLOUR = sys.stdout.isatty()
UPLOAD = HERE / "orders.yaml"


def step(text: str) -> None:
    """One line of progress."""
    print(f"\x1b[1m{text}\x1b[0m" if COLOUR else text, flush=True)


@contextlib.contextmanager
def platform():
    """A platform on a free port with a temporary data folder; yields its URL."""
    command = [sys.executable, "-m", "undercast", "start", "--ephemeral", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        found = re.search(r"ready (\S+)", line)
        if not found:
            raise SystemExit("demo: the platform did not start; its message is above")
        step(line.strip())
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def run(client, name: str, package: bytes, runtime: str, handler: str) -> None:
    """One function, from deployment to the object in the second bucket."""
    began = time.monotonic()
    source, target = deploy(client, name, package, runtime, handler)
    step(f"deployed {name} ({runtime}, {len(package) // 1024} KiB) in {time.monotonic() - began:.2f} s")
    began = time.monotonic()
    client("s3").put_object(Bucket=source, Key=UPLOAD.name, Body=UPLOAD.read_bytes())
    result = wait_for_object(client("s3"), target, UPLOAD.stem + ".json")
    step(f"s3://{source}/{UPLOAD.name} -> s3://{target}/{UPLOAD.stem}.json in {time.monotonic() - began:.2f} s")
    print(result.decode())
    step(f"log of {name}")
    for event in events_of(client("logs"), f"/aws/lambda/{name}"):
        print(f"  {event}")


def events_of(logs, group: str) -> list[str]:
    """The function's log up to its REPORT line, which follows the answer by some milliseconds."""
    for _ in range(100):
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        messages = [event["message"].rstrip() for page in pages for event in page["events"]]
        if any(message.startswith("REPORT") for message in messages):
            return messages
        time.sleep(0.05)
    raise SystemExit(f"demo: {group} has no REPORT line")


def main() -> None:
    """The Python half, then the Go half where there is a compiler."""
    with platform() as url:

        def client(service: str):
            return boto3.client(
                service,
                endpoint_url=url,
                region_name="us-east-1",
                aws_access_key_id="demo",
                aws_secret_access_key="demo",
            )

        python = f"python3.{sys.version_info.minor}"
        built = HERE / "build"
        built.mkdir(exist_ok=True)
        run(client, "pipeline-python", pack_python(built / "python.zip").read_bytes(), python, "app.handler")
        step("building the Go function (aws-sdk-go v1, no endpoint set anywhere)")
        if go := pack_go(built / "go.zip"):
            run(client, "pipeline-go", go.read_bytes(), "provided.al2023", "bootstrap")
        else:
            step("no `go` here: the Go half is left out")
    step("done")


if __name__ == "__main__":
    main()
