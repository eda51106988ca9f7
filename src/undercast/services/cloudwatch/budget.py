"""What one evaluation may cost, reading included: a request, or an alarm, holds nobody up for longer than some seconds.

Ours: CloudWatch does not say what it computes at most. Stored points of metrics that a request names itself are free:
there are at most 500, and each is read once. What searches, Metrics Insights queries and bands read is counted.
"""

from undercast.services.cloudwatch.lines import MathProblem

UNITS = 20_000_000
"""One for each character, series and data point that is handled."""
ROW = 20
"""Units of a stored point that is counted: to read it takes so many times as long as to add it to another."""


class Budget:
    """Of one evaluation."""

    def __init__(self, units: int = UNITS) -> None:
        self.units = units
        self._left = units

    def spend(self, units: int) -> None:
        """Raises MathProblem when there is nothing left."""
        self._left -= units
        if self._left < 0:
            raise MathProblem("the expressions take too much computing")
