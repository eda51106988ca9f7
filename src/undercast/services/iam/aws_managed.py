"""AWS's own managed policies, from a dated data file.

Read once, at the first use. The file says where its documents come from; a policy that it lacks does not exist here.
AWS: "AWS Managed Policy Reference Guide".
"""

import json
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from undercast.core.record import record
from undercast.services.iam.policies import ManagedPolicy, Version

PREFIX = "arn:aws:iam::aws:policy/"


@record
class AwsPolicy:
    """One policy with the version that is in force; AWS keeps older ones, the file does not."""

    policy: ManagedPolicy
    version: Version


class AwsManagedPolicies:
    """All that the data file holds, by ARN."""

    def find(self, arn: str) -> AwsPolicy | None:
        """The policy, or None when the file has none of that ARN."""
        return self.by_arn.get(arn) if arn.startswith(PREFIX) else None

    @cached_property
    def by_arn(self) -> dict[str, AwsPolicy]:
        """ARN -> policy."""
        data = json.loads(Path(__file__).with_name("managed_policies.json").read_text("utf-8"))
        policies = (_policy(entry) for entry in data["policies"])
        return {entry.policy.arn: entry for entry in policies}


def _policy(entry: dict[str, Any]) -> AwsPolicy:
    arn = PREFIX + entry["path"].removeprefix("/") + entry["name"]
    number = int(entry["version"].removeprefix("v"))
    created_at = _moment(entry["updated"])
    policy = ManagedPolicy(
        id="ANPA" + _letters(arn),
        arn=arn,
        name=entry["name"],
        path=entry["path"],
        description=entry.get("description", ""),
        default_version=number,
        latest_version=number,
        created_at=_moment(entry.get("created", entry["updated"])),
        updated_at=created_at,
    )
    document = json.dumps(entry["document"], separators=(",", ":"))
    return AwsPolicy(
        policy=policy, version=Version(number=number, document=document, created_at=created_at, default=True)
    )


def _letters(arn: str) -> str:
    """17 characters that stay the same from start to start; AWS's own ids are not in the reference guide."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    return "".join(alphabet[byte % 32] for byte in sha256(arn.encode()).digest()[:17])


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).astimezone(UTC).timestamp()
