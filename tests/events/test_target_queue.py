"""The window of one target: whatever is added, taken and read again, no row is lost or taken twice."""

from hypothesis import given
from hypothesis import strategies as st

from undercast.events.settlement import hold
from undercast.events.target_queue import EVERYTHING, NOTHING, WINDOW, Entry, Name, TargetQueue, Turns

Rows = dict[str, tuple[float, int]]


def refill(queue: TargetQueue, rows: Rows) -> None:
    beyond = sorted((key, name) for name, key in rows.items() if key > queue.horizon)[:WINDOW]
    horizon = beyond[-1][0] if len(beyond) == WINDOW else EVERYTHING
    queue.refill([Entry(*key, name) for key, name in beyond], horizon)


@given(
    st.lists(st.integers(0, 5), max_size=900),
    st.lists(st.integers(0, 8), max_size=900),
    st.integers(0, 2**16),
)
def test_every_row_is_taken_once(early: list[int], late: list[int], seed: int) -> None:
    """Rows that were there before, rows that come between two takes, retries with a later due time."""
    rows: Rows = {f"e{number}": (float(due), number) for number, due in enumerate(early)}
    coming = [(f"l{number}", (float(due), 10_000 + number)) for number, due in enumerate(late)]
    queue = TargetQueue(Name("arn:a"), Turns(), NOTHING)
    taken: list[str] = []
    retried = False
    while True:
        for name, key in coming[: 1 + seed % 7]:
            rows[name] = key
            queue.add(Entry(*key, name))
        coming = coming[1 + seed % 7 :]
        if queue.is_short:
            refill(queue, rows)
        entry = queue.take(100.0)
        if entry is None:
            if not coming:
                break
            continue
        if not retried and len(taken) == seed % 50:
            retried = True
            rows[entry.id] = (50.0, entry.order)
            queue.end(entry.id)
            queue.add(Entry(50.0, entry.order, entry.id))
            continue
        taken.append(entry.id)
        del rows[entry.id]
        queue.end(entry.id)
    assert sorted(taken) == sorted([f"e{n}" for n in range(len(early))] + [f"l{n}" for n in range(len(late))])
    assert rows == {}
    assert queue.is_over
    assert queue.turns.in_flight == 0


def test_a_queue_whose_store_fails_waits_longer_each_time() -> None:
    """Twice as long behind each failure in a row, at most five minutes; its rows are read again then."""
    queue, waits = TargetQueue(Name("arn:a"), Turns()), []
    for _ in range(12):
        queue.add(Entry(0.0, 1, "row"))
        hold(queue, OSError("disk full"), 100.0)
        waits.append(queue.held_until - 100.0)
        assert (queue.take(1000.0), queue.horizon) == (None, NOTHING)
    assert waits[:4] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == 300.0
