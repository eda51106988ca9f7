"""What a run writes into docs/benchmarks.md takes the place of what the last one wrote, and nothing else."""

import pytest

from benchmarks.judging import judge, recorded_misses
from benchmarks.record import PAGE, blocks, figure_table, load, rewritten

ABOUT = {"Undercast": "v1-2-gabcdef; uvloop 1"}
ROUNDS = [{"warm_ours": 1.0, "warm_floor": 0.8, "put1k_ours": 3.0, "put1k_ministack": 2.0, "put1k_boto3": 2.5}] * 2


def test_a_run_replaces_its_tables_on_the_page() -> None:
    """Twice written is once written; the prose stays."""
    page = PAGE.read_text(encoding="utf-8")
    written = blocks(ABOUT, ROUNDS, judge(ROUNDS, recorded_misses(page)))
    once = rewritten(page, written)
    assert rewritten(once, written) == once
    for block in written.values():
        assert once.count(block) == 1
    assert "| Undercast | v1-2-gabcdef; uvloop 1 |" in once
    assert recorded_misses(once) == recorded_misses(page)
    assert once.count("\n## ") == page.count("\n## ")


def test_a_page_without_the_marks_is_not_written() -> None:
    with pytest.raises(ValueError, match="one place for figures"):
        rewritten("# A page\n", {"figures": "| |"})


def test_the_table_shows_bound_median_rounds_and_verdict() -> None:
    table = figure_table(judge(ROUNDS, {}))
    assert "| warm invoke / floor | <= 1.5 | 1.25 | 1.25 1.25 | kept |" in table
    assert "| S3 put 1 KiB above boto3 / ministack's | <= 0.5 | inf | inf inf | MISS |" in table
    assert "| idle memory | <= 70 MiB | - |  | not measured |" in table


def test_a_run_is_quiet_only_where_the_machine_was() -> None:
    """Of a run above the bound it says when it was."""
    quiet = {"busy_cores_before_cold": 0.02, "busy_cores_before_warm": 0.25, "warm_ours": 9.0}
    assert load([quiet], 0.25) == "quiet: other programs used at most 0.25 cores before a part"
    busy = load([quiet, {"busy_cores_before_warm": 0.26}], 0.25)
    assert busy == "other programs used more than 0.25 cores: 0.26 before warm of round 2"
    assert load(ROUNDS, 0.25) == "not measured"
