"""What Lambda tells CloudWatch of every invocation: namespace AWS/Lambda, and of its memory LambdaInsights.

The hot path adds to a row in memory; what the rows mean to each combination of dimensions is worked out when they are
handed over, once a second. Points belong to the minute in which an invocation began. Duration and memory are those of
the REPORT, which is written behind the answer.
AWS: Lambda Developer Guide, "Types of metrics for Lambda functions", "Using Lambda metrics" (dimensions); CloudWatch
User Guide, "Metrics collected by Lambda Insights".
"""

from collections.abc import Callable, Iterator

from undercast.core.arn import Scope
from undercast.core.clock import Clock
from undercast.core.metrics import MINUTE_S, Dimensions, Metrics, Series, Tally
from undercast.sandbox.model import Invocation, InvocationResult
from undercast.services.lambda_.concurrency import Lane

NAMESPACE = "AWS/Lambda"
INSIGHTS = "LambdaInsights"
COUNT, MILLISECONDS, MEGABYTES = "Count", "Milliseconds", "Megabytes"
_MAX_ROWS = 10_000


class Busy:
    """How many invocations run now: under a name, of a function, or in a region of an account."""

    __slots__ = ("running",)

    def __init__(self) -> None:
        self.running = 0


class Row:
    """The invocations of one version under one name that begin in one minute. Emptied by `Measures`."""

    __slots__ = (
        "account",
        "at_s",
        "changed",
        "concurrency",
        "durations",
        "ended",
        "errors",
        "function",
        "invoked_arn",
        "memory",
        "memory_mb",
        "name",
        "provisioned",
        "resource",
        "spillovers",
        "throttles",
        "version",
    )

    def __init__(
        self, invocation: Invocation, at_s: int, busy: tuple[Busy, Busy, Busy], changed: Callable[["Row"], None]
    ) -> None:
        self.changed = changed
        self.invoked_arn = invocation.invoked_arn
        self.version = invocation.function.version
        self.name = invocation.function.name
        self.memory_mb = invocation.function.memory_mb
        self.at_s = at_s
        self.resource, self.function, self.account = busy
        self.empty()

    def reported(self, duration_ms: float, max_memory_used_mb: int) -> None:
        """See `sandbox.model.Meter`."""
        self.durations.append(duration_ms)
        self.memory.append(float(max_memory_used_mb))
        self.changed(self)

    def empty(self) -> None:
        """Nothing is left to hand over."""
        self.ended = 0
        self.durations: list[float] = []
        self.memory: list[float] = []
        """Max Memory Used of each invocation."""
        self.concurrency: list[tuple[int, int, int]] = []
        """(under this name, of the function, of the account) when an invocation began."""
        self.errors = 0
        self.throttles = 0
        self.provisioned: list[tuple[int, int]] = []
        """(running, provisioned) when an invocation began in provisioned concurrency."""
        self.spillovers = 0


