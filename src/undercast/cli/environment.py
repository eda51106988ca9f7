"""The one place that reads environment variables and knows where a user's files are (I5)."""

import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from undercast.cli.output import fail
from undercast.core.config import Config


def default_data_dir() -> Path:
    """The user's state directory: UNDERCAST_DATA, else $XDG_STATE_HOME/undercast, else ~/.local/state/undercast."""
    if chosen := os.environ.get("UNDERCAST_DATA"):
        return Path(chosen)
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "undercast"


def endpoint() -> str | None:
    """Where this user's AWS tools go: AWS_ENDPOINT_URL, None when it is not set."""
    url = os.environ.get("AWS_ENDPOINT_URL") or None
    if url is not None and not url.startswith(("http://", "https://")):
        fail(f"AWS_ENDPOINT_URL is {url}, which is no URL", f"for example: export AWS_ENDPOINT_URL=http://{url}")
    return url


def region() -> str:
    """The user's region."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def credentials() -> tuple[str, str]:
    """The user's keys, else the default account's."""
    return os.environ.get("AWS_ACCESS_KEY_ID") or "test", os.environ.get("AWS_SECRET_ACCESS_KEY") or "test"


def search_path() -> tuple[str, ...]:
    """PATH without the folder of our own environment."""
    folders = tuple(part for part in os.environ.get("PATH", "").split(os.pathsep) if part)
    own = str(Path(sys.prefix) / "bin")
    return tuple(part for part in folders if part != own)


def moved_homes() -> Mapping[str, str]:
    """The variables that say where version managers keep interpreters, as far as they are set."""
    from undercast.sandbox.runtimes.homes import MOVED

    return {name: os.environ[name] for name in MOVED if os.environ.get(name)}


def config_from(values: Mapping[str, Any]) -> Config:
    """The platform's configuration from the values of `start_options` and this user's environment."""
    return Config(
        data_dir=(values["data"] or default_data_dir()).absolute(),  # commands ask from other folders
        host=values["host"],
        port=values["port"],
        ephemeral=values["ephemeral"],
        driver=values["driver"],
        iam=values["iam"],
        durability=values["durability"],
        profile=values["profile"],
        billing=values["billing"] or ("100ms" if values["profile"] == "2019" else "1ms"),
        default_region=region(),
        extra_hosts=tuple(values["host_name"]),
        forward_ports=_ports(values["forward_ports"]),
        max_environments=values["max_environments"],
        idle_timeout_s=values["idle_timeout"],
        stream_pace=values["stream_pace"],
        debug=tuple(values["debug"]),
        debug_port=values["debug_port"],
        debug_wait=values["debug_wait"],
        throttle_tables=values["throttle_tables"],
        throttle_streams=values["throttle_streams"],
        throttle_requests=values["throttle_requests"],
        hot_reload_root=_folder("--hot-reload-root", values["hot_reload_root"]),
        image_root=_folder("--image-root", values["image_root"]),
        otlp_endpoint=_url("--otlp-endpoint", values["otlp_endpoint"]),
        log_payloads=values["log_payloads"],
        search_path=search_path(),
        home_dir=Path.home(),
        moved_homes=moved_homes(),
    )


def _folder(option: str, path: Path | None) -> Path | None:
    if path is not None and not path.is_dir():
        fail(f"{option} {path} is not a folder")
    return path.resolve() if path is not None else None


def _url(option: str, text: str) -> str:
    if text and not re.fullmatch(r"https?://[^/\s@]+(/\S*)?", text):
        fail(f"{option} {text} is no URL", "for example http://localhost:4318")
    return text


def _ports(text: str) -> tuple[int, ...]:
    try:
        ports = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        ports = (-1,)
    if not all(0 < port < 65536 for port in ports):
        fail(f"--forward-ports {text!r} is not a list of port numbers", "for example: --forward-ports 5432,6379")
    return ports
