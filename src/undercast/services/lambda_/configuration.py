"""A function's configuration: defaults, changes, and every limit with AWS's words.

Pure: takes parsed parameters, returns the members of FunctionConfiguration that a user sets.
AWS: Lambda API Reference, CreateFunction and UpdateFunctionConfiguration; Developer Guide, "Lambda quotas",
"Using Lambda environment variables" (reserved names).
"""

import json
from collections.abc import Mapping
from typing import Any

from undercast.core.errors import refused_member
from undercast.services.lambda_ import runtimes, snapstart
from undercast.services.lambda_.errors import invalid, unmet_constraint
from undercast.services.lambda_.limits import CURRENT, Limits
from undercast.services.lambda_.models import DEFAULT_MEMORY_MB, DEFAULT_TIMEOUT_S, DEFAULT_TMP_MB

IMAGE = "Image"
MAX_TIMEOUT_S = 900
MAX_ENVIRONMENT_BYTES = 4096
MAX_IMAGE_CONFIG_BYTES = 16_384
MAX_TAGS = 50
RESERVED_NAMES = frozenset({
    "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV", "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
    "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
})  # fmt: skip
_PLAIN = ("Role", "Handler", "Runtime", "Description", "Timeout", "MemorySize")


def new(operation: str, params: Mapping[str, Any], name: str, limits: Limits = CURRENT) -> dict[str, Any]:
    """The configuration that CreateFunction asks for, with AWS's defaults."""
    if params.get("PackageType") == IMAGE:
        _check_image_members(params)
    elif not params.get("Runtime") or not params.get("Handler"):
        raise invalid("Runtime and Handler are mandatory parameters for functions created with deployment packages.")
    defaults: dict[str, Any] = {
        "Description": "",
        "Timeout": DEFAULT_TIMEOUT_S,
        "MemorySize": DEFAULT_MEMORY_MB,
        "PackageType": params.get("PackageType", "Zip"),
        "Architectures": params.get("Architectures") or ["x86_64"],
        "TracingConfig": {"Mode": "PassThrough"},
        "EphemeralStorage": {"Size": DEFAULT_TMP_MB},
        "SnapStart": dict(snapstart.OFF),
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{name}"},
    }
    return changed(operation, defaults, params, limits)


def changed(
    operation: str, current: Mapping[str, Any], params: Mapping[str, Any], limits: Limits = CURRENT
) -> dict[str, Any]:
    """The configuration after what UpdateFunctionConfiguration asks for."""
    check(operation, params, limits)
    is_image = current["PackageType"] == IMAGE
    if is_image:
        _check_image_members(params)
    elif params.get("ImageConfig"):
        raise invalid("Please don't provide ImageConfig when the intended function PackageType is Zip.")
    result = {**current, **{member: params[member] for member in _PLAIN if member in params}}
    if "Environment" in params:
        result["Environment"] = {"Variables": dict(params["Environment"].get("Variables") or {})}
    if "TracingConfig" in params:
        result["TracingConfig"] = {"Mode": params["TracingConfig"].get("Mode", "PassThrough")}
    if "EphemeralStorage" in params:
        result["EphemeralStorage"] = {"Size": params["EphemeralStorage"]["Size"]}
    if "LoggingConfig" in params:
        result["LoggingConfig"] = _logging(result["LoggingConfig"], params["LoggingConfig"])
    if "DeadLetterConfig" in params:
        result.pop("DeadLetterConfig", None)
        if arn := params["DeadLetterConfig"].get("TargetArn"):
            result["DeadLetterConfig"] = {"TargetArn": arn}
    if is_image and "ImageConfig" in params:
        result.pop("ImageConfigResponse", None)
        _check_image_config(params["ImageConfig"])
        if asked := {member: value for member, value in params["ImageConfig"].items() if value}:
            result["ImageConfigResponse"] = {"ImageConfig": asked}
    if "SnapStart" in params:
        result["SnapStart"] = {**snapstart.OFF, "ApplyOn": params["SnapStart"].get("ApplyOn", "None")}
    snapstart.check(result)
    if "VpcConfig" in params:
        result["VpcConfig"] = _vpc(params["VpcConfig"])
    if "KMSKeyArn" in params:
        result["KMSKeyArn"] = params["KMSKeyArn"]
        if not params["KMSKeyArn"]:
            del result["KMSKeyArn"]
    return result


