"""What `undercast start` can be told: one table, read by typer for help and errors, and by `plain` without it.

Loading typer takes longer than the platform needs to be ready, so a start that is spelled as the table says goes
without. Whatever `plain` does not know at sight (an abbreviation, a mistake, --help) is typer's to answer.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class Option(NamedTuple):
    """One option; its flag is its name with "--" and dashes."""

    name: str
    kind: type | tuple[str, ...]
    """The value's type, or the texts to choose from. A bool is a flag without a value."""
    default: Any
    help: str
    least: float | None = None
    most: float | None = None
    repeated: bool = False

    @property
    def flag(self) -> str:
        """As it is typed."""
        return "--" + self.name.replace("_", "-")


OPTIONS = (
    Option("port", int, 4566, "Port for HTTP and HTTPS; 0 takes a free one.", least=0, most=65535),
    Option("host", str, "127.0.0.1", "Address to listen on. Beyond loopback, only issued keys are accepted."),
    Option("data", Path, None, "Data folder; default: the user's state directory."),
    Option("ephemeral", bool, False, "Use a temporary data folder, removed at the end."),
    Option("driver", ("auto", "namespace", "process"), "auto", "How functions are isolated."),
    Option(
        "iam",
        ("enforce", "strict", "off"),
        "enforce",
        "enforce: known roles are held to their policies; strict: unknown ones are refused too.",
    ),
    Option(
        "durability",
        ("process", "power"),
        "process",
        "What an acknowledged write survives: SIGKILL, or power loss.",
    ),
    Option("profile", ("current", "2019"), "current", "Which era's limits and defaults."),
    Option("billing", ("1ms", "100ms"), None, "Steps of Billed Duration; 1ms bills INIT, too. Default: the profile's."),
    Option(
        "max_environments",
        int,
        None,
        "Most execution environments at once, in place of what half of the free memory holds.",
        least=1,
    ),
    Option("host_name", str, (), "A further Host name to answer to.", repeated=True),
    Option("forward_ports", str, "5432,3306,6379,27017", "Ports that functions reach on any host, besides 80 and 443."),
    Option("stream_pace", bool, False, "Stream answers at AWS's pace: 6 MB at once, then 2 MB a second."),
    Option("debug", str, (), "Run a function, by name or ARN, under its debugger.", repeated=True),
    Option("debug_port", int, 5890, "Of the first --debug; each further one has the next port.", least=1, most=65535),
    Option("debug_wait", bool, False, "Functions of --debug wait in INIT until a debugger is attached."),
    Option("throttle_tables", bool, False, "Hold DynamoDB's tables to their provisioned throughput."),
    Option("throttle_streams", bool, False, "Hold the shards of Kinesis's streams to their throughput."),
    Option("throttle_requests", bool, False, "Hold requests of Lambda's control plane to AWS's rates."),
    Option("hot_reload_root", Path, None, "Functions may have folders below it as code (bucket name hot-reload)."),
    Option("image_root", Path, None, "An ImageUri may name container images below it (oci:PATH, docker-archive:PATH)."),
    Option("otlp_endpoint", str, "", "Send X-Ray's segments as OpenTelemetry spans to this URL (OTLP/HTTP, JSON)."),
    Option("log_payloads", bool, False, "Write each invocation's event and answer into its function's log."),
    Option("idle_timeout", float, 600.0, "Seconds until an idle execution environment is shut down.", least=0.1),
)
DEFAULTS: Mapping[str, Any] = {option.name: option.default for option in OPTIONS}
_BY_FLAG = {option.flag: option for option in OPTIONS}


def plain(words: Sequence[str]) -> Mapping[str, Any] | None:
    """The options by name, defaults included; None when the words need more than a look."""
    values = dict(DEFAULTS)
    rest = iter(words)
    for word in rest:
        flag, equals, text = word.partition("=")
        option = _BY_FLAG.get(flag)
        if option is None or (option.kind is bool and equals):
            return None
        if option.kind is bool:
            values[option.name] = True
            continue
        value = _value(option, text if equals else next(rest, "-"))
        if value is None:
            return None
        values[option.name] = (*values[option.name], value) if option.repeated else value
    return values


def _value(option: Option, text: str) -> Any:
    """The value, or None when the text is not obviously one."""
    if text.startswith("-"):
        return None
    if isinstance(option.kind, tuple):
        return text if text in option.kind else None
    try:
        value = option.kind(text)
    except ValueError:
        return None
    below = option.least is not None and not value >= option.least
    above = option.most is not None and not value <= option.most
    return None if below or above else value
