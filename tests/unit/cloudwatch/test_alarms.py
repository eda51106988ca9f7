"""What data points mean to an alarm, and the rules of composite alarms.

AWS: CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data" (both tables), "Create a composite
alarm".
"""

import pytest

from undercast.services.cloudwatch.judging import Condition, judge
from undercast.services.cloudwatch.rules import RuleProblem, parse

OK, ALARM, UNKNOWN, SAME = "OK", "ALARM", "INSUFFICIENT_DATA", "unchanged"
KINDS = ("missing", "ignore", "breaching", "notBreaching")


def states(points: str, to_alarm: int) -> tuple[str, ...]:
    """The state for each treatment of missing data: 0 is within the threshold, X breaches, - is missing."""
    values = {"0": 0.0, "X": 9.0, "-": None}
    given = [(at * 60, values[one]) for at, one in enumerate(points.split())]
    found = []
    for missing in KINDS:
        condition = Condition(
            comparison="GreaterThanThreshold", threshold=5.0, periods=3, to_alarm=to_alarm, missing=missing
        )
        verdict = judge(condition, given, OK)
        found.append(SAME if verdict is None else verdict.state)
    return tuple(found)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ("0 - X - X", (OK, OK, OK, OK)),
        ("0 - - - -", (OK, OK, OK, OK)),
        ("- - - - -", (UNKNOWN, SAME, ALARM, OK)),
        ("0 X X - X", (ALARM, ALARM, ALARM, ALARM)),
        ("- - - - X", (UNKNOWN, SAME, ALARM, OK)),
        ("X - - - -", (ALARM, SAME, ALARM, OK)),
    ],
)
def test_three_of_three(points: str, expected: tuple[str, ...]) -> None:
    """The first table: missing, ignore, breaching, notBreaching."""
    assert states(points, 3) == expected


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ("0 - X - X", (ALARM, ALARM, ALARM, ALARM)),
        ("0 0 X 0 X", (ALARM, ALARM, ALARM, ALARM)),
        ("0 - X - -", (OK, OK, ALARM, OK)),
        ("- - - - 0", (OK, OK, ALARM, OK)),
        ("- - - - X", (UNKNOWN, SAME, ALARM, OK)),
    ],
)
def test_two_of_three(points: str, expected: tuple[str, ...]) -> None:
    """The second table."""
    assert states(points, 2) == expected


@pytest.mark.parametrize(
    ("points", "to_alarm", "evaluated"),
    [("X X X 0 0", 2, "0 0 X"), ("X - X 0 0", 2, "0 0 X"), ("X X 0 X X", 3, "X X 0"), ("X X X 0 -", 3, "0 X X")],
)
def test_older_data_points_than_the_evaluation_periods_do_not_count(points: str, to_alarm: int, evaluated: str) -> None:
    """The range is longer, for data that are missing: where enough are there, the newest of them are used."""
    assert states(points, to_alarm) == (OK, OK, OK, OK)
    condition = Condition(
        comparison="GreaterThanThreshold", threshold=5.0, periods=3, to_alarm=to_alarm, missing="missing"
    )
    values = {"0": 0.0, "X": 9.0, "-": None}
    verdict = judge(condition, [(at * 60, values[one]) for at, one in enumerate(points.split())], OK)
    assert verdict is not None
    assert [value for _, value in verdict.evaluated] == [values[one] for one in evaluated.split()]


def test_reasons_are_awss() -> None:
    """As in the samples of "Alarm events and EventBridge"."""
    one = Condition(comparison="GreaterThanThreshold", threshold=50, periods=1, to_alarm=1, missing="missing")
    verdict = judge(one, [(1570035540, 99.50160229693434)], OK)
    assert verdict is not None
    assert verdict.reason == (
        "Threshold Crossed: 1 out of the last 1 datapoints [99.50160229693434 (02/10/19 16:59:00)] was greater than "
        "the threshold (50.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    verdict = judge(one, [(1569937560, 0.0666851903306472)], ALARM)
    assert verdict is not None
    assert verdict.reason == (
        "Threshold Crossed: 1 out of the last 1 datapoints [0.0666851903306472 (01/10/19 13:46:00)] was not greater "
        "than the threshold (50.0) (minimum 1 datapoint for ALARM -> OK transition)."
    )
    many = Condition(comparison="LessThanThreshold", threshold=5, periods=6, to_alarm=6, missing="missing")
    verdict = judge(many, [(at * 60, 1.0) for at in range(6)], OK)
    assert verdict is not None
    assert verdict.reason.startswith(
        "Threshold Crossed: 6 out of the last 6 datapoints were less than the threshold (5.0). The most recent "
        "datapoints which crossed the threshold: [1.0 (01/01/70 00:05:00), 1.0 (01/01/70 00:04:00), "
    )
    unknown = judge(one, [(0, None), (60, None)], OK)
    assert unknown is not None
    assert unknown.reason == "Insufficient Data: 2 datapoints were unknown."


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("ALARM(a)", True),
        ('ALARM("a") AND OK(b)', True),
        ("ALARM(b) OR ALARM(a) AND NOT OK(b)", False),
        ("(ALARM(b) OR ALARM(a)) AND NOT ALARM(b)", True),
        ("INSUFFICIENT_DATA(c)", True),
        ("NOT (TRUE AND FALSE)", True),
        ("ALARM(arn:aws:cloudwatch:us-east-1:123456789012:alarm:a)", True),
        ("ALARM(none) OR OK(none)", False),
        ("alarm(a) and true", True),
    ],
)
def test_a_rule_holds(rule: str, expected: bool) -> None:
    """NOT before AND before OR; names and ARNs."""
    known = {"a": ALARM, "b": OK, "c": UNKNOWN}
    assert parse(rule).holds(known.get) is expected


def test_a_rule_names_its_alarms_and_its_mistakes() -> None:
    """Each alarm once, in order."""
    assert parse('ALARM(b) OR (ALARM("a b") AND NOT OK(b))').children == ("b", "a b")
    for wrong in (
        "",
        "ALARM()",
        "ALARM(a) AND",
        "(ALARM(a)",
        "ALARM(a))",
        "UP(a)",
        "ALARM(a) ALARM(b)",
        "(" * 99 + "TRUE",
    ):
        with pytest.raises(RuleProblem):
            parse(wrong)
    with pytest.raises(RuleProblem, match="100"):
        parse(" OR ".join(f"ALARM(a{number})" for number in range(101)))