class Measures:
    """One per platform; `metrics` takes what it has."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._rows: dict[tuple[str, str], Row] = {}
        self._changed: set[Row] = set()
        self._busy: dict[tuple[str, ...], Busy] = {}
        self._noted: dict[tuple[str, str, str, int], Tally] = {}
        """By name of the function, of the metric, unit and minute."""
        metrics.feed(self._hand_over)

    def throttled(self, invocation: Invocation) -> None:
        """It was turned away."""
        row = self._row(invocation)
        row.throttles += 1
        self._changed.add(row)

    def begin(self, invocation: Invocation) -> Row:
        """It has a place; followed by one `leave`, and by one `end` if it has a result."""
        row = self._row(invocation)
        resource, function, account = row.resource, row.function, row.account
        resource.running += 1
        function.running += 1
        account.running += 1
        row.concurrency.append((resource.running, function.running, account.running))
        self._note(row)
        return row

    def provisioned(self, row: Row, lane: Lane | None) -> None:
        """The version has provisioned concurrency: the lane of it in which this began; None when that was full."""
        if lane is None:
            row.spillovers += 1
        else:
            row.provisioned.append((lane.running, lane.limit))

    def end(self, row: Row, result: InvocationResult) -> None:
        """It has an answer; the row hears of its REPORT by itself."""
        row.ended += 1
        if result.function_error is not None:
            row.errors += 1
        self._changed.add(row)

    def leave(self, row: Row) -> None:
        """Its place is free."""
        row.resource.running -= 1
        row.function.running -= 1
        row.account.running -= 1

    def note(self, invoked_arn: str, name: str, value: float, unit: str = COUNT) -> None:
        """Another metric of a function. Events on their way to it come through here, too."""
        key = (invoked_arn, name, unit, int(self._clock.now()) // MINUTE_S)
        tally = self._noted.get(key)
        if tally is None:
            tally = self._noted[key] = Tally()
        tally.add(value)

    def url_answered(self, arn: str, status: int, latency_ms: float) -> None:
        """A function URL of this function or alias has answered; a stream when it began.

        AWS: Lambda Developer Guide, "Monitoring Lambda function URLs".
        """
        self.note(arn, "UrlRequestCount", 1.0)
        self.note(arn, "UrlRequestLatency", latency_ms, MILLISECONDS)
        if status >= 400:
            self.note(arn, "Url4xxCount" if status < 500 else "Url5xxCount", 1.0)

    def put(self, scope: Scope, name: str, dimensions: Dimensions, value: float) -> None:
        """A count that is not a function's."""
        series = Series.of(scope, NAMESPACE, name, dimensions)
        self._metrics.put(series, value, self._clock.now(), unit=COUNT)

    def clear(self) -> None:
        """A reset: what is not handed over is not to come back."""
        self._rows.clear()
        self._changed.clear()
        self._noted.clear()

    def _row(self, invocation: Invocation) -> Row:
        key = (invocation.invoked_arn, invocation.function.version)
        now = int(self._clock.now())
        row = self._rows.get(key)
        if row is None or not 0 <= now - row.at_s < MINUTE_S:
            row = self._rows[key] = self._new_row(invocation, now - now % MINUTE_S)
        return row

    def _new_row(self, invocation: Invocation, at_s: int) -> Row:
        if len(self._rows) >= _MAX_ROWS:
            self._rows.clear()
            self._busy = {key: busy for key, busy in self._busy.items() if busy.running}
        function = invocation.function
        keys = ((invocation.invoked_arn, ""), (function.arn,), (function.account_id, function.region))
        resource, of_function, account = (self._busy.setdefault(key, Busy()) for key in keys)
        return Row(invocation, at_s, (resource, of_function, account), self._note)

    def _note(self, row: Row) -> None:
        self._changed.add(row)

    def _hand_over(self) -> None:
        noted, self._noted = self._noted, {}
        for (invoked_arn, name, unit, minute), tally in noted.items():
            for dimensions in _dimensions(invoked_arn, ""):
                self._metrics.tally(_series(invoked_arn, name, dimensions), minute * MINUTE_S, unit).merge(tally)
        changed, self._changed = self._changed, set()
        for row in changed:
            durations = Tally.of_values(row.durations)
            counts = [Tally.of_values([float(one) for one in column]) for column in zip(*row.concurrency, strict=True)]
            for dimensions in _dimensions(row.invoked_arn, row.version):
                self._add(row, dimensions, durations)
                if counts:  # from those of the name to those of the account, as dimensions get fewer
                    concurrent = self._tally(row, "ConcurrentExecutions", dimensions)
                    concurrent.merge(counts[max(0, 2 - len(dimensions))])
                self._add_provisioned(row, dimensions)
            self._add_memory(row)
            row.empty()

    def _add_provisioned(self, row: Row, dimensions: Dimensions) -> None:
        """Of functions, versions and aliases, not of the account."""
        if not dimensions or not (row.provisioned or row.spillovers):
            return
        if row.spillovers:
            self._tally(row, "ProvisionedConcurrencySpilloverInvocations", dimensions).add(1.0, row.spillovers)
        for running, limit in row.provisioned:
            self._tally(row, "ProvisionedConcurrencyInvocations", dimensions).add(1.0)
            self._tally(row, "ProvisionedConcurrentExecutions", dimensions).add(float(running))
            self._tally(row, "ProvisionedConcurrencyUtilization", dimensions).add(running / limit)

    def _add_memory(self, row: Row) -> None:
        """Of the function and of its version, whatever name it was invoked by."""
        if not row.memory:
            return
        of_function: Dimensions = (("function_name", row.name),)
        for dimensions in (of_function, (*of_function, ("version", row.version))):
            for name, unit, values in (
                ("used_memory_max", MEGABYTES, row.memory),
                ("total_memory", MEGABYTES, [float(row.memory_mb)] * len(row.memory)),
                ("memory_utilization", "Percent", [100 * used / row.memory_mb for used in row.memory]),
            ):
                series = _series(row.invoked_arn, name, dimensions, INSIGHTS)
                self._metrics.tally(series, row.at_s, unit).merge(Tally.of_values(values))

    def _add(self, row: Row, dimensions: Dimensions, durations: Tally) -> None:
        ended = row.ended
        if durations.count:
            self._tally(row, "Duration", dimensions, MILLISECONDS).merge(durations)
        if ended:
            self._tally(row, "Invocations", dimensions).add(1.0, ended)
            _add_some(self._tally(row, "Errors", dimensions), row.errors, ended)
        if ended or row.throttles:
            _add_some(self._tally(row, "Throttles", dimensions), row.throttles, ended + row.throttles)

    def _tally(self, row: Row, name: str, dimensions: Dimensions, unit: str = COUNT) -> Tally:
        return self._metrics.tally(_series(row.invoked_arn, name, dimensions), row.at_s, unit)


def _add_some(tally: Tally, ones: float, count: float) -> None:
    """So many times 1, and 0 for the others: the average is a rate."""
    if ones:
        tally.add(1.0, ones)
    if count > ones:
        tally.add(0.0, count - ones)


def _dimensions(invoked_arn: str, version: str) -> Iterator[Dimensions]:
    """All functions; the function; the name it was invoked by; behind an alias also the version that ran."""
    parts = invoked_arn.split(":")
    name, qualifier = parts[6], ":".join(parts[7:])
    function = ("FunctionName", name)
    resource = ("Resource", f"{name}:{qualifier}" if qualifier else name)
    yield ()
    yield (function,)
    yield (function, resource)
    if version and qualifier and not qualifier.isdigit() and qualifier != "$LATEST":
        yield (("ExecutedVersion", version), function, resource)


def _series(invoked_arn: str, name: str, dimensions: Dimensions, namespace: str = NAMESPACE) -> Series:
    _, _, _, region, account_id, *_ = invoked_arn.split(":")
    return Series(account_id, region, namespace, name, dimensions)
