"""What EventBridge tells CloudWatch of its rules: namespace AWS/Events, all of it counts.

By RuleName, and of rules of custom buses by EventBusName and RuleName as well.
AWS: EventBridge User Guide, "Monitoring Amazon EventBridge".
"""

from collections import Counter
from collections.abc import Iterable

from undercast.core.clock import Clock
from undercast.core.metrics import Dimensions, Metrics, Series
from undercast.services.events.models import DEFAULT_BUS, Rule, RuleName, rule_of_arn

NAMESPACE = "AWS/Events"
FAILED, SENT, LOST = "FailedInvocations", "InvocationsSentToDlq", "InvocationsFailedToBeSentToDlq"
_COUNT = "Count"


class Measures:
    """One per platform. Only used from the event loop."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock

    def triggered(self, rules: Iterable[Rule]) -> None:
        """An event has matched these rules, or their schedule has come round; each target is invoked."""
        names = Counter({rule.name: len(rule.targets) for rule in rules})
        for name, targets in names.items():
            self._put(name, "TriggeredRules", 1)
            if targets:
                self._put(name, "Invocations", targets)
        for scope in {name.bus.scope for name in names}:
            self._metrics.put(Series.of(scope, NAMESPACE, "MatchedEvents"), 1, self._clock.now(), unit=_COUNT)

    def note(self, rule_arn: str, metric: str) -> None:
        """One more, of a rule."""
        name = rule_of_arn(rule_arn)
        if name is not None:
            self._put(name, metric, 1)

    def _put(self, name: RuleName, metric: str, value: float) -> None:
        of_rule: Dimensions = (("RuleName", name.name),)
        with_bus: Dimensions = (("EventBusName", name.bus.name), *of_rule)
        for dimensions in (of_rule,) if name.bus.name == DEFAULT_BUS else (of_rule, with_bus):
            series = Series.of(name.bus.scope, NAMESPACE, metric, dimensions)
            self._metrics.put(series, value, self._clock.now(), unit=_COUNT)
