"""Updates of nested lists and maps against a model that knows AWS's rules and nothing else.

AWS: DynamoDB Developer Guide, "Using update expressions in DynamoDB": every action sees the item as it was before the
update, elements behind the end of a list are appended by number, and what stays in a list closes up.
"""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undercast.core.errors import ServiceError
from undercast.services.dynamodb.expressions.binding import Bindings
from undercast.services.item_text import Item, Value, dumped, loaded

MISSING: Any = object()
Parts = tuple[str | int, ...]
Write = tuple[str, Parts, Value | None]
"""A section, a path, and the value; None for REMOVE."""

leaves = st.one_of(
    st.builds(lambda number: {"N": str(number)}, st.integers(0, 9)),
    st.builds(lambda found: {"SS": sorted(found)}, st.sets(st.sampled_from("uvw"), min_size=1)),
)
nested: st.SearchStrategy[Value] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda found: {"L": found}, st.lists(inner, max_size=4)),
        st.builds(lambda found: {"M": found}, st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)),
    ),
    max_leaves=12,
)
items = st.fixed_dictionaries(
    {"l": st.builds(lambda found: {"L": found}, st.lists(nested, max_size=5))},
    optional={"x": nested, "m": st.builds(lambda found: {"M": found}, st.dictionaries(st.sampled_from("xy"), nested))},
)


def _apart(one: Parts, other: Parts) -> bool:
    """Two paths that neither overlap nor go into one attribute in two ways."""
    shared = 0
    while shared < min(len(one), len(other)) and one[shared] == other[shared]:
        shared += 1
    if shared == min(len(one), len(other)):
        return False
    return shared == 0 or type(one[shared]) is type(other[shared])


def _paths(value: Value, before: Parts) -> list[Parts]:
    """All that is in a value, and some keys and indexes that are not."""
    found: list[Parts] = []
    if "M" in value:
        for name in "xyz":
            found += [(*before, name), *_paths(value["M"].get(name, {}), (*before, name))]
    if "L" in value:
        for at in (*range(len(value["L"])), len(value["L"]), len(value["L"]) + 1, len(value["L"]) + 7):
            inner = value["L"][at] if at < len(value["L"]) else {}
            found += [(*before, at), *_paths(inner, (*before, at))]
    return found


@st.composite
def updates(draw: st.DrawFn) -> tuple[Item, list[Write]]:
    """An item, and actions on paths that are apart."""
    item: Item = draw(items)
    known = [path for name in ("l", "x", "m") for path in [(name,), *_paths(item.get(name, {}), (name,))]]
    chosen: list[Write] = []
    for path in draw(st.lists(st.sampled_from(known), min_size=1, max_size=6, unique=True)):
        if all(_apart(path, other) for _, other, _ in chosen):
            section = draw(st.sampled_from(("SET", "SET", "REMOVE", "REMOVE", "ADD", "DELETE")))
            value = None if section == "REMOVE" else draw(nested if section == "SET" else leaves)
            if section == "DELETE" and value is not None and "N" in value:
                value = {"SS": ["u"]}
            chosen.append((section, path, value))
    return item, chosen


def _written(section: str, there: Any, value: Value | None) -> Any:
    """What one action leaves at its path."""
    if section == "SET" or (section == "ADD" and there is MISSING):
        return value
    if section == "REMOVE" or there is MISSING:
        return MISSING
    assert value is not None
    (kind, left), (other, right) = next(iter(there.items())), next(iter(value.items()))
    if kind != other:
        raise ValueError("type")
    if kind == "N":
        return {"N": str(int(left) + int(right))}
    members = set(left) | set(right) if section == "ADD" else set(left) - set(right)
    return {"SS": sorted(members)} if members else MISSING


def _model(value: Any, writes: list[Write]) -> Any:
    """The value with the actions below it done: built anew, so that nothing ever moves under a path."""
    for section, parts, given_value in writes:
        if not parts:
            return _written(section, value, given_value)
    if not writes:
        return value
    below: dict[str | int, list[Write]] = {}
    for section, parts, given_value in writes:
        below.setdefault(parts[0], []).append((section, parts[1:], given_value))
    kind = "L" if isinstance(next(iter(below)), int) else "M"
    if value is MISSING or kind not in value:
        raise ValueError("path")
    inside = dict(enumerate(value["L"])) if kind == "L" else value["M"]
    names = sorted({*inside, *below})
    made = {name: _model(inside.get(name, MISSING), below.get(name, [])) for name in names}
    kept = {name: inner for name, inner in made.items() if inner is not MISSING}
    return {"L": list(kept.values())} if kind == "L" else {"M": kept}


