"""Parameters and their versions as frozen data, and the forms in which requests name them.

Pure. AWS: Systems Manager User Guide, "AWS Systems Manager Parameter Store", "Working with parameter versions",
"Working with parameter labels".
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from undercast.core.arn import AccountId, Arn, Region, Scope
from undercast.core.clock import moment
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.services.ssm.errors import invalid
from undercast.store.database import Row

SECRET_PREFIX = "/aws/reference/secretsmanager/"
SECURE = "SecureString"
MAX_LEVELS = 15
_NAME = re.compile(r"[a-zA-Z0-9_.\-/]+", re.ASCII)
_RESERVED = re.compile(r"/?(aws|ssm)", re.IGNORECASE)
_SYMBOLS = (
    "If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of "
    "letters, numbers and the following 3 symbols .-_"
)


@record
class Version:
    """One version of a parameter."""

    scope: Scope
    name: str
    version: int
    value: str
    type: str
    key_id: str
    data_key: str
    """The encrypted data key of an advanced SecureString; "" else."""
    data_type: str
    tier: str
    description: str
    allowed_pattern: str
    policies: str
    """The JSON array as it was given; "" for none."""
    applied: tuple[int, ...]
    """The places of the policies that were applied."""
    labels: tuple[str, ...]
    modified_at: float
    modified_by: str

    @property
    def arn(self) -> str:
        """The parameter's ARN: a leading slash of the name is not doubled."""
        return parameter_arn(self.scope, self.name)

    def output(self, value: str, selector: str = "") -> dict[str, Any]:
        """Parameter, as GetParameter gives it."""
        result = {
            "Name": self.name,
            "Type": self.type,
            "Value": value,
            "Version": self.version,
            "LastModifiedDate": moment(self.modified_at),
            "ARN": self.arn,
            "DataType": self.data_type,
        }
        return {**result, "Selector": f":{selector}"} if selector else result

    def described(self) -> dict[str, Any]:
        """ParameterMetadata."""
        result: dict[str, Any] = {
            "Name": self.name,
            "ARN": self.arn,
            "Type": self.type,
            "LastModifiedDate": moment(self.modified_at),
            "LastModifiedUser": self.modified_by,
            "Version": self.version,
            "Tier": self.tier,
            "Policies": [
                {
                    "PolicyText": json.dumps(policy),
                    "PolicyType": policy["Type"],
                    "PolicyStatus": "Finished" if place in self.applied else "Pending",
                }
                for place, policy in enumerate(json.loads(self.policies) if self.policies else ())
            ],
            "DataType": self.data_type,
        }
        for member, text in (
            ("KeyId", self.key_id),
            ("Description", self.description),
            ("AllowedPattern", self.allowed_pattern),
        ):
            if text:
                result[member] = text
        return result


def version_of(row: Row) -> Version:
    """A version from its row."""
    return Version(
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        name=row["name"],
        version=row["version"],
        value=row["value"],
        type=row["type"],
        key_id=row["key_id"],
        data_key=row["data_key"],
        data_type=row["data_type"],
        tier=row["tier"],
        description=row["description"],
        allowed_pattern=row["allowed_pattern"],
        policies=row["policies"],
        applied=tuple(json.loads(row["applied"])),
        labels=tuple(json.loads(row["labels"])),
        modified_at=row["modified_at"],
        modified_by=row["modified_by"],
    )


def parameter_arn(scope: Scope, name: str) -> str:
    """AWS: Service Authorization Reference, "AWS Systems Manager", resource types."""
    return str(Arn.of(scope, "ssm", f"parameter/{name.removeprefix('/')}"))


class Wanted(NamedTuple):
    """What the Name of a GetParameter says."""

    scope: Scope
    name: str
    selector: str
    """A version's number or label; "" for the newest."""


def parse_name(text: str, scope: Scope) -> Wanted:
    """A name or an ARN, with ":version" or ":label" behind it. Raises ValidationException."""
    selector = ""
    if text.startswith("arn:"):
        arn = Arn.parse(text)
        scope = Scope(AccountId(arn.account_id), Region(arn.region))
        text = arn.resource.removeprefix("parameter")
        if text.count("/") == 1:
            text = text[1:]  # the ARN of "name" is parameter/name, that of "/a/name" parameter/a/name
    if text.startswith(SECRET_PREFIX):
        return Wanted(scope, text, "")
    name, colon, selector = text.partition(":")
    if colon and (not selector or ":" in selector):
        raise invalid(f"Parameter name: {text} has an invalid selector.")
    if not _NAME.fullmatch(name):
        raise invalid(f"Invalid Parameter name. Please use correct syntax for referencing a version/label {text}")
    return Wanted(scope, name, selector)


def check_new_name(name: str) -> None:
    """Raises ValidationException or HierarchyLevelLimitExceededException for what a parameter cannot be called."""
    if reserved := _RESERVED.match(name):
        prefix = reserved[1].lower()
        if name.startswith("/") and prefix == "aws":
            raise invalid(f"No access to reserved parameter name: {name}.")
        raise invalid(f'Parameter name: can\'t be prefixed with "{prefix}" (case-insensitive). {_SYMBOLS}')
    if not _NAME.fullmatch(name):
        raise invalid(f"Parameter name: can't be formed like this. {_SYMBOLS}")
    if "/" in name and not name.startswith("/"):
        raise invalid("Parameter name must be a fully qualified name.")
    if name.endswith("/") or "//" in name:
        raise invalid(f"Parameter name must not end with a slash or contain empty levels. {_SYMBOLS}")
    if name.count("/") > MAX_LEVELS:
        text = f"Parameter hierarchies are limited to a maximum depth of {MAX_LEVELS} levels."
        raise ServiceError("HierarchyLevelLimitExceededException", text)


def tags_of(given: Any) -> Mapping[str, str]:
    """AWS's list as a mapping."""
    return {tag["Key"]: tag["Value"] for tag in given or ()}
