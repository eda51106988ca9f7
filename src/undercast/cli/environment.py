"""The one place that reads environment variables and knows where a user's files are (I5)."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from undercast.core.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOptions:
    """What `undercast start` was told; None where the user said nothing."""

    port: int
    host: str
    data: Path | None
    ephemeral: bool
    driver: str
    iam: str
    durability: str
    profile: str
    max_environments: int | None
    host_names: tuple[str, ...]
    forward_ports: tuple[int, ...]
    idle_timeout_s: float


def default_data_dir() -> Path:
    """The user's state directory: UNDERCAST_DATA, else $XDG_STATE_HOME/undercast, else ~/.local/state/undercast."""
    if chosen := os.environ.get("UNDERCAST_DATA"):
        return Path(chosen)
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "undercast"


def endpoint() -> str | None:
    """Where this user's AWS tools go: AWS_ENDPOINT_URL, None when it is not set."""
    return os.environ.get("AWS_ENDPOINT_URL") or None


def region() -> str:
    """The user's region."""
    return os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"


def credentials() -> tuple[str, str]:
    """The user's keys, else the default account's."""
    return os.environ.get("AWS_ACCESS_KEY_ID") or "test", os.environ.get("AWS_SECRET_ACCESS_KEY") or "test"


def config_from(options: StartOptions) -> Config:
    """The platform's configuration from the options and this user's environment."""
    search_path = tuple(part for part in os.environ.get("PATH", "").split(os.pathsep) if part)
    own = str(Path(sys.prefix) / "bin")
    return Config(
        data_dir=options.data or default_data_dir(),
        host=options.host,
        port=options.port,
        ephemeral=options.ephemeral,
        driver=options.driver,  # type: ignore[arg-type]  # the CLI's choices are the literals
        iam=options.iam,  # type: ignore[arg-type]
        durability=options.durability,  # type: ignore[arg-type]
        profile=options.profile,  # type: ignore[arg-type]
        default_region=region(),
        extra_hosts=options.host_names,
        forward_ports=options.forward_ports,
        max_environments=options.max_environments,
        idle_timeout_s=options.idle_timeout_s,
        search_path=tuple(part for part in search_path if part != own),
        home_dir=Path.home(),
    )
