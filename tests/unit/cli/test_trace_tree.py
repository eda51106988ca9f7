"""`undercast trace` folds what looks the same, and nothing else."""

from collections.abc import Sequence
from typing import Any

import pytest

from undercast.cli.trace_tree import Tree


class Graph:
    """Made of edges; labels by node."""

    def __init__(self) -> None:
        self.nodes: dict[str, dict[str, Any]] = {}
        self.edges: list[dict[str, str]] = []

    def add(self, node_id: str, kind: str, label: str, causes: Sequence[str] = ()) -> str:
        self.nodes[node_id] = {"id": node_id, "kind": kind, "label": label}
        self.edges += [{"from": cause, "to": node_id} for cause in causes]
        return node_id

    def shown(self, asked: str = "", *, folds: bool = True) -> list[str]:
        return list(Tree(nodes=[*self.nodes.values()], edges=self.edges, asked=asked, folds=folds).lines())


def failing(attempts: int) -> Graph:
    """An event that is tried so often, and then given up."""
    graph = Graph()
    graph.add("d", "delivery", "lambda f")
    for number in range(1, attempts + 1):
        graph.add(f"d!{number}", "error", "ValueError", ["d"])
        kind = "dead" if number == attempts else "retry"
        graph.add(f"d#{number}", kind, f"attempt {number}: ValueError", ["d"])
    return graph


def burst(messages: int, of_one_batch: int = 10) -> Graph:
    """A call that sends messages, which a function gets in batches; the fourth one fails."""
    graph = Graph()
    graph.add("call", "call", "sqs:SendMessageBatch q")
    ids = [graph.add(f"m{number}", "message", "message to q", ["call"]) for number in range(messages)]
    for start in range(0, messages, of_one_batch):
        batch = graph.add(f"i{start}", "invocation", "lambda:Invoke f", ids[start : start + of_one_batch])
        if start == 3 * of_one_batch:
            graph.add(f"{batch}!", "error", "KeyError", [batch])
    return graph


def test_of_many_attempts_the_first_and_the_last_are_shown() -> None:
    """Attempts differ by their numbers alone; what they came to at last is shown, too."""
    assert failing(40).shown("d") == [
        "lambda f  delivery d",
        "├─ ValueError  error d!1",
        "├─ … 38 more like this one, before the last (--all shows them)",
        "├─ attempt 1: ValueError  retry d#1",
        "├─ … 37 more like this one, before the last (--all shows them)",
        "├─ attempt 39: ValueError  retry d#39",
        "├─ ValueError  error d!40",
        "└─ attempt 40: ValueError  dead d#40",
    ]


def test_the_three_attempts_of_an_asynchronous_event_are_shown() -> None:
    """A fold of one saves nothing."""
    assert not any("more like" in line for line in failing(3).shown("d"))


def test_all_shows_all() -> None:
    """Every node has its line."""
    assert len(failing(40).shown("d", folds=False)) == 81


def test_messages_whose_batch_failed_are_not_folded_with_the_others() -> None:
    """Of the 90 that went well, and of the 10 that did not, the first and the last."""
    assert burst(100).shown("call") == [
        "sqs:SendMessageBatch q  call call",
        "├─ message to q  message m0",
        "│  └─ lambda:Invoke f  invocation i0",
        "├─ … 88 more like this one, before the last (--all shows them)",
        "├─ message to q  message m30",
        "│  └─ lambda:Invoke f  invocation i30",
        "│     └─ KeyError  error i30!",
        "├─ … 8 more like this one, before the last (--all shows them)",
        "├─ message to q  message m39",
        "│  └─ lambda:Invoke f  invocation i30 (above)",
        "└─ message to q  message m99",
        "   └─ lambda:Invoke f  invocation i90",
    ]


def test_what_was_asked_for_is_shown() -> None:
    """Also in the middle of many that look the same."""
    lines = burst(100).shown("m55")
    assert [line for line in lines if "m55" in line] == ["├─ message to q  message m55"]


def test_roots_that_look_the_same_are_folded() -> None:
    """A batch of a hundred messages from as many calls."""
    graph = Graph()
    sent = [graph.add(f"m{number}", "message", "message to q") for number in range(100)]
    graph.add("i", "invocation", "lambda:Invoke f", sent)
    assert graph.shown("i") == [
        "message to q  message m0",
        "└─ lambda:Invoke f  invocation i",
        "… 98 more like this one, before the last (--all shows them)",
        "message to q  message m99",
        "└─ lambda:Invoke f  invocation i (above)",
    ]


@pytest.mark.parametrize("folds", [True, False])
def test_a_long_chain_is_shown_to_its_end(folds: bool) -> None:
    """Of more steps than Python has calls."""
    graph = Graph()
    graph.add("0", "message", "message")
    for number in range(1, 2000):
        graph.add(str(number), "message", "message", [str(number - 1)])
    assert graph.shown("0", folds=folds)[-1].endswith("message 1999")
