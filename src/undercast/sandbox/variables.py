"""The environment variables that a runtime process starts with.

Pure. The function's own variables win over Lambda's defaults and lose against the reserved ones.
AWS: Lambda Developer Guide, "Using Lambda environment variables", "Defined runtime environment variables".
"""

from collections.abc import Iterable, Mapping
from dataclasses import field

from undercast.core.record import record
from undercast.sandbox.model import EnvironmentCredentials, FunctionVersion

_RUNTIME_ONLY = frozenset(
    {
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_XRAY_CONTEXT_MISSING",
        "AWS_XRAY_DAEMON_ADDRESS",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "_AWS_XRAY_DAEMON_ADDRESS",
        "_AWS_XRAY_DAEMON_PORT",
        "_HANDLER",
    }
)
"""Lambda Developer Guide, Extensions API, "Permissions and configuration": not for extensions."""


_OF_THE_IMAGE = frozenset({"_HANDLER", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR"})
"""A container image's own: its ENV says where code and runtime are, its CMD names the handler."""
_STARTUP = ("NODE_", "LD_", "LANG", "LC_", "TZ", "SSL_", "OPENSSL_", "ICU_", "UV_", "MALLOC_", "GLIBC_", "PATH")
"""Beginnings of the names of variables that a runtime may read when it starts."""
_LATER = frozenset({"NODE_ENV", "NODE_PATH", "NODE_TLS_REJECT_UNAUTHORIZED"})
"""Read when they are needed."""


@record
class Roots:
    """Where a process of the sandbox finds its folders."""

    task: str = "/var/task"
    opt: str = "/opt"
    tmp: str = "/tmp"
    runtime: str = "/var/runtime"
    lang: str = "/var/lang/bin"


@record
class Surroundings:
    """What the platform adds to a process besides the function's own."""

    runtime_api: str
    log_stream: str
    endpoint_url: str
    xray_daemon: str = "127.0.0.1:2000"
    initialization_type: str = "on-demand"
    """Or "provisioned-concurrency" or "snap-start"."""
    ca_bundle: str = ""
    """Path inside the sandbox of system roots and local CA; "" where there is none."""
    roots: Roots = field(default_factory=Roots)
    rpc_port: int = 0
    """Where a go1.x function is to listen; 0 for other runtimes."""
    execution_env: str = ""
    """AWS_EXECUTION_ENV; "" for OS-only runtimes, as on AWS."""
    image_variables: Mapping[str, str] | None = None
    """ENV of a container image, which has no defaults of a runtime."""
    runtime_variables: Mapping[str, str] = field(default_factory=dict)
    """Defaults of the runtime family (PYTHONPATH and the like) that a function may override."""


def variables(
    function: FunctionVersion, credentials: EnvironmentCredentials, surroundings: Surroundings
) -> dict[str, str]:
    """The complete environment of the runtime process."""
    if surroundings.image_variables is not None:
        return {
            **_image_defaults(surroundings),
            **surroundings.image_variables,
            **function.environment,
            **{name: value for name, value in _reserved(function, credentials, surroundings).items()
               if name not in _OF_THE_IMAGE},
        }  # fmt: skip
    return {
        **_defaults(surroundings),
        **surroundings.runtime_variables,
        **function.environment,
        **_reserved(function, credentials, surroundings),
    }


def startup_variables(function: FunctionVersion, ca_bundle: str) -> dict[str, str] | None:
    """What a runtime reads when it starts, alike for all functions; None when this one sets such a variable itself."""
    if any(name.startswith(_STARTUP) and name not in _LATER for name in function.environment):
        return None
    surroundings = Surroundings(runtime_api="", log_stream="", endpoint_url="", ca_bundle=ca_bundle)
    defaults = _defaults(surroundings)
    return {name: value for name, value in defaults.items() if name.startswith(_STARTUP)}


def extension_variables(
    complete: Mapping[str, str], function: FunctionVersion, runtime: Iterable[str]
) -> dict[str, str]:
    """What external extensions get of a runtime's environment; `runtime` are the names that its family adds."""
    own = {name for name in runtime if name not in function.environment}
    return {name: value for name, value in complete.items() if name not in _RUNTIME_ONLY and name not in own}


def _image_defaults(surroundings: Surroundings) -> dict[str, str]:
    """Where the image says nothing. PATH is what a container engine gives."""
    defaults = _defaults(surroundings)
    del defaults["LANG"], defaults["LD_LIBRARY_PATH"]
    roots = surroundings.roots
    return {
        **defaults,
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LAMBDA_TASK_ROOT": roots.task,
        "LAMBDA_RUNTIME_DIR": roots.runtime,
    }


def _defaults(surroundings: Surroundings) -> dict[str, str]:
    roots = surroundings.roots
    defaults = {
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "PATH": f"{roots.lang}:/usr/local/bin:/usr/bin/:/bin:{roots.opt}/bin",
        "LD_LIBRARY_PATH": (
            f"/var/lang/lib:/lib64:/usr/lib64:{roots.runtime}:{roots.runtime}/lib:"
            f"{roots.task}:{roots.task}/lib:{roots.opt}/lib"
        ),
        "AWS_ENDPOINT_URL": surroundings.endpoint_url,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": surroundings.xray_daemon,
        "_AWS_XRAY_DAEMON_ADDRESS": surroundings.xray_daemon.partition(":")[0],
        "_AWS_XRAY_DAEMON_PORT": surroundings.xray_daemon.partition(":")[2],
    }
    if roots.tmp != Roots().tmp:
        defaults["TMPDIR"] = roots.tmp
    if roots.opt != Roots().opt:
        # Only the Python bootstrap reads it: layers are not at /opt without a root file system of one's own.
        defaults["UNDERCAST_OPT_ROOT"] = roots.opt
    if surroundings.ca_bundle:
        for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"):
            defaults[name] = surroundings.ca_bundle
    return defaults


def _reserved(
    function: FunctionVersion, credentials: EnvironmentCredentials, surroundings: Surroundings
) -> dict[str, str]:
    reserved = {
        "_HANDLER": function.handler,
        "AWS_LAMBDA_RUNTIME_API": surroundings.runtime_api,
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": function.version,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": function.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": surroundings.log_stream,
        "AWS_LAMBDA_INITIALIZATION_TYPE": surroundings.initialization_type,
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        "LAMBDA_TASK_ROOT": surroundings.roots.task,
        "LAMBDA_RUNTIME_DIR": surroundings.roots.runtime,
    }
    if surroundings.initialization_type == "snap-start":
        # "Monitoring for Lambda SnapStart": these two are not available.
        del reserved["AWS_LAMBDA_LOG_GROUP_NAME"], reserved["AWS_LAMBDA_LOG_STREAM_NAME"]
    if surroundings.rpc_port:
        reserved["_LAMBDA_SERVER_PORT"] = str(surroundings.rpc_port)
    if function.logging.is_json:
        reserved["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
        reserved["AWS_LAMBDA_LOG_LEVEL"] = function.logging.application_level
    if surroundings.execution_env:
        reserved["AWS_EXECUTION_ENV"] = surroundings.execution_env
    return reserved
