"""How commands speak to a running platform: its own endpoints by HTTP, AWS's APIs by botocore."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from undercast.cli import environment
from undercast.cli.output import fail

TIMEOUT_S = 30.0


def ask(path: str, *, body: dict[str, Any] | None = None, token: str = "") -> dict[str, Any]:
    """GET (or POST with a body) one of the platform's own endpoints. Exits with a hint when nothing answers."""
    url = environment.endpoint().rstrip("/") + path
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"x-undercast-token": token})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            parsed: dict[str, Any] = json.load(answer)
            return parsed
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        return fail(f"{path} answered {error.code}: {text[:400]}")
    except (urllib.error.URLError, TimeoutError) as error:
        reason = getattr(error, "reason", error)
        return fail(f"no platform answers at {environment.endpoint()} ({reason})", "start one: undercast start")


def aws(service: str) -> Any:
    """A boto3 client of the running platform."""
    import boto3  # imported here: half a second that `start` and `status` need not pay

    key, secret = environment.credentials()
    make: Any = boto3.client  # the service is a variable here, so boto3's stubs cannot say which client it is
    return make(
        service,
        endpoint_url=environment.endpoint(),
        region_name=environment.region(),
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )


def running_pid(data_dir: Path) -> int | None:
    """The pid in the data folder's lock, or None when no platform holds it."""
    from undercast.store.folder import holder

    return holder(data_dir)
