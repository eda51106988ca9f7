"""What Lambda measures: by which names, and in which minute.

AWS: Lambda Developer Guide, "Types of metrics for Lambda functions".
"""

from typing import Any

from tests.fakes import START, FakeClock
from undercast.core.arn import AccountId, Region
from undercast.core.metrics import Metrics, Tally
from undercast.sandbox.model import FunctionVersion, Invocation, InvocationResult
from undercast.services.lambda_.concurrency import Lane
from undercast.services.lambda_.measures import Measures

ARN = "arn:aws:lambda:us-east-1:111122223333:function:f"


def invocation(qualifier: str = "", version: str = "$LATEST") -> Invocation:
    """One under a name."""
    settings: dict[str, Any] = {"revision": "r", "runtime": "python3.12", "handler": "h", "code_dir": None}
    function = FunctionVersion(
        arn=ARN,
        name="f",
        version=version,
        account_id=AccountId("111122223333"),
        region=Region("us-east-1"),
        role_arn="role",
        log_group="/aws/lambda/f",
        **settings,
    )
    return Invocation(request_id="1", function=function, payload=b"", invoked_arn=f"{ARN}:{qualifier}".rstrip(":"))


class Taken:
    """What has gathered, by name and dimensions' values."""

    def __init__(self, metrics: Metrics) -> None:
        self.points = metrics.take()

    def of(self, name: str, *values: str, at_s: float | None = None) -> Tally:
        """The one tally of a metric."""
        (found,) = [
            tally
            for point, tally in self.points.items()
            if point.series.name == name
            and tuple(value for _, value in point.series.dimensions) == values
            and at_s in (None, point.at_s)
        ]
        return found


def test_an_alias_has_its_own_concurrency() -> None:
    """Under the alias one, of the function two, of the account two; behind the alias the version is named."""
    metrics, clock = Metrics(), FakeClock()
    measures = Measures(metrics, clock)
    plain, alias = measures.begin(invocation()), measures.begin(invocation("live", "7"))
    measures.end(alias, InvocationResult(payload=b"", duration_ms=0.5, function_error="Unhandled"))
    alias.reported(2.5, 40)
    measures.leave(alias)
    measures.leave(plain)
    taken = Taken(metrics)
    assert taken.of("ConcurrentExecutions", "f", "f:live").high == 1
    assert taken.of("ConcurrentExecutions", "f").high == 2
    assert taken.of("ConcurrentExecutions").high == 2
    assert taken.of("Duration", "7", "f", "f:live").total == 2.5
    assert (taken.of("Errors", "f").total, taken.of("Errors", "f").count) == (1, 1)
    again = measures.begin(invocation())
    assert again.function.running == 1


def test_a_point_is_of_the_minute_in_which_the_invocation_began() -> None:
    """However late it ends; what was handed over already is not handed over twice."""
    metrics, clock = Metrics(), FakeClock(START - START % 60 + 59)
    measures = Measures(metrics, clock)
    row = measures.begin(invocation())
    assert Taken(metrics).of("ConcurrentExecutions", "f").count == 1
    clock.tick(2)
    later = measures.begin(invocation())
    measures.end(later, InvocationResult(payload=b""))
    later.reported(1.0, 40)
    measures.end(row, InvocationResult(payload=b""))
    row.reported(60.0, 40)
    taken = Taken(metrics)
    minute = int(START - START % 60)
    assert taken.of("Duration", "f", at_s=minute).total == 60
    assert taken.of("Duration", "f", at_s=minute + 60).total == 1
    assert taken.of("ConcurrentExecutions", "f", at_s=minute + 60).high == 2


def test_provisioned_concurrency_has_its_own_metrics() -> None:
    """How much of it is used, and how many invocations found it full."""
    metrics = Metrics()
    measures = Measures(metrics, FakeClock())
    lane = Lane(4, is_reserved=False, running=1)
    measures.provisioned(measures.begin(invocation("live", "7")), lane)
    measures.provisioned(measures.begin(invocation("live", "7")), None)
    taken = Taken(metrics)
    assert taken.of("ProvisionedConcurrencyUtilization", "f", "f:live").total == 0.25
    assert taken.of("ProvisionedConcurrencyInvocations", "f").total == 1
    assert taken.of("ProvisionedConcurrencySpilloverInvocations", "f", "f:live").total == 1


def test_throttles_are_no_invocations_and_noted_ones_have_every_name() -> None:
    """DeadLetterErrors and their like are noted as they happen."""
    metrics = Metrics()
    measures = Measures(metrics, FakeClock())
    measures.throttled(invocation("live", "7"))
    measures.note(f"{ARN}:live", "DeadLetterErrors", 1.0)
    taken = Taken(metrics)
    assert taken.of("Throttles", "f", "f:live").total == 1
    assert [one for one in taken.points if one.series.name == "Invocations"] == []
    for names in ((), ("f",), ("f", "f:live")):
        assert taken.of("DeadLetterErrors", *names).total == 1
