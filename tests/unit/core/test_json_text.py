"""JSON is told from what is none exactly as Python's parser tells it, in windows."""

import json
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from undercast.core import json_text
from undercast.core.json_text import MAX_DEPTH, _Scan, check

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**20)) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)
SOUP = st.text(alphabet='[]{},:"\\u0019aeE+-. \n\ttrufalsn\x01', max_size=24)


def scanned(text: str) -> bool:
    """Whether the scan takes it, whatever its size."""
    try:
        for _ in _Scan(text).windows():
            pass
    except json.JSONDecodeError:
        return False
    return True


def parsed(text: str) -> bool:
    """Whether Python's parser takes it; NaN and Infinity are no JSON."""
    try:
        json_text._DECODER.decode(text)
    except ValueError:
        return False
    return True


@settings(max_examples=100)
@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_every_value_is_taken(value: object, ascii_only: bool, indent: int | None) -> None:
    """RFC 8259, with and without white space and escapes."""
    assert scanned(json.dumps(value, ensure_ascii=ascii_only, indent=indent))


@settings(max_examples=200)
@given(SOUP | st.builds(lambda value, at, bit: _wounded(json.dumps(value), at, bit), VALUES, st.integers(0), SOUP))
def test_what_is_no_json_is_refused_like_the_parser_does(text: str) -> None:
    """Same verdict on odd texts."""
    assert scanned(text) == parsed(text)


@settings(max_examples=200)
@given(SOUP | VALUES.map(json.dumps))
def test_a_small_text_is_checked_like_the_parser_does(text: str) -> None:
    """White space around the value, nothing at all, something behind it."""
    try:
        json_text.check_small(text)
    except json.JSONDecodeError:
        assert not parsed(text)
    else:
        assert parsed(text)


def _wounded(text: str, at: int, bit: str) -> str:
    at %= len(text)
    return text[:at] + bit[:2] + text[at + 1 :]


