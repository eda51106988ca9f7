"""The rule of a composite alarm as text.

AWS: CloudWatch API Reference, PutCompositeAlarm, AlarmRule (up to 10,240 characters).
"""

import time

import pytest

from undercast.services.cloudwatch.rules import RuleProblem, parse


def cost(blanks: int) -> float:
    """CPU seconds for a rule that is refused."""
    began = time.thread_time()
    for _ in range(20):
        with pytest.raises(RuleProblem):
            parse("ALARM(" + " " * blanks + "(")
    return time.thread_time() - began


def test_a_rule_is_read_in_time_that_grows_with_its_length() -> None:
    """Blanks behind a parenthesis were gone through by the third power of their number."""
    assert cost(400) < 10 * max(cost(100), 0.002)


@pytest.mark.parametrize(
    "rule",
    ["ALARM(a b)", 'ALARM( "a b" )', "alarm(\n a b )", 'ALARM("a b")', "ALARM(arn:aws:cloudwatch:r:1:alarm:a b)"],
)
def test_the_name_of_an_alarm_stands_with_and_without_quotes(rule: str) -> None:
    """Blanks around it are not part of it."""
    assert parse(rule).children == ("a b",)


@pytest.mark.parametrize("rule", ["ALARM()", 'ALARM("a)', 'ALARM(a"b")', "ALARM(a", 'ALARM("a" b)'])
def test_what_is_no_name_is_refused(rule: str) -> None:
    """A rule with such a term is none."""
    with pytest.raises(RuleProblem):
        parse(rule)
