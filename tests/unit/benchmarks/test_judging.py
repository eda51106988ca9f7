"""The verdicts: a lost round counts, a floor that is not met says nothing, a recorded miss has a ceiling."""

import math

import pytest

from benchmarks.figures import CALLS, FIGURES, SOURCES, Figure, Round
from benchmarks.judging import Verdict, Word, judge, recorded_misses
from benchmarks.record import PAGE

ABOVE = "SQS send above boto3 / ministack's"
WARM = "warm invoke / floor"
THROUGHPUT = "throughput 8 / floor"


def verdict(name: str, rounds: list[Round], recorded: float | None = None) -> Verdict:
    """Of one figure."""
    found = judge(rounds, {} if recorded is None else {name: recorded})
    return next(one for one in found if one.figure.name == name)


def above(ours: float, peer: float, floor: float) -> Round:
    """A round of the figure above boto3; its bound is 0.5."""
    return {"sqs_send_ours": ours, "sqs_send_ministack": peer, "sqs_send_boto3": floor}


@pytest.mark.parametrize("peer", [2.0, 1.9])
def test_a_round_with_the_peer_at_or_below_the_floor_is_lost(peer: float) -> None:
    """Left out of the median, it would make a figure of the rounds that we win."""
    lost, won = above(ours=2.5, peer=peer, floor=2.0), above(ours=2.2, peer=3.0, floor=2.0)
    found = verdict(ABOVE, [lost, won, won])
    assert (found.word, found.rounds[0]) == (Word.KEPT, math.inf)
    assert found.median == pytest.approx(0.2)
    assert verdict(ABOVE, [lost, won, lost]).word is Word.MISS
    assert verdict(ABOVE, [lost, lost, lost], recorded=1.05).word is Word.WORSE


@pytest.mark.parametrize("below", [above(1.9, 3.0, 2.0), above(1.9, 1.8, 2.0), above(2.0, 2.0, 2.0)])
def test_ours_below_the_floor_is_not_judged(below: Round) -> None:
    """No server is faster than the one that does nothing: the floor of that round was measured wrongly."""
    kept = above(ours=2.2, peer=3.0, floor=2.0)
    found = verdict(ABOVE, [kept, below, kept])
    assert (found.word, found.median, found.rounds[1]) == (Word.FLOOR_NOT_MET, None, None)
    assert verdict(ABOVE, [below, below, below], recorded=0.6).word is Word.FLOOR_NOT_MET


def test_ours_at_the_floor_costs_nothing() -> None:
    assert verdict(ABOVE, [above(ours=2.0, peer=3.0, floor=2.0)]).median == 0.0


def test_a_peer_that_is_missing_is_not_judged() -> None:
    found = verdict(ABOVE, [{"sqs_send_ours": 2.0, "sqs_send_boto3": 1.0}])
    assert (found.word, found.rounds) == (Word.NOT_MEASURED, ())


@pytest.mark.parametrize(
    ("ratio", "recorded", "word"),
    [
        (1.5, None, Word.KEPT),
        (1.51, None, Word.MISS),
        (2.9, 2.0, Word.RECORDED),
        (3.1, 2.0, Word.WORSE),
        (1.4, 2.0, Word.KEPT),
    ],
)
def test_a_recorded_miss_may_be_worse_by_half(ratio: float, recorded: float | None, word: Word) -> None:
    rounds: list[Round] = [{"warm_ours": ratio, "warm_floor": 1.0}]
    assert verdict(WARM, rounds, recorded).word is word


@pytest.mark.parametrize(("ratio", "word"), [(0.6, Word.KEPT), (0.3, Word.RECORDED), (0.25, Word.WORSE)])
def test_a_recorded_miss_of_a_least_value_may_be_less_by_half(ratio: float, word: Word) -> None:
    rounds: list[Round] = [{"rps8_ours": ratio * 1000, "rps8_floor": 1000.0}]
    assert verdict(THROUGHPUT, rounds, recorded=0.52).word is word


def test_the_median_decides() -> None:
    rounds: list[Round] = [{"warm_ours": ours, "warm_floor": 1.0} for ours in (1.0, 9.0, 1.4)]
    assert (verdict(WARM, rounds).median, verdict(WARM, rounds).word) == (1.4, Word.KEPT)


def test_each_line_of_a_miss_names_a_figure_and_its_value() -> None:
    """A line that is not understood would exempt nothing, and would say otherwise."""
    page = PAGE.read_text(encoding="utf-8")
    recorded = recorded_misses(page)
    assert len(recorded) == page.count("\n- miss: ")
    assert recorded.keys() <= {figure.name for figure in FIGURES}


def test_the_issue_bounds_its_sources_from_both_clocks() -> None:
    """Issue 4: SNS <= 2 ms, SQS <= 3 ms, DynamoDB stream <= 4 ms, Kinesis <= 4 ms."""

    def bounds(clock: str) -> list[float]:
        names = [f"{shown}, {clock} to handler's first line" for shown, _, _ in SOURCES]
        return [one.bound for name in names for one in FIGURES if one.name == name and one.over is None]

    assert bounds("request's first byte") == bounds("boto3's call") == [2.0, 3.0, 4.0, 4.0]


def test_each_name_is_one_figure() -> None:
    figures: tuple[Figure, ...] = FIGURES
    assert len({figure.name for figure in figures}) == len(figures) > len(CALLS)
