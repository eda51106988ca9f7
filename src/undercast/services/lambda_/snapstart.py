"""SnapStart as a setting of functions: where it is allowed, and for which versions it is on.

Pure. The snapshots themselves are the sandbox's.
AWS: Lambda Developer Guide, "Improving startup performance with Lambda SnapStart" (supported features and limitations);
API Reference, SnapStart, SnapStartResponse. The texts of the refusals are ours but for the runtime's.
"""

import re
from collections.abc import Mapping
from typing import Any

from undercast.core.errors import ServiceError
from undercast.services.lambda_.errors import invalid, user_error

ON_PUBLISHED = "PublishedVersions"
OFF: Mapping[str, str] = {"ApplyOn": "None", "OptimizationStatus": "Off"}
NO_SNAPSHOT = "The function could not be initialized for its snapshot:"
_MAX_TMP_MB = 512
_SINCE = {"python": (3, 12), "java": (11,), "dotnet": (8,)}
_RUNTIME = re.compile(r"([a-z]+)(\d+)(?:\.(\d+))?(?:\.al\w+)?")


def is_on(configuration: Mapping[str, Any], number: int) -> bool:
    """Whether a version starts from a snapshot; $LATEST, which is number 0, never does."""
    return bool(number) and bool(configuration.get("SnapStart", OFF)["ApplyOn"] == ON_PUBLISHED)


def setting(configuration: Mapping[str, Any], number: int, *, active: bool) -> dict[str, str]:
    """SnapStartResponse of a version."""
    on = active and is_on(configuration, number)
    apply_on = configuration.get("SnapStart", OFF)["ApplyOn"]
    return {"ApplyOn": apply_on, "OptimizationStatus": "On" if on else "Off"}


def check(configuration: Mapping[str, Any]) -> None:
    """Raises where SnapStart and the rest of a configuration exclude each other."""
    if configuration["SnapStart"]["ApplyOn"] != ON_PUBLISHED:
        return
    if configuration["PackageType"] == "Image":
        raise invalid("SnapStart is not supported for functions created with container images.")
    runtime = configuration["Runtime"]
    if not _supported(runtime):
        raise invalid(f"{runtime} is not supported for SnapStart enabled functions.")
    if configuration["EphemeralStorage"]["Size"] > _MAX_TMP_MB:
        raise invalid(f"Ephemeral storage over {_MAX_TMP_MB} MB is not supported for SnapStart enabled functions.")


def refuse_provisioned(configuration: Mapping[str, Any], number: int) -> None:
    """Raises for provisioned concurrency of a version that has SnapStart."""
    if is_on(configuration, number):
        raise invalid("Provisioned Concurrency is not supported for SnapStart enabled functions.")


def not_ready() -> ServiceError:
    """An invocation while the snapshot is made. Text of "Troubleshooting SnapStart errors for Lambda functions"."""
    text = "Lambda is initializing your function. It will be ready to invoke once your function state becomes ACTIVE."
    return user_error("SnapStartNotReadyException", text, 409)


def _supported(runtime: str) -> bool:
    parts = _RUNTIME.fullmatch(runtime)
    if parts is None or parts[1] not in _SINCE:
        return False
    return tuple(int(part) for part in parts.groups()[1:] if part) >= _SINCE[parts[1]]
