"""Records: data whose methods are written when the first of them is called."""

import gc
import threading
import weakref
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Generic, TypeVar

import pytest

from undercast.core.record import record, write_ahead

T = TypeVar("T")


def make() -> type:
    """A new class of the same kind each time: none of its methods has been written."""

    @record
    class Place:
        """Where something is."""

        bucket: str
        key: str = "index.html"
        tags: Mapping[str, str] = field(default_factory=dict, hash=False)
        note: str = field(default="", compare=False)

        @property
        def path(self) -> str:
            return f"{self.bucket}/{self.key}"

    return Place


def dear() -> type:
    """The same as a dataclass writes it at once."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Place:
        """Where something is."""

        bucket: str
        key: str = "index.html"
        tags: Mapping[str, str] = field(default_factory=dict, hash=False)
        note: str = field(default="", compare=False)

    return Place


def test_a_record_is_made_compared_hashed_and_shown_as_a_dataclass() -> None:
    """Whichever is asked for first."""
    place, other = make(), dear()
    one = place(bucket="photos", note="a")
    assert (one.bucket, one.key, one.tags, one.note, one.path) == ("photos", "index.html", {}, "a", "photos/index.html")
    assert repr(one) == repr(other(bucket="photos", note="a")).replace("dear", "make")
    assert hash(one) == hash(other(bucket="photos"))
    assert one == place(bucket="photos", note="b")
    assert one != place(bucket="photos", key="b")
    assert one != other(bucket="photos", note="a")
    assert place(bucket="a").tags is not place(bucket="a").tags
    assert [each.name for each in fields(place)] == [each.name for each in fields(other)]
    assert replace(one, key="b") == place(bucket="photos", key="b")


@pytest.mark.parametrize("wrong", [{}, {"bucket": "a", "size": 1}])
def test_what_a_dataclass_refuses_is_refused_in_its_words(wrong: Mapping[str, object]) -> None:
    """The first time and the second."""
    place, other = make(), dear()
    with pytest.raises(TypeError) as expected:
        other(**wrong)
    for _ in range(2):
        with pytest.raises(TypeError) as found:
            place(**wrong)
        assert str(found.value) == str(expected.value).replace("dear", "make")
    with pytest.raises(TypeError):
        place("photos")


def test_methods_are_written_once() -> None:
    """Nothing of the first call is left on the way of the next ones."""
    place = make()
    before = dict(vars(place))
    one = place(bucket="a")
    assert vars(place)["__init__"] is not before["__init__"]
    assert vars(place)["__eq__"] is before["__eq__"]
    assert one == place(bucket="a")
    written = dict(vars(place))
    assert one == place(bucket="a")
    assert dict(vars(place)) == written


def test_there_is_no_place_for_more_than_the_fields() -> None:
    """Slots."""
    one = make()(bucket="a")
    with pytest.raises(AttributeError):
        one.size = 1
    assert not hasattr(one, "__dict__")


def test_a_method_that_the_class_has_is_its_own() -> None:
    """As with a dataclass."""

    @record
    class Opaque:
        """Shown without what it holds."""

        secret: str

        def __repr__(self) -> str:
            return "Opaque"

    one = Opaque(secret="a")
    assert one == Opaque(secret="a")
    assert repr(one) == "Opaque"
    assert hash(one) == hash(Opaque(secret="a"))


def test_a_record_may_take_its_fields_by_position() -> None:
    """The constructor, and a pattern that matches it; keywords stay possible."""

    @record(kw_only=False)
    class Pair:
        """Of two numbers."""

        left: int
        right: int = 2

    assert Pair(1) == Pair(1, 2) == Pair(left=1, right=2)
    match Pair(3, 4):
        case Pair(left, right):
            assert (left, right) == (3, 4)
    with pytest.raises(TypeError):
        Pair(1, 2, 3)  # type: ignore[call-arg]


def test_a_comparison_of_its_own_needs_a_hash_of_its_own() -> None:
    """Python takes the hash from such a class, and a record would say nothing of it until somebody asks."""

    class Version:
        number: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Version)

    with pytest.raises(TypeError, match="Version defines __eq__ and no __hash__"):
        record(Version)

    @record
    class Place:
        """Compared by identity."""

        bucket: str
        __eq__ = object.__eq__
        __hash__ = object.__hash__

    one, other = Place(bucket="a"), Place(bucket="a")
    assert one != other
    assert {one: 1}.get(other) is None


def test_a_record_may_extend_another() -> None:
    """Each has its own methods."""

    @record
    class Base(Generic[T]):
        """With one field."""

        value: T

    @record
    class More(Base[int]):
        """With two."""

        size: int = 0

    assert repr(Base(value=1)).endswith("Base(value=1)")
    assert repr(More(value=1)).endswith("More(value=1, size=0)")
    assert More(value=1, size=2) != More(value=1)
    assert Base(value=1) != More(value=1)


def test_many_threads_make_the_first_at_once() -> None:
    """What is loaded in a thread is used on the loop."""
    for _ in range(20):
        place = make()
        made: list[object] = []
        barrier = threading.Barrier(8)

        def first(place: type = place, made: list[object] = made, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(60)
            made.append(place(bucket="a"))

        threads = [threading.Thread(target=first) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert made == [place(bucket="a")] * 8


def test_a_record_is_frozen_for_mypy_alone() -> None:
    """The interpreter lets it be changed, where a frozen dataclass takes four times as long to be made."""
    place = make()
    one = place(bucket="a")
    one.bucket = "b"
    assert one.bucket == "b"
    with pytest.raises(FrozenInstanceError):
        dear()(bucket="a").bucket = "b"


def test_methods_are_written_ahead_one_record_after_another() -> None:
    """What a first call would have waited for; what was called meanwhile is not written again."""
    for _ in write_ahead():
        pass
    ahead, called, own = make(), make(), make()
    called(bucket="b")
    before, late = vars(called)["__init__"], vars(ahead)["__init__"]
    writing = write_ahead()
    next(writing)
    assert vars(ahead)["__init__"] is not late
    assert vars(ahead)["__init__"].__code__.co_varnames[:2] == ("self", "bucket")
    assert vars(called)["__init__"] is before
    assert vars(own)["__init__"].__code__.co_varnames[:2] == ("self", "values")
    assert list(writing) == [None]
    assert own(bucket="b") == own(bucket="b", key="index.html")
    assert next(write_ahead(), "nothing is left") == "nothing is left"


def test_a_record_that_nobody_calls_goes_when_its_module_does() -> None:
    """Written ahead or not: nothing of ours keeps it."""
    gone = weakref.ref(make())
    gc.collect()
    assert gone() is None