def _text(writes: list[Write]) -> tuple[str, dict[str, Value]]:
    """The expression in the order in which its actions were drawn."""
    sections: dict[str, list[str]] = {}
    values: dict[str, Value] = {}
    for at, (section, parts, value) in enumerate(writes):
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)[1:]
        if value is None:
            sections.setdefault(section, []).append(path)
        else:
            values[f":v{at}"] = value
            sections.setdefault(section, []).append(f"{path} {'= ' if section == 'SET' else ''}:v{at}")
    return " ".join(f"{section} {', '.join(actions)}" for section, actions in sections.items()), values


def _updated(item: Item, text: str, values: Mapping[str, Value]) -> Item:
    params = {"UpdateExpression": text} | ({"ExpressionAttributeValues": dict(values)} if values else {})
    update = Bindings(params, ("UpdateExpression",)).update()
    assert update is not None
    stored = dumped(item)
    new = update.applied(item, lambda: loaded(stored))
    assert loaded(stored) == item
    return new


@settings(max_examples=600, deadline=None)
@given(updates())
def test_an_update_does_what_the_rules_say(drawn: tuple[Item, list[Write]]) -> None:
    """SET, REMOVE, ADD and DELETE mixed on one list, in any order; the old item is not touched."""
    item, writes = drawn
    text, values = _text(writes)
    try:
        expected = _model({"M": item}, writes)["M"]
    except ValueError:
        with pytest.raises(ServiceError, match=r"is invalid for update|incorrect data type"):
            _updated(item, text, values)
        return
    assert _sorted(expected) == _sorted(_updated(item, text, values)), text


def _sorted(value: Any) -> Any:
    """Sets have no order."""
    if isinstance(value, dict):
        return {name: sorted(inner) if name == "SS" else _sorted(inner) for name, inner in value.items()}
    return [_sorted(inner) for inner in value] if isinstance(value, list) else value


def _element(name: str) -> Value:
    return {"M": {"id": {"S": name}, "x": {"S": "x"}}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("REMOVE l[1], l[2].x", [("0", True), ("2", False), ("3", True)]),
        ("REMOVE l[2].x, l[1]", [("0", True), ("2", False), ("3", True)]),
        ("REMOVE l[0], l[3].x", [("1", True), ("2", True), ("3", False)]),
        ("REMOVE l[4], l[0] SET l[7] = :m", [("1", True), ("2", True), ("3", True), ("m", True)]),
        ("SET l[9] = :m, l[8] = l[0] REMOVE l[0]",
         [("1", True), ("2", True), ("3", True), ("0", True), ("m", True)]),
    ],
)  # fmt: skip
def test_indexes_are_those_of_the_item_before(text: str, expected: list[tuple[str, bool]]) -> None:
    """Whatever else one update takes away or adds."""
    item: Item = {"l": {"L": [_element(name) for name in "0123"]}}
    values = {":m": _element("m")} if ":m" in text else {}
    new = _updated(item, text, values)
    assert [(one["M"]["id"]["S"], "x" in one["M"]) for one in new["l"]["L"]] == expected


def test_elements_behind_the_end_are_appended_by_number() -> None:
    """The guide: "the elements are sorted in order by element number"; also as elements of an element."""
    item: Item = {"s": {"L": [{"S": "a"}, {"L": []}]}}
    values = {f":{name}": {"S": name} for name in ("ten", "five", "two", "three")}
    new = _updated(item, "SET s[10] = :ten, s[1][3] = :three, s[5] = :five, s[1][2] = :two", values)
    assert new["s"]["L"] == [{"S": "a"}, {"L": [{"S": "two"}, {"S": "three"}]}, {"S": "five"}, {"S": "ten"}]


def test_a_new_element_is_not_yet_there_for_another_path() -> None:
    """All paths are of the item as it was: there is no l[1] to write into, nor to take away."""
    item: Item = {"l": {"L": [_element("0")]}}
    with pytest.raises(ServiceError, match="invalid for update"):
        _updated(item, "SET l[5] = :m, l[1].x = :v", {":m": _element("m"), ":v": {"S": "v"}})
    assert len(_updated(item, "SET l[5] = :m REMOVE l[1]", {":m": _element("m")})["l"]["L"]) == 2
