"""Numbers and keys of DynamoDB, over all that there can be.

AWS: DynamoDB Developer Guide, "Supported data types and naming rules in Amazon DynamoDB".
"""

from decimal import Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from undercast.core.errors import ServiceError
from undercast.services.dynamodb import keys, numbers
from undercast.services.dynamodb.values import checked, item_size
from undercast.services.item_text import Value, dumped, loaded

EXACT = Context(prec=400, Emax=10_000, Emin=-10_000)


@st.composite
def decimals(draw: st.DrawFn) -> str:
    """The text of a number that DynamoDB keeps."""
    digits = draw(st.integers(min_value=-(10**38) + 1, max_value=10**38 - 1))
    exponent = draw(st.integers(min_value=-130, max_value=87))
    return f"{digits}E{exponent}"


texts = st.text(max_size=20)
names = st.text(min_size=1, max_size=20)
values: st.SearchStrategy[Value] = st.recursive(
    st.one_of(
        st.builds(lambda text: {"S": text}, texts),
        st.builds(lambda number: {"N": numbers.canonical(number)}, decimals()),
        st.builds(lambda data: {"B": data}, st.binary(max_size=20)),
        st.builds(lambda flag: {"BOOL": flag}, st.booleans()),
        st.just({"NULL": True}),
        st.builds(lambda found: {"BS": sorted(found)}, st.sets(st.binary(max_size=5), min_size=1)),
        st.builds(lambda found: {"SS": sorted(found)}, st.sets(texts, min_size=1)),
    ),
    lambda inner: st.one_of(
        st.builds(lambda found: {"L": found}, st.lists(inner, max_size=3)),
        st.builds(lambda found: {"M": found}, st.dictionaries(names, inner, max_size=3)),
    ),
    max_leaves=10,
)


@given(decimals(), decimals())
def test_number_keys_compare_as_numbers(one: str, other: str) -> None:
    """Sort keys of type N are in numeric order, over the whole range."""
    first, second = numbers.key(numbers.canonical(one)), numbers.key(numbers.canonical(other))
    assert (first < second) == (Decimal(one) < Decimal(other))
    assert (first == second) == (Decimal(one) == Decimal(other))


@given(decimals())
def test_a_canonical_number_is_the_same_number(text: str) -> None:
    """And it stays what it is."""
    back = numbers.canonical(text)
    assert Fraction(back) == Fraction(text)
    assert numbers.canonical(back) == back
    assert "E" not in back


@given(decimals(), decimals())
def test_sums_are_exact_or_refused(one: str, other: str) -> None:
    """38 digits or an error, never a rounded number."""
    total = Fraction(one) + Fraction(other)
    try:
        assert Fraction(numbers.added(one, other)) == total
        assert Fraction(numbers.subtracted(one, numbers.canonical(other))) == Fraction(one) - Fraction(other)
    except ServiceError as error:
        assert error.code == "ValidationException"
        sums = [EXACT.add(Decimal(one), Decimal(other)), EXACT.subtract(Decimal(one), Decimal(other))]
        wide = [len("".join(map(str, found.as_tuple().digits)).strip("0")) > 38 for found in sums]
        assert any(wide) or any(found.adjusted() > 125 for found in sums)


@pytest.mark.parametrize("text", ["", " 1", "1_0", "NaN", "Infinity", "0x1", "1e", "--1", "१", "1e99999"])
def test_what_is_no_number_is_refused(text: str) -> None:
    """As AWS's parser does."""
    with pytest.raises(ServiceError):
        numbers.canonical(text)


@given(texts, texts)
def test_text_keys_compare_as_their_utf8(one: str, other: str) -> None:
    """Sort keys of type S are in the order of their bytes, which is that of the code points."""
    first, second = keys.encoded({"S": one}), keys.encoded({"S": other})
    assert (first < second) == (one < other)


@given(st.binary(min_size=1, max_size=5), st.binary(max_size=5))
def test_the_end_of_a_prefix_is_above_all_that_begin_so(prefix: bytes, rest: bytes) -> None:
    """And not above anything else."""
    end = keys.after_prefix(prefix)
    assert end is None or prefix + rest < end
    if end is not None and rest >= end:
        assert not rest.startswith(prefix)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(names, values, max_size=5))
def test_a_kept_item_comes_back(item: dict[str, Value]) -> None:
    """Through its text, with binaries at any depth; its canonical form is itself."""
    assert loaded(dumped(item)) == item
    for value in item.values():
        form, size = checked(value)
        assert form == value
        assert size == item_size({"": value})
