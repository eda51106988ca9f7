"""How commands find a running platform and speak to it: its own endpoints by HTTP, AWS's APIs by botocore.

One rule for all commands: `--data DIR`, else AWS_ENDPOINT_URL, else the platform on the default data folder, else the
default port. A running platform writes its address into its data folder.
"""

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Annotated, Any, NoReturn

import typer

from undercast.cli import environment
from undercast.cli.output import fail
from undercast.core.listing import first_few
from undercast.store.folder import address_of, holder, killed, temporary_folders

TIMEOUT_S = 30.0
STARTING_S = 10.0
POLL_S = 0.05
_LONG_S = 3600.0
_FOREVER_S = 7 * 86400
DEFAULT_URL = "http://localhost:4566"
_STUCK = (
    "what runs there takes connections and does not answer: it is stopped (SIGSTOP) or has too much to do; "
    "`undercast stop`, with the same --data, ends it or says which process it is"
)

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Data folder of the platform. Else: AWS_ENDPOINT_URL, the default data folder's, port 4566."
    ),
]


def locate(data: Path | None) -> str:
    """Where the platform is reached. Exits with a hint when none runs on a folder that was named."""
    if data is not None:
        return _address(data) or fail(*nothing_on(data, f"start one: undercast start --data {data}"))
    return environment.endpoint() or _address(environment.default_data_dir()) or DEFAULT_URL


def nothing_on(folder: Path, fix: str) -> tuple[str, str]:
    """What to say where no platform runs on a folder, and what to do; `fix` where the last one was not killed."""
    pid = killed(folder)
    if pid is None:
        return f"no platform runs on {folder}", fix
    return (
        f"no platform runs on {folder}: the last one (pid {pid}) was killed",
        f"the next start goes on with what the folder has: undercast start --data {folder}",
    )


def _address(folder: Path) -> str | None:
    """The address of the platform on a folder; waits for one that is just starting."""
    end = time.monotonic() + STARTING_S
    while (found := address_of(folder)) is None and holder(folder) is not None and time.monotonic() < end:
        time.sleep(POLL_S)
    return found


def ask(url: str, path: str, timeout_s: float = TIMEOUT_S) -> dict[str, Any]:
    """GET one of the platform's own endpoints. Exits with a hint when no platform answers."""
    return _answer(url, path, urllib.request.Request(url.rstrip("/") + path), timeout_s)


def change(url: str, path: str, wish: Mapping[str, Any], *, missing: str = "") -> dict[str, Any]:
    """POST to one of them; the token is in the platform's data folder. Exits with a hint when that is not here.

    `missing`: what to do where what is named is not there.
    """
    headers = {"X-Undercast-Token": _token(url), "Content-Type": "application/json"}
    body = json.dumps(wish).encode()
    request = urllib.request.Request(url.rstrip("/") + path, data=body, headers=headers)
    return _answer(url, path, request, missing=missing)


def send(url: str, path: str, method: str, file: IO[bytes] | None, *, missing: str = "") -> dict[str, Any]:
    """The same with a file as the body, which may be large; the answer may take long."""
    headers = {"X-Undercast-Token": _token(url), "Content-Type": "application/octet-stream"}
    if file is not None:
        headers["Content-Length"] = str(os.fstat(file.fileno()).st_size)
    request = urllib.request.Request(url.rstrip("/") + path, data=file, headers=headers, method=method)
    return _answer(url, path, request, _LONG_S, missing)


def _token(url: str) -> str:
    folder = Path(ask(url, "/_undercast/status")["data"])
    try:
        return (folder / "token").read_text().strip()
    except OSError as error:
        return fail(f"the token in {folder} cannot be read: {error.strerror}", "run this as the platform's user")


def _answer(
    url: str, path: str, request: urllib.request.Request, timeout_s: float = TIMEOUT_S, missing: str = ""
) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            parsed: dict[str, Any] = json.load(answer)
            return parsed
    except urllib.error.HTTPError as error:
        if said := _message(error.read().decode(errors="replace")):
            return fail(said, missing if error.code == 404 else "")  # a platform is there
        return fail(f"no platform answers at {url}: {path} is {error.code} there", _advice(url))
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        return fail(f"no platform answers at {url} ({reason})", _STUCK if _is_late(reason) else _advice(url))


def refused(url: str, error: Exception, fix: str = "") -> NoReturn:
    """Exit with what went wrong with an operation of AWS; where no platform answers, as `ask` does."""
    from botocore.exceptions import EndpointConnectionError

    if isinstance(error, EndpointConnectionError):
        ask(url, "/_undercast/status")
    fail(str(error), fix)


def _message(text: str) -> str:
    """What the platform says in an error of its own; empty for another answer."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, TypeError, KeyError):
        return ""


def _is_late(reason: object) -> bool:
    """Whether something is there that takes connections."""
    return isinstance(reason, TimeoutError) and reason.errno is None  # ETIMEDOUT: not even that


def _advice(url: str) -> str:
    folder = environment.default_data_dir()
    running = address_of(folder)
    is_configured = environment.endpoint() == url
    if running is None or running == url or not is_configured:
        others = temporary_folders()
        named = (
            f"; ephemeral platforms run in these folders: {first_few(map(str, others), len(others))}" if others else ""
        )
        said = "AWS_ENDPOINT_URL says so; " if is_configured else ""
        if (pid := killed(folder)) is not None:
            said += f"the platform on {folder} (pid {pid}) was killed; "
        return f"{said}start one: undercast start; or name the folder of one that runs: --data DIR{named}"
    return f"AWS_ENDPOINT_URL says so; one runs at {running}: unset AWS_ENDPOINT_URL, or use --data {folder}"


def aws(url: str, service: str, *, patient: bool = False) -> Any:
    """A boto3 client of the platform; a patient one waits for an answer however long it takes, and asks once."""
    import boto3  # imported here: half a second that `start` and `status` need not pay
    from botocore.config import Config

    key, secret = environment.credentials()
    make: Any = boto3.client  # the service is a variable here, so boto3's stubs cannot say which client it is
    return make(
        service,
        endpoint_url=url,
        region_name=environment.region(),
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(read_timeout=_FOREVER_S, retries={"max_attempts": 0}) if patient else None,
    )
