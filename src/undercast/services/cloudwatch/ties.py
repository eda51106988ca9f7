"""Which composite alarms of a scope look at which alarms, and which have them as suppressors.

Read once in a transaction; who is tied to whom does not change in it, states do. Places are topological: whoever looks
at an alarm comes behind it, so that all that it looks at has been evaluated before it. Cycles are possible, as on AWS,
and there the places say nothing.
AWS: CloudWatch API Reference, PutCompositeAlarm.
"""

from collections.abc import Iterable, Mapping, Sequence

from undercast.core.arn import Scope
from undercast.core.record import record
from undercast.services.cloudwatch import alarm_store
from undercast.services.cloudwatch.alarms import COMPOSITE, Alarm
from undercast.services.cloudwatch.rules import Rule, parse
from undercast.store.database import Tx


@record
class Ties:
    """By the name of an alarm, the names of composite alarms in order."""

    parents: Mapping[str, Sequence[str]]
    """Their rules name it."""
    suppressed: Mapping[str, Sequence[str]]
    """It is their suppressor."""

    def places_behind(self, first: str) -> dict[str, int]:
        """All that its change can reach, each with its place. Without recursion: a chain may be as long as it likes."""
        left, seen = [], {first}
        way = [(first, iter(self.parents.get(first, ())))]
        while way:
            name, parents = way[-1]
            parent = next((one for one in parents if one not in seen), None)
            if parent is None:
                left.append(name)
                way.pop()
            else:
                seen.add(parent)
                way.append((parent, iter(self.parents.get(parent, ()))))
        return {name: place for place, name in enumerate(reversed(left))}


NO_TIES = Ties(parents={}, suppressed={})


def ties_of(tx: Tx, scope: Scope) -> Ties:
    """Of a scope, as this transaction sees it."""
    return ties_among(alarm_store.of_scope(tx, scope, COMPOSITE))


def ties_among(composites: Iterable[Alarm]) -> Ties:
    """Of these composite alarms alone."""
    parents: dict[str, list[str]] = {}
    suppressed: dict[str, list[str]] = {}
    for composite in composites:
        for child in rule_of(composite).children:
            parents.setdefault(child, []).append(composite.name)
        if composite.suppressor:
            suppressed.setdefault(composite.suppressor, []).append(composite.name)
    return Ties(parents=parents, suppressed=suppressed)


def rule_of(composite: Alarm) -> Rule:
    """Its rule, which was checked when it was put."""
    return parse(composite.settings["AlarmRule"])
