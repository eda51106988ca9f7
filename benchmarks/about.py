"""What a run measured, and on what: the commit, the machine, the versions of ours and of the peers."""

import datetime
import json
import os
import platform
import re
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.metadata import version
from pathlib import Path

from benchmarks import peers

_READY_S = 30.0


def commit() -> str:
    """`git describe` of what is measured; "-dirty" behind it where files differ from the commit."""
    command = ["git", "describe", "--always", "--dirty", "--tags"]
    found = subprocess.run(command, cwd=peers.HERE, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "no commit (not a checkout)"


def about(measured: str, options: str) -> dict[str, str]:
    """Row name -> text, for the page. Peers are installed by now."""
    stack = f"uvloop {version('uvloop')}, httptools {version('httptools')}"
    node = f", Node {_node()}" if _node() else ""
    return {
        "machine": machine(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "run": options,
        "Undercast": f"{measured}; {stack}, SQLite {sqlite3.sqlite_version}, {_driver()} driver, {_user()}",
        "floor": f"`benchmarks/floor_lambda.py`: {stack}, awslambdaric {version('awslambdaric')}; "
        "no sandbox, store or checks",
        "boto3 alone": f"boto3 {version('boto3')} beside `benchmarks/floor_s3.py` and `benchmarks/floor_calls.py`; "
        "no checks, digests or store",
        "ministack": _python_peer("ministack"),
        "serverless-offline": f"{_node_peer('serverless', 'serverless-offline')} "
        f"(serverless {_node_peer('serverless', 'serverless')}{node})",
        "aws-lambda-ric": f"{_node_peer('node_ric', 'aws-lambda-ric')}{node}",
        "moto": f"{_python_peer('moto')} (`moto_server`), calls alone",
        "DynamoDB Local": f"{_dynamodb_local()}, on disk, calls alone",
    }


def machine() -> str:
    """Processor, cores, memory, kernel and Python."""
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    kernel = ".".join(platform.release().split("-")[0].split(".")[:2])
    return (
        f"{model[1] if model else 'unknown CPU'}, {os.cpu_count()} CPUs, {pages / 2**30:.0f} GiB, "
        f"{platform.system()} {kernel}, Python {sys.version.split()[0]}"
    )


def _user() -> str:
    return "as root" if os.geteuid() == 0 else "not as root"


def _driver() -> str:
    """The sandbox driver that a start chooses here."""
    port = peers.free_port()
    with peers.serving([*peers.PLATFORM, "--port", str(port)], port):
        until = time.monotonic() + _READY_S
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/_undercast/health", timeout=5) as answer:
                    if driver := json.load(answer)["driver"]:
                        return str(driver)
            except urllib.error.URLError:
                pass  # it does not listen yet
            time.sleep(0.1)
    return "unknown"


def _python_peer(name: str) -> str:
    found = sorted((peers.CACHE / name).glob(f"lib/python*/site-packages/{name}-*.dist-info"))
    return found[0].name.removesuffix(".dist-info").rpartition("-")[2] if found else "not installed"


def _node_peer(folder: str, package: str) -> str:
    path = peers.CACHE / folder / "node_modules" / package / "package.json"
    return str(json.loads(path.read_text())["version"]) if path.exists() else "not installed"


def _dynamodb_local() -> str:
    found = sorted((peers.CACHE / "dynamodb_local").glob("DynamoDBLocal-*.jar"))
    return found[0].stem.removeprefix("DynamoDBLocal-") if found else "not installed"


def _node() -> str:
    try:
        found = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return found.stdout.strip().removeprefix("v")
