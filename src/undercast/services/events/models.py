"""Event buses, rules and their targets as frozen data.

Pure. AWS: EventBridge API Reference, EventBus, Rule, Target.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any, NamedTuple

from undercast.core import json_values
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.events.patterns import NOTHING, InvalidPattern, Pattern, compile_pattern
from undercast.services import unparsed
from undercast.services.events.errors import invalid, invalid_pattern
from undercast.store.database import Row

PRINCIPAL = "events.amazonaws.com"
DEFAULT_BUS = "default"
DEFAULT_ATTEMPTS = 185
DEFAULT_AGE_S = 86_400
"""EventBridge User Guide, "How EventBridge retries delivering events"."""
_BUS_ARN = re.compile(r"arn:aws[\w-]*:events:([a-z0-9-]+):(\d{12}):event-bus/(.+)", re.ASCII)
_RULE_ARN = re.compile(r"arn:aws[\w-]*:events:([a-z0-9-]+):(\d{12}):rule/(?:(.+)/)?([^/]+)", re.ASCII)


class BusName(NamedTuple):
    """Which event bus."""

    scope: Scope
    name: str

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:events:{self.scope.region}:{self.scope.account_id}:event-bus/{self.name}"


class RuleName(NamedTuple):
    """Which rule."""

    bus: BusName
    name: str

    @property
    def arn(self) -> str:
        """Its ARN, which leaves out the default bus."""
        scope = self.bus.scope
        path = self.name if self.bus.name == DEFAULT_BUS else f"{self.bus.name}/{self.name}"
        return f"arn:aws:events:{scope.region}:{scope.account_id}:rule/{path}"


def bus_named(text: str | None, scope: Scope) -> BusName:
    """The bus that a name or an ARN means; the default one where nothing is given."""
    found = _BUS_ARN.fullmatch(text or "")
    if found is not None:
        return BusName(Scope(AccountId(found[2]), Region(found[1])), found[3])
    return BusName(scope, text or DEFAULT_BUS)


def bus_of_arn(arn: str) -> BusName | None:
    """The bus of an ARN; None for what is none."""
    found = _BUS_ARN.fullmatch(arn)
    return None if found is None else BusName(Scope(AccountId(found[2]), Region(found[1])), found[3])


def rule_of_arn(arn: str) -> RuleName | None:
    """The rule of an ARN; None for what is none."""
    found = _RULE_ARN.fullmatch(arn)
    if found is None:
        return None
    return RuleName(BusName(Scope(AccountId(found[2]), Region(found[1])), found[3] or DEFAULT_BUS), found[4])


@record
class Target:
    """One target of a rule. `given` is what PutTargets got."""

    id: str
    arn: str
    given: Mapping[str, Any]

    @property
    def role_arn(self) -> str:
        """RoleArn."""
        return str(self.given.get("RoleArn", ""))

    @property
    def dead_letter_arn(self) -> str:
        """The queue of DeadLetterConfig."""
        return str((self.given.get("DeadLetterConfig") or {}).get("Arn", ""))

    @property
    def attempts(self) -> int:
        """How often a delivery is tried again."""
        return int((self.given.get("RetryPolicy") or {}).get("MaximumRetryAttempts", DEFAULT_ATTEMPTS))

    @property
    def age_s(self) -> int:
        """How long a delivery is tried."""
        return int((self.given.get("RetryPolicy") or {}).get("MaximumEventAgeInSeconds", DEFAULT_AGE_S))


@record
class Rule:
    """One rule with its targets."""

    name: RuleName
    pattern: str
    compiled: Pattern | None
    """None for a rule that has a schedule only."""
    schedule: str
    state: str
    description: str | None
    role_arn: str
    created_by: str
    anchored_at: float
    """From when a rate counts: the rule was made, enabled, or got another expression then."""
    tags: Mapping[str, str] = field(default_factory=dict)
    targets: tuple[Target, ...] = ()

    @property
    def is_enabled(self) -> bool:
        """Whether it does anything."""
        return self.state != "DISABLED"

    def described(self) -> dict[str, Any]:
        """As ListRules shows it."""
        shown = {
            "Name": self.name.name,
            "Arn": self.name.arn,
            "EventPattern": self.pattern,
            "ScheduleExpression": self.schedule,
            "State": self.state,
            "Description": self.description,
            "RoleArn": self.role_arn,
            "EventBusName": self.name.bus.name,
        }
        return {name: value for name, value in shown.items() if value not in ("", None)}


@record
class Archive:
    """Keeps the events of a bus that match its pattern."""

    scope: Scope
    name: str
    bus: str
    pattern: str
    compiled: Pattern | None
    description: str | None
    retention_days: int
    """0 for ever."""
    kms_key_id: str
    created_at: float

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:events:{self.scope.region}:{self.scope.account_id}:archive/{self.name}"

    def wants(self, document: Mapping[str, Any]) -> bool:
        """Whether it keeps an event. What is replayed is kept already."""
        return "replay-name" not in document and (self.compiled is None or self.compiled.matches(document))


@record
class Bus:
    """One event bus with its rules. `settings` are Description, KmsKeyIdentifier and DeadLetterConfig."""

    name: BusName
    policy: Mapping[str, Any] | None
    settings: Mapping[str, Any]
    tags: Mapping[str, str]
    created_at: float | None
    """None for a default bus that nobody has changed yet."""
    changed_at: float | None
    rules: tuple[Rule, ...] = ()
    archives: tuple["Archive", ...] = ()

    def rule(self, name: str) -> Rule | None:
        """By its name."""
        return next((rule for rule in self.rules if rule.name.name == name), None)


def compiled(text: str) -> Pattern:
    """The pattern of a text. Raises InvalidEventPatternException."""
    try:
        return compile_pattern(json_values.parse(text, object_pairs_hook=_unique))
    except InvalidPattern as error:
        raise invalid_pattern(str(error)) from error
    except RecursionError as error:
        raise invalid_pattern("Event pattern is too complex") from error
    except ValueError as error:
        raise invalid_pattern(unparsed.reason(error)) from error


def given_pattern(text: str) -> Pattern:
    """The pattern that a request gives. Raises InvalidEventPatternException.

    That of everything is none: AWS's event-ruler, RuleCompiler.parseObject, refuses an empty object at any depth.
    """
    pattern = compiled(text)
    if not pattern.keys:
        raise invalid_pattern("Empty objects are not allowed")
    return pattern


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise InvalidPattern(f"Path `{double}` cannot be allowed multiple times")
    return found


def _kept(text: str) -> Pattern:
    """The pattern of a row. One that an older version took, and that is refused now, matches nothing."""
    try:
        return compiled(text)
    except ServiceError:
        return NOTHING


def archive_of(row: Row) -> Archive:
    """What a row of events_archive says."""
    return Archive(
        scope=Scope(AccountId(row["account_id"]), Region(row["region"])),
        name=row["name"],
        bus=row["bus"],
        pattern=row["pattern"],
        compiled=_kept(row["pattern"]) if row["pattern"] else None,
        description=row["description"],
        retention_days=row["retention_days"],
        kms_key_id=row["kms_key_id"],
        created_at=row["created_at"],
    )


def bus_of(row: Row, rules: tuple[Rule, ...] = (), archives: tuple[Archive, ...] = ()) -> Bus:
    """What a row of events_bus says."""
    return Bus(
        name=BusName(Scope(AccountId(row["account_id"]), Region(row["region"])), row["name"]),
        policy=json.loads(row["policy"]) if row["policy"] else None,
        settings=json.loads(row["settings"]),
        tags=json.loads(row["tags"]),
        created_at=row["created_at"],
        changed_at=row["changed_at"],
        rules=rules,
        archives=archives,
    )


def rule_of(row: Row, targets: tuple[Target, ...] = ()) -> Rule:
    """What a row of events_rule says."""
    scope = Scope(AccountId(row["account_id"]), Region(row["region"]))
    return Rule(
        name=RuleName(BusName(scope, row["bus"]), row["name"]),
        pattern=row["pattern"],
        compiled=_kept(row["pattern"]) if row["pattern"] else None,
        schedule=row["schedule"],
        state=row["state"],
        description=row["description"],
        role_arn=row["role_arn"],
        created_by=row["created_by"],
        anchored_at=row["anchored_at"],
        tags=json.loads(row["tags"]),
        targets=targets,
    )


def target_of(row: Row) -> Target:
    """What a row of events_target says."""
    given = json.loads(row["given"])
    return Target(id=row["id"], arn=given["Arn"], given=given)


def tags_of(given: Any) -> dict[str, str]:
    """AWS's list as a mapping. Raises ValidationException."""
    tags = {tag["Key"]: tag["Value"] for tag in given or ()}
    if any(name.lower().startswith("aws:") for name in tags):
        raise invalid("aws: prefixed tag key names are not allowed for external use.")
    if len(tags) > 50:
        raise invalid("The number of tags exceeds the limit of 50.")
    return tags
