"""Sampling rules: their checks, the default rule, and how programs share a rule's reservoir.

Pure but for `Reservoirs`, which remembers who asked lately.
AWS: X-Ray Developer Guide, "Configuring sampling rules", "Using sampling rules with the X-Ray API" (quotas, 10 s).
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.errors import refused_member
from undercast.services.xray.errors import invalid
from undercast.services.xray.store import Rule

DEFAULT = "Default"
MAX_RULES = 25
INTERVAL_S = 10
_TTL_S = 60.0
"""How long a quota may be used, and how long a program counts that has not asked again."""
_KEPT = (
    "RuleName", "ResourceARN", "Priority", "FixedRate", "ReservoirSize", "ServiceName", "ServiceType", "Host",
    "HTTPMethod", "URLPath", "Version", "Attributes",
)  # fmt: skip
MATCHED = {"ResourceARN": "*", "ServiceName": "*", "ServiceType": "*", "Host": "*", "HTTPMethod": "*", "URLPath": "*"}


def default_rule() -> Rule:
    """One request a second and 5 % of the rest, of everything. It can be changed and not deleted."""
    rule = {
        "RuleName": DEFAULT,
        "Priority": 10_000,
        "FixedRate": 0.05,
        "ReservoirSize": 1,
        **MATCHED,
        "Version": 1,
        "Attributes": {},
    }
    return Rule(name=DEFAULT, rule=rule)


def checked(given: Mapping[str, Any]) -> dict[str, Any]:
    """The rule that CreateSamplingRule asks for. Raises InvalidRequestException."""
    _refuse_boost("CreateSamplingRule", "SamplingRule", given)
    name = given.get("RuleName", "")
    if not name or name == DEFAULT:
        raise invalid("A rule needs a RuleName, which is not Default.")
    if given["Version"] != 1:
        raise invalid("The version of a sampling rule is 1.")
    if not 0 <= given["FixedRate"] <= 1:
        raise invalid("FixedRate is between 0 and 1.")
    if given["ResourceARN"] != "*":
        raise invalid("ResourceARN of a sampling rule is *.")
    rule = {member: given[member] for member in _KEPT if member in given}
    return rule | {"Attributes": dict(given.get("Attributes") or {})}


def changed(rule: Mapping[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    """The rule behind an UpdateSamplingRule. Raises InvalidRequestException."""
    _refuse_boost("UpdateSamplingRule", "SamplingRuleUpdate", update)
    wanted = {member: value for member, value in update.items() if member in _KEPT and member != "RuleName"}
    fixed = set(wanted) - {"FixedRate", "ReservoirSize"}
    if rule["RuleName"] == DEFAULT and fixed:
        raise invalid("Only FixedRate and ReservoirSize of the default rule can be changed.")
    if not 0 <= wanted.get("FixedRate", 0) <= 1:
        raise invalid("FixedRate is between 0 and 1.")
    if wanted.get("ResourceARN", "*") != "*":
        raise invalid("ResourceARN of a sampling rule is *.")
    if not 1 <= wanted.get("Priority", 1) <= 9999 or wanted.get("ReservoirSize", 0) < 0:
        raise invalid("Priority is between 1 and 9999, ReservoirSize not negative.")
    return {**rule, **wanted}


def _refuse_boost(operation: str, member: str, given: Mapping[str, Any]) -> None:
    if "SamplingRateBoost" in given:
        raise refused_member(operation, f"{member}.SamplingRateBoost", "there is no sampling boost")


class Reservoirs:
    """Divides the reservoir of a rule among the programs that ask for their part."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str, str, str], dict[str, float]] = {}

    def quota(self, key: tuple[str, str, str], client_id: str, size: int, now: float) -> tuple[int, float]:
        """This program's part, at least one while there are any, and until when. `key`: account, region, rule."""
        asked = {one: at for one, at in self._asked.get(key, {}).items() if now - at < _TTL_S}
        asked[client_id] = now
        self._asked[key] = asked
        return (max(1, size // len(asked)) if size else 0), now + _TTL_S

    def clear(self) -> None:
        """Forget everybody."""
        self._asked.clear()
