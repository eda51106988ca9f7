"""A real platform in a process of its own, for tests that speak to it as users do.

Started by its console command on a free port with an ephemeral data folder, ended by its pid.
"""

import json
import os
import re
import select
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import SERVICE_UNAVAILABLE
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import boto3
from botocore.config import Config

READY = re.compile(r"ready (?P<url>\S+)\s+(?:driver (?P<driver>\S+)\s+)?data (?P<data>.*?)\s+(?P<ms>\d+) ms")
START_TIMEOUT_S = 300.0
"""Bounds what never comes: on a busy machine a start takes a minute."""


@dataclass(frozen=True, kw_only=True)
class RunningPlatform:
    """A platform that answers at `url`."""

    url: str
    driver: str
    data: Path
    process: subprocess.Popen[str]

    def client(
        self,
        service: str,
        *,
        account: str = "000000000000",
        region: str = "us-east-1",
        secret: str = "secret",
        **config: Any,
    ) -> Any:
        """A boto3 client; a 12-digit access key is its account."""
        settings: dict[str, Any] = {"retries": {"max_attempts": 0}, "read_timeout": 70, **config}
        make: Any = boto3.client
        return make(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=account,
            aws_secret_access_key=secret,
            config=Config(**settings),
        )

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One of the platform's own endpoints."""
        data = None if body is None else json.dumps(body).encode()
        token = (self.data / "token").read_text() if body is not None else ""
        request = urllib.request.Request(self.url + path, data=data, headers={"x-undercast-token": token})
        with urllib.request.urlopen(request, timeout=START_TIMEOUT_S) as answer:
            return json.load(answer)

    def now(self) -> float:
        """The platform's clock. Tests that share a platform may have moved it: never compare with this machine's."""
        return float(self.ask("/_undercast/status")["clock"]["now"])

    def advance(self, seconds: float) -> None:
        """Move the platform clock."""
        self.ask("/_undercast/clock", {"advance_s": seconds})

    def drain(self) -> None:
        """Wait until no delivery is due; a platform that is busy says after a while that it still is."""
        while True:
            try:
                self.ask("/_undercast/drain", {})
            except HTTPError as error:
                if error.code != SERVICE_UNAVAILABLE:
                    raise
            else:
                return

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        self.process.kill()
        self.process.wait(timeout=30)


def start(
    data: Path | None = None,
    options: Sequence[str] = (),
    prefix: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> RunningPlatform:
    """Start a platform and wait for its ready line. `prefix` is a command that runs it, e.g. setpriv."""
    where = ["--data", str(data)] if data else ["--ephemeral"]
    process = subprocess.Popen(
        [*prefix, sys.executable, "-m", "undercast", "start", "--port", "0", *where, *options],
        stdout=subprocess.PIPE,
        stderr=None,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], START_TIMEOUT_S)
    line = process.stdout.readline() if readable else ""
    found = READY.search(line)
    if found is None:
        process.kill()
        raise AssertionError(f"no ready line within {START_TIMEOUT_S} s, but {line!r} (exit {process.wait(30)})")
    return RunningPlatform(url=found["url"], driver=_driver(found), data=Path(found["data"]), process=process)


def _driver(found: re.Match[str]) -> str:
    """The one that `auto` came to; the question is answered when the start is over."""
    if found["driver"] is not None:
        return found["driver"]
    url = f"http://127.0.0.1:{found['url'].rpartition(':')[2]}/_undercast/status"
    with urllib.request.urlopen(url, timeout=START_TIMEOUT_S) as answer:
        return str(json.load(answer)["driver"])


def stop(platform: RunningPlatform) -> int:
    """SIGTERM and the exit status."""
    if platform.process.poll() is None:
        platform.process.send_signal(signal.SIGTERM)
    try:
        return platform.process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        platform.process.kill()
        platform.process.wait(30)
        raise


@contextmanager
def running(
    data: Path | None = None, options: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Iterator[RunningPlatform]:
    """A platform for the length of a block."""
    platform = start(data, options, environment=environment)
    try:
        yield platform
    finally:
        stop(platform)
