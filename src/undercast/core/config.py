"""The platform's configuration: one frozen value, read once by the CLI and handed down.

Sizes are in bytes, times in seconds, as the names say.
"""

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Literal

from undercast.core.record import record

IamMode = Literal["enforce", "strict", "off"]
Driver = Literal["auto", "namespace", "process"]
Durability = Literal["process", "power"]
Profile = Literal["current", "2019"]
Billing = Literal["1ms", "100ms"]


@record
class Config:
    """Everything that a start of the platform can be told."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 4566
    ephemeral: bool = False
    driver: Driver = "auto"
    iam: IamMode = "enforce"
    """`enforce`: known roles are enforced, unknown ones pass with a warning; `strict` refuses them; `off`: no IAM."""
    durability: Durability = "process"
    profile: Profile = "current"
    billing: Billing = "1ms"
    """Steps of Billed Duration: 1 ms with INIT (today), or 100 ms without it (until December 2020)."""
    default_region: str = "us-east-1"
    extra_hosts: tuple[str, ...] = ()
    """Further Host names that may be asked for (DNS rebinding protection)."""
    forward_ports: tuple[int, ...] = (5432, 3306, 6379, 27017)
    max_environments: int | None = None
    idle_timeout_s: float = 600.0
    """An execution environment that has been idle for so long is shut down."""
    stream_pace: bool = False
    """Whether streamed answers keep AWS's pace: 6 MB at once, then 2 MB a second."""
    throttle_tables: bool = False
    """Whether DynamoDB's tables are held to their provisioned throughput."""
    throttle_streams: bool = False
    """Whether Kinesis's shards are held to their throughput."""
    throttle_requests: bool = False
    """Whether requests of Lambda's control plane are held to AWS's rates."""
    init_dir: Path | None = None
    debug: tuple[str, ...] = ()
    """Functions that run under their debuggers, by name or ARN: on `debug_port` and the ports behind it."""
    debug_port: int = 5890
    debug_wait: bool = False
    """Their INITs wait until somebody is attached."""
    hot_reload_root: Path | None = None
    """Folders below it may be functions' code as they are (bucket name `hot-reload`)."""
    image_root: Path | None = None
    """Folders and archives below it may be functions' container images (ImageUri `oci:PATH`)."""
    otlp_endpoint: str = ""
    """Where X-Ray's segments go as OpenTelemetry spans (OTLP/HTTP, JSON); "" for nowhere."""
    log_payloads: bool = False
    """Whether the event and the answer of each invocation are lines of its function's log."""
    max_head_bytes: int = 64 * 1024
    max_body_bytes: int = 6 * 1024**3
    search_path: tuple[str, ...] = field(default=("/usr/local/bin", "/usr/bin", "/bin"))
    """Where interpreters are looked for (PATH of the user who started the platform)."""
    home_dir: Path = Path("/root")
    moved_homes: Mapping[str, str] = field(default_factory=dict)
    """PYENV_ROOT, NVM_DIR and their like, as far as they are set (`sandbox.runtimes.homes`)."""
