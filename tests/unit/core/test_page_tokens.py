"""Tokens of pages: what goes in comes out, and nothing else is taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undercast.core.page_tokens import name_of, number_of, token_of


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_name_comes_back(name: str) -> None:
    """Any name of an item."""
    assert name_of(token_of(name)) == name


@pytest.mark.parametrize("token", ["é", "a", "====", "a b", "_w==", "YQ==\n"])
def test_another_text_is_none(token: str) -> None:
    """Neither base64 of another alphabet nor of bytes that are no text."""
    with pytest.raises(ValueError, match="no token"):
        name_of(token)


def test_without_a_token_a_list_begins() -> None:
    """A request of the first page has none, or an empty one."""
    assert (name_of(None), name_of(""), number_of(None)) == ("", "", 0)


@pytest.mark.parametrize("text", ["word", "-1", "9" * 400, "²", " 1"])
def test_a_number_is_one_that_we_gave(text: str) -> None:
    """No other text, and no number that takes long to read."""
    assert number_of(token_of("17")) == 17
    with pytest.raises(ValueError, match="no number"):
        number_of(token_of(text))
