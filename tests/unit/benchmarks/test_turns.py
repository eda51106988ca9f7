"""A floor is measured between the calls that stand on it."""

from benchmarks.turns import Work, times_in_turn


def test_servers_take_turns_at_each_call() -> None:
    """Operations one after the other; a server that lacks one is left out of it; warm-ups are not counted."""
    made: list[str] = []

    def work(name: str) -> Work:
        return lambda number: made.append(f"{name}{number}")

    ours = {"put": work("ours-put"), "get": work("ours-get")}
    times = times_in_turn({"ours": ours, "floor": {"put": work("floor-put")}}, calls=1, warm_up=1)
    assert made == ["ours-put0", "floor-put0", "ours-put1", "floor-put1", "ours-get0", "ours-get1"]
    assert {name: len(taken) for name, taken in times.items()} == {"put_ours": 1, "put_floor": 1, "get_ours": 1}