BIG = 600_000
SHAPES = {
    "numbers": "[" + "1," * (BIG // 2) + "1]",
    "objects": json.dumps({f"k{i}": [{"a": i, "b": "x"}] for i in range(BIG // 30)}),
    "plain string": '"' + "a" * BIG + '"',
    "escapes": '"' + "\\n\\u00e9" * (BIG // 8) + '"',
    "nested": "[" + "[[[[1]]]]," * (BIG // 10) + "1]",
    "long keys": json.dumps({"k" * 100_000 + str(i): i for i in range(BIG // 100_000)}),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_large_text_is_looked_at_in_windows(shape: str) -> None:
    """None of them takes the loop for long: at least one pause for each two windows of text."""
    text = SHAPES[shape]
    assert sum(1 for _ in _Scan(text).windows()) >= len(text) // (2 * json_text._WINDOW)


@pytest.mark.parametrize("shape", SHAPES)
async def test_large_text_with_a_wrong_end_is_refused(shape: str) -> None:
    """The last character counts."""
    await check(SHAPES[shape])
    for text in (SHAPES[shape][:-1], SHAPES[shape] + "]"):
        with pytest.raises(json.JSONDecodeError):
            await check(text)


NESTS = {"arrays": ("[", "]", 1), "objects": ('{"a":', "}", 1), "odd names": ('{"\\\\\\"][":[', "]}", 2)}


@pytest.mark.parametrize("size", [0, 10, 100_000])
@pytest.mark.parametrize("kind", NESTS)
async def test_nesting_is_bounded(size: int, kind: str) -> None:
    """A thousand levels are taken and no more: whatever the parser in C takes, and however deep the caller is."""
    opening, closing, levels = NESTS[kind]
    filler = '[[["]"]]],' * (size // 10)
    times = (MAX_DEPTH - 2) // levels
    exact = f"[{filler}{opening * times}[]{closing * times}]"
    await check(exact)
    assert scanned(exact)
    json_text.load(exact, lambda value: None, lambda: None)
    for more in (f"[{exact}]", f"[{filler}{'[' * 20_000}{']' * 20_000}]", f"[{filler}{'[' * 5_000}{']' * 5_000}]"):
        assert not scanned(more)
        with pytest.raises(json.JSONDecodeError):
            await check(more)
        with pytest.raises(json.JSONDecodeError):
            json_text.load(more, lambda value: None, lambda: None)


@pytest.mark.parametrize("left", [1, 2, 5, 9, 12])
@given(value=VALUES)
def test_depth_is_counted_outside_of_strings(left: int, value: object) -> None:
    """Whatever brackets, quotes and escapes the strings have."""
    text = json.dumps(value)
    try:
        json_text.check_depth(text, left)
    except json.JSONDecodeError:
        assert depth_of(value) > left
    else:
        assert depth_of(value) <= left


def depth_of(value: object) -> int:
    """Levels of arrays and objects."""
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


DEEP_AND_WIDE = [
    f"[{opening * depth}{inner}{closing * depth},{opening * depth}{inner}{closing * depth}]"
    for depth in (400, 800, 900)
    for opening, closing in (("[", "]"), ('{"a":', "}"))
    for inner in ("[" + "1," * 17_000 + "1]", "[" + "[[[[1]]]]," * 4_000 + "1]")
]


@pytest.mark.parametrize("loads", [False, True])
@pytest.mark.parametrize("text", DEEP_AND_WIDE, ids=range(len(DEEP_AND_WIDE)))
def test_what_is_deep_and_wide_costs_what_is_flat(monkeypatch: pytest.MonkeyPatch, text: str, loads: bool) -> None:
    """What the parser in C is given grows with the text, not with text times depth; and others have their turn."""
    given_it: list[int] = []
    between: list[int] = []
    for name in ("_SCAN", "_CHECK_SCAN"):
        monkeypatch.setattr(json_text, name, _counted(vars(json_text)[name], given_it))

    def pause() -> None:
        between.append(sum(given_it) - sum(between))

    if loads:
        assert json.dumps(json_text.load(text, lambda value: None, pause), separators=(",", ":")) == text
    else:
        for _ in _Scan(text).windows():
            pause()
    pause()
    assert max(between) <= 3 * json_text._WINDOW
    assert sum(between) <= 4 * (len(text) + json_text._WINDOW)


def _counted(
    scan: Callable[[str, int], tuple[object, int]], given_it: list[int]
) -> Callable[[str, int], tuple[object, int]]:
    """Counts the characters that are parsed: those of a value, or all where there is none."""

    def counting(text: str, start: int) -> tuple[object, int]:
        end = len(text)
        try:
            value, end = scan(text, start)
        finally:
            given_it.append(end - start)
        return value, end

    return counting


@pytest.mark.parametrize("filler", ["", "1," * 40_000], ids=["small", "large"])
@pytest.mark.parametrize("places", [("", ""), ("[[[[", "]]]]"), ('{"a":', "}")])
async def test_long_numbers_are_json(filler: str, places: tuple[str, str]) -> None:
    """AWS passes a payload's bytes on. Python's `int` refuses more than 4,300 digits: who wants the value gets that."""
    text = f"[{filler}{places[0]}{'7' * 5_000}{places[1]}]"
    await check(text)
    assert scanned(text)
    with pytest.raises(ValueError, match="4300 digits"):
        json_text.load(text, lambda value: None, lambda: None)


def loaded(text: str) -> object:
    """What `load` makes of it, with windows so small that there are many."""
    return json_text.load(text, lambda value: json.dumps(value, ensure_ascii=False).encode(), lambda: None)


@settings(max_examples=200)
@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_a_value_is_built_like_the_parser_builds_it(value: object, ascii_only: bool, indent: int | None) -> None:
    """Whatever it is, with and without white space and escapes."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert repr(loaded(text)) == repr(json.loads(text))


@pytest.mark.parametrize("window", [16, 64])
@pytest.mark.parametrize("indent", [None, 2])
@given(value=VALUES)
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_windows_may_end_anywhere(
    monkeypatch: pytest.MonkeyPatch, window: int, indent: int | None, value: object
) -> None:
    """A run of elements is cut where its window ends; what is deeper than the expression goes is stepped into."""
    monkeypatch.setattr(json_text, "_WINDOW", window)
    monkeypatch.setattr(json_text, "_GLANCES", (4, window))
    text = json.dumps(value, indent=indent)
    assert scanned(text)
    assert repr(loaded(text)) == repr(json.loads(text))


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" ,\n ", "\t: ")])
@pytest.mark.parametrize("element", [7, "x", {"a": 1}, [[[[1]]]], {"a": {"b": {"c": {"d": [None]}}}}])
def test_a_list_is_taken_wherever_its_windows_end(
    monkeypatch: pytest.MonkeyPatch, element: object, separators: tuple[str, str]
) -> None:
    """Twenty beginnings, so that a window ends before, within and behind each separator."""
    monkeypatch.setattr(json_text, "_WINDOW", 256)
    monkeypatch.setattr(json_text, "_GLANCES", (8,))
    for shift in range(20):
        text = json.dumps(["y" * shift, *[element] * (3_000 // len(json.dumps(element)))], separators=separators)
        assert scanned(text)
        assert loaded(text) == json.loads(text)


def test_a_long_event_with_spaces_is_json() -> None:
    """As `json.dumps` writes it: a window that ended between a comma and its space was taken for a mistake."""
    for count in range(30_000, 30_040):
        assert scanned(json.dumps([7] * count))


def test_the_last_of_equal_names_counts() -> None:
    """As in the parser in C, wherever a window ends."""
    text = '{"a": 1, "b": [[[[1]]]], "a": {"c": [[[[2]]]]}, "b": 3}'
    assert loaded(text) == json.loads(text)


@settings(max_examples=200)
@given(SOUP | st.builds(lambda value, at, bit: _wounded(json.dumps(value), at, bit), VALUES, st.integers(0), SOUP))
def test_what_is_no_json_is_not_built(text: str) -> None:
    """Same verdict as the parser's; a half of a surrogate pair is refused by the look."""
    try:
        built = loaded(text)
    except ValueError:
        assert not parsed(text) or not encodable(json.loads(text))
    else:
        assert repr(built) == repr(json.loads(text))


def encodable(value: object) -> bool:
    """Whether all its texts are."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def test_a_long_text_gives_others_their_turn() -> None:
    """Once for two windows of 32,768 characters, or what costs as much."""
    turns: list[None] = []
    for unit in ('"ab",', "[[[[[[1]]]]]],", f'"{"x" * 3000}",'):
        text = f'{{"a": [{unit * (400_000 // len(unit))}0]}}'
        turns.clear()
        assert json_text.load(text, lambda value: None, lambda: turns.append(None)) == json.loads(text)
        assert len(turns) >= 6