def check(operation: str, params: Mapping[str, Any], limits: Limits = CURRENT) -> None:
    """Raises AWS's error for a member outside Lambda's limits, and names a member that is unsupported here."""
    if params.get("Runtime") and params["Runtime"] not in runtimes.KNOWN:
        known = ", ".join(runtimes.IDENTIFIERS)
        raise invalid(
            f"Value {params['Runtime']} at 'runtime' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{known}] or be a valid ARN"
        )
    _check_memory(params.get("MemorySize", 0), limits)
    if params.get("Timeout", 0) > MAX_TIMEOUT_S:
        raise unmet_constraint(
            params["Timeout"], "timeout", f"Member must have value less than or equal to {MAX_TIMEOUT_S}"
        )
    if (size := params.get("EphemeralStorage", {}).get("Size", 0)) > limits.tmp_mb:
        raise unmet_constraint(
            size, "ephemeralStorage.size", f"Member must have value less than or equal to {limits.tmp_mb}"
        )
    _check_variables(params.get("Environment", {}).get("Variables") or {})
    check_tags(params.get("Tags") or {})
    _check_unsupported(operation, params)


def _check_memory(memory_mb: int, limits: Limits) -> None:
    """The text about steps is ours: AWS has none since they are 1 MB."""
    if memory_mb > limits.memory_mb:
        text = f"Member must have value less than or equal to {limits.memory_mb}"
    elif memory_mb % limits.memory_step_mb:
        text = f"Member must be a multiple of {limits.memory_step_mb}"
    else:
        return
    raise invalid(f"'MemorySize' value failed to satisfy constraint: {text}")


def check_tags(tags: Mapping[str, str]) -> None:
    """Number and reserved names; lengths and characters are the model's constraints, which the validator has checked.

    AWS: Lambda Developer Guide, "Using tags on Lambda functions".
    """
    if len(tags) > MAX_TAGS:
        raise invalid("Number of tags exceeds resource tag limit.")
    if any(key.lower().startswith("aws:") for key in tags):
        raise invalid("aws: prefixed tag key names are not allowed for external use.")


def _check_variables(variables: Mapping[str, str]) -> None:
    cause = (
        "Lambda was unable to configure your environment variables because the environment variables you have provided"
    )
    if reserved := [name for name in variables if name in RESERVED_NAMES]:
        raise invalid(
            f"{cause} contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
    measured = json.dumps(dict(variables), separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode()) > MAX_ENVIRONMENT_BYTES:
        raise invalid(f"{cause} exceeded the 4KB limit. String measured: {measured}")


def _check_unsupported(operation: str, params: Mapping[str, Any]) -> None:
    """What is accepted when empty, as tools send it, and refused by name when it would have an effect."""
    if params.get("FileSystemConfigs"):
        raise refused_member(operation, "FileSystemConfigs", "there is no EFS here")


def _check_image_members(params: Mapping[str, Any]) -> None:
    """AWS's text."""
    if params.get("Runtime") or params.get("Handler") or params.get("Layers"):
        given = "Please don't provide Handler or Runtime or Layer"
        raise invalid(f"{given} when the intended function PackageType is Image.")


def _check_image_config(asked: Mapping[str, Any]) -> None:
    """Lambda Developer Guide, "Lambda quotas": container image settings size, 16 KB. The texts are ours."""
    if len(json.dumps(dict(asked), separators=(",", ":")).encode()) > MAX_IMAGE_CONFIG_BYTES:
        raise invalid(f"ImageConfig exceeded the limit of {MAX_IMAGE_CONFIG_BYTES} bytes.")
    if any("\0" in text for value in asked.values() for text in value):
        raise invalid("ImageConfig may not contain a null character.")


def _logging(current: Mapping[str, Any], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Levels are of the JSON format only, where INFO is the default of both."""
    if asked.get("LogFormat", current["LogFormat"]) != "JSON":
        if "ApplicationLogLevel" in asked or "SystemLogLevel" in asked:
            raise invalid(
                "Log level is not supported when LogFormat is set to 'Text'. "
                "Remove log level from your request or change the LogFormat to 'JSON' and try again."
            )
        kept = {member: current[member] for member in ("LogFormat", "LogGroup")}
        return {**kept, **asked}
    return {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", **current, **asked}


def _vpc(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "SubnetIds": list(asked.get("SubnetIds") or []),
        "SecurityGroupIds": list(asked.get("SecurityGroupIds") or []),
        "Ipv6AllowedForDualStack": bool(asked.get("Ipv6AllowedForDualStack", False)),
    }
