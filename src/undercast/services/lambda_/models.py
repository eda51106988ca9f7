"""Functions, versions and aliases as they are stored, and as AWS returns them.

Pure. AWS: Lambda API Reference, "FunctionConfiguration", "AliasConfiguration".
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from undercast.core.arn import Scope
from undercast.core.record import record
from undercast.sandbox.model import FunctionVersion, Logging
from undercast.services.lambda_ import snapstart
from undercast.services.lambda_.images.faults import reason_code
from undercast.services.lambda_.images.use import ImageUse
from undercast.services.lambda_.layers import LayerUse
from undercast.services.lambda_.names import LATEST, function_arn, qualified

PENDING, ACTIVE, FAILED = "Pending", "Active", "Failed"
IN_PROGRESS, SUCCESSFUL = "InProgress", "Successful"
DEFAULT_MEMORY_MB = 128
DEFAULT_TIMEOUT_S = 3
DEFAULT_TMP_MB = 512


@record
class Function:
    """What all versions of a function share."""

    scope: Scope
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    reserved_concurrency: int | None = None
    recursive_loop: str = "Terminate"

    @property
    def arn(self) -> str:
        """Unqualified."""
        return function_arn(self.scope, self.name)


@record
class Version:
    """One version. `configuration` holds the members of FunctionConfiguration that a user sets, by AWS's names."""

    scope: Scope
    name: str
    number: int
    """0 is $LATEST."""
    configuration: Mapping[str, Any]
    code_sha256: str
    """Of the zip, hexadecimal; also the id of its blob."""
    code_size: int
    unzipped_bytes: int = 0
    folder: str = ""
    """Of this machine, where the code is (hot reload); "" for an archive."""
    image: ImageUse | None = None
    """A container image in place of a package; `code_sha256` is its manifest's."""
    layers: tuple[LayerUse, ...] = ()
    """The later one's files win."""
    revision_id: str
    modified_at: float
    state: str = PENDING
    state_reason: str = ""
    update_status: str = ""
    """Empty while the function is being created."""
    update_reason: str = ""

    @property
    def code(self) -> tuple[str, ...]:
        """The digests of all that it runs; it holds one reference to the blob of each."""
        return (self.code_sha256, *(layer.code_sha256 for layer in self.layers))

    @property
    def archives(self) -> tuple[str, ...]:
        """Those of them that are unpacked."""
        return self.code[1:] if self.folder or self.image is not None else self.code

    @property
    def shown_digest(self) -> str:
        """CodeSha256: base64 of a package's, hexadecimal of an image's."""
        return code_digest(self.code_sha256) if self.image is None else self.code_sha256

    @property
    def version(self) -> str:
        """ "$LATEST" or the number."""
        return str(self.number) if self.number else LATEST

    @property
    def arn(self) -> str:
        """The function's ARN, unqualified."""
        return function_arn(self.scope, self.name)


@record
class Alias:
    """A name for a version; `weights` sends a share of the invokes to one other version."""

    scope: Scope
    name: str
    alias: str
    version: str
    description: str
    weights: Mapping[str, float]
    revision_id: str

    def output(self) -> dict[str, Any]:
        """AliasConfiguration."""
        routing = {"RoutingConfig": {"AdditionalVersionWeights": dict(self.weights)}} if self.weights else {}
        return {
            "AliasArn": qualified(function_arn(self.scope, self.name), self.alias),
            "Name": self.alias,
            "FunctionVersion": self.version,
            "Description": self.description,
            "RevisionId": self.revision_id,
            **routing,
        }


def code_digest(sha256: str) -> str:
    """CodeSha256: base64 of the digest."""
    return base64.b64encode(bytes.fromhex(sha256)).decode()


def timestamp(moment: float) -> str:
    """LastModified: 2026-11-21T09:30:00.000+0000."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(moment % 1 * 1000):03}+0000"


def summary(version: Version, qualifier: str | None) -> dict[str, Any]:
    """FunctionConfiguration without the states, as ListFunctions and ListVersionsByFunction give it."""
    return {
        **version.configuration,
        "SnapStart": snapstart.setting(version.configuration, version.number, active=version.state == ACTIVE),
        "FunctionName": version.name,
        "FunctionArn": qualified(version.arn, qualifier),
        "CodeSize": version.code_size,
        "CodeSha256": version.shown_digest,
        "LastModified": timestamp(version.modified_at),
        "Version": version.version,
        "RevisionId": version.revision_id,
        **({"Layers": [layer.output() for layer in version.layers]} if version.layers else {}),
    }


def output(version: Version, qualifier: str | None) -> dict[str, Any]:
    """FunctionConfiguration whole."""
    found = {**summary(version, qualifier), "State": version.state}
    if version.state == PENDING:
        found |= {"StateReason": "The function is being created.", "StateReasonCode": "Creating"}
    elif version.state == FAILED:
        found |= {"StateReason": version.state_reason, "StateReasonCode": _failure_code(version.state_reason)}
    if version.update_status:
        found["LastUpdateStatus"] = version.update_status
    if version.update_status == IN_PROGRESS:
        found |= {
            "LastUpdateStatusReason": "The function is being created.",
            "LastUpdateStatusReasonCode": "Creating",
        }
    elif version.update_status == FAILED:
        found |= {
            "LastUpdateStatusReason": version.update_reason,
            "LastUpdateStatusReasonCode": _failure_code(version.update_reason),
        }
    return found


def _failure_code(reason: str) -> str:
    if code := reason_code(reason):
        return code
    return "FunctionError" if reason.startswith(snapstart.NO_SNAPSHOT) else "InvalidZipFileException"


def executable(version: Version, folder: Callable[[str], Path]) -> FunctionVersion:
    """What the sandbox runs; `folder` says where the archive with a digest is unpacked."""
    configuration = version.configuration
    return FunctionVersion(
        arn=version.arn,
        name=version.name,
        version=version.version,
        revision=version.revision_id,
        account_id=version.scope.account_id,
        region=version.scope.region,
        runtime=configuration.get("Runtime", ""),
        handler=configuration.get("Handler", ""),
        container=version.image.container(configuration) if version.image is not None else None,
        code_dir=Path(version.folder) if version.folder else folder(version.code_sha256),
        live=bool(version.folder),
        layers=tuple(folder(layer.code_sha256) for layer in version.layers),
        environment=configuration.get("Environment", {}).get("Variables", {}),
        memory_mb=configuration["MemorySize"],
        timeout_s=configuration["Timeout"],
        tmp_mb=configuration["EphemeralStorage"]["Size"],
        role_arn=configuration["Role"],
        log_group=configuration["LoggingConfig"]["LogGroup"],
        logging=_logging(configuration["LoggingConfig"]),
        code_sha256=version.code_sha256,
        snap_start=snapstart.is_on(configuration, version.number),
        traces_actively=configuration.get("TracingConfig", {}).get("Mode") == "Active",
    )


def _logging(configuration: Mapping[str, Any]) -> Logging:
    if configuration["LogFormat"] != "JSON":
        return Logging()
    return Logging(
        is_json=True,
        application_level=configuration["ApplicationLogLevel"],
        system_level=configuration["SystemLogLevel"],
    )
