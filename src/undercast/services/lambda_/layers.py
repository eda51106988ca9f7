"""Layers: their versions as stored and as AWS returns them, the references that functions have, the policies.

Pure. A layer version never changes; a function keeps what it references, whatever is deleted later.
AWS: Lambda Developer Guide, "Managing Lambda dependencies with layers", "Lambda quotas" (5 layers, 250 MB unzipped).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from undercast.core.arn import AccountId, Region, Scope
from undercast.core.record import record
from undercast.services.lambda_.errors import invalid, not_found
from undercast.services.lambda_.package import MAX_UNZIPPED_BYTES
from undercast.services.lambda_.permissions import policy_document

MAX_LAYERS = 5
_LAYER_ARN = re.compile(
    r"arn:aws[a-zA-Z-]*:lambda:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):layer:(?P<name>[a-zA-Z0-9-_]{1,140})"
    r"(?::(?P<version>\d+))?"
)


@record
class LayerReference:
    """A layer, and which of its versions is meant (0: none in particular)."""

    scope: Scope
    name: str
    version: int = 0

    @property
    def layer_arn(self) -> str:
        """Without version."""
        return f"arn:aws:lambda:{self.scope.region}:{self.scope.account_id}:layer:{self.name}"

    @property
    def arn(self) -> str:
        """With version."""
        return f"{self.layer_arn}:{self.version}"


@record
class LayerUse:
    """A layer version as a function has it. The function holds a reference to the blob of its own."""

    arn: str
    code_sha256: str
    code_size: int
    unzipped_bytes: int

    def output(self) -> dict[str, Any]:
        """AWS's Layer."""
        return {"Arn": self.arn, "CodeSize": self.code_size}


@record
class LayerVersion:
    """One immutable version. `configuration` holds the members that a user sets, by AWS's names."""

    reference: LayerReference
    configuration: Mapping[str, Any]
    code_sha256: str
    """Of the zip, hexadecimal; also the id of its blob."""
    code_size: int
    unzipped_bytes: int
    created_at: float
    statements: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    policy_revision_id: str = ""

    @property
    def use(self) -> LayerUse:
        """What a function keeps of it."""
        return LayerUse(
            arn=self.reference.arn,
            code_sha256=self.code_sha256,
            code_size=self.code_size,
            unzipped_bytes=self.unzipped_bytes,
        )

    @property
    def policy(self) -> dict[str, Any] | None:
        """Its resource policy, if it has statements."""
        return policy_document(self.statements) if self.statements else None

    def suits(self, runtime: str | None, architecture: str | None) -> bool:
        """Whether the filters of ListLayers and ListLayerVersions let it pass."""
        runtimes = self.configuration.get("CompatibleRuntimes") or ()
        architectures = self.configuration.get("CompatibleArchitectures") or ()
        return (runtime is None or runtime in runtimes) and (architecture is None or architecture in architectures)


def parse_layer(scope: Scope, name_or_arn: str, version: int = 0) -> LayerReference:
    """What LayerName (a name or an ARN) and VersionNumber mean to a caller in this scope."""
    if not name_or_arn.startswith("arn:"):
        return LayerReference(scope=scope, name=name_or_arn, version=version)
    found = parse_layer_arn(name_or_arn)
    if found is None or found.version:
        raise invalid(f"{name_or_arn} is not the ARN of a layer.")
    if found.scope.region != scope.region:
        raise invalid(f"Layers from '{found.scope.region}' are not reachable in this region ('{scope.region}')")
    return LayerReference(scope=found.scope, name=found.name, version=version)


def parse_layer_arn(arn: str) -> LayerReference | None:
    """The layer (version) that an ARN means, in whatever region; None when it is not a layer's."""
    match = _LAYER_ARN.fullmatch(arn)
    if match is None:
        return None
    scope = Scope(AccountId(match["account"]), Region(match["region"]))
    return LayerReference(scope=scope, name=match["name"], version=int(match["version"] or 0))


def parse_references(scope: Scope, arns: Sequence[str]) -> tuple[LayerReference, ...]:
    """The layer versions that a function asks for, in its order; the later one's files win.

    AWS: at most five, all of the function's region, each layer once.
    """
    if len(arns) > MAX_LAYERS:
        raise invalid(f"Cannot reference more than {MAX_LAYERS} layers.")
    found: dict[str, LayerReference] = {}
    for arn in arns:
        reference = parse_layer_arn(arn)
        if reference is None or not reference.version:
            raise missing(arn)
        if reference.scope.region != scope.region:
            raise invalid(
                "Layers are not in the same region as the function. "
                f"Layers are expected to be in region {scope.region}."
            )
        if (other := found.get(reference.layer_arn)) is not None:
            raise invalid(
                "Two different versions of the same layer are not allowed to be referenced in the same function. "
                f"{other.arn} and {arn} are versions of the same layer."
            )
        found[reference.layer_arn] = reference
    return tuple(found.values())


def missing(arn: str) -> Exception:
    """A function asks for a layer version that is not there."""
    return invalid(f"Layer version {arn} does not exist.")


def version_not_found(reference: LayerReference) -> Exception:
    """Operations on a layer version that is not there."""
    return not_found(f"Layer version {reference.arn} does not exist.")


def check_unzipped(code_bytes: int, layers: Sequence[LayerUse]) -> None:
    """Raises when a function and its layers are too large together."""
    total_bytes = code_bytes + sum(layer.unzipped_bytes for layer in layers)
    if layers and total_bytes > MAX_UNZIPPED_BYTES:
        raise invalid(
            f"Function code combined with layers exceeds the maximum allowed size of {MAX_UNZIPPED_BYTES} bytes. "
            f"The actual size is {total_bytes} bytes."
        )


def statement(params: Mapping[str, Any], reference: LayerReference) -> dict[str, Any]:
    """The statement that AddLayerVersionPermission's parameters ask for."""
    principal = params["Principal"]
    organization = params.get("OrganizationId")
    if organization and principal != "*":
        raise invalid("OrganizationId is only allowed with the principal *.")
    if principal.isdigit():
        principal = f"arn:aws:iam::{principal}:root"
    return {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": "*" if principal == "*" else {"AWS": principal},
        "Action": params["Action"],
        "Resource": reference.arn,
        **({"Condition": {"StringEquals": {"aws:PrincipalOrgID": organization}}} if organization else {}),
    }
