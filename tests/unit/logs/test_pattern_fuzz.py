"""Filter patterns of any text: a matcher or AWS's error, and a matcher answers for every message."""

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from undercast.core.errors import ServiceError
from undercast.services.logs.pattern import compile_pattern
from undercast.services.logs.regex import compile_regex

PIECES = st.sampled_from(
    ["{", "}", "[", "]", "(", ")", "$.a", "$.a[0].b", "=", "!=", ">", "&&", "||", "IS", "NULL", "NOT", "EXISTS", '"x*"',
     "1", "%a+%", "-", "?", "ERR", ",", "...", " ", '"', "%", "\\"]
)  # fmt: skip
MESSAGES = st.sampled_from(['{"a": 1}', '{"a": [{"b": null}]}', "plain ERR 1", "", "[1, 2]", '"', "x" * 50])


@settings(max_examples=400)
@given(st.lists(PIECES, max_size=10).map(" ".join) | st.text(max_size=20), MESSAGES)
def test_any_text(pattern: str, message: str) -> None:
    """Nothing but InvalidParameterException is raised."""
    try:
        matches = compile_pattern(pattern)
    except ServiceError as error:
        assert error.code == "InvalidParameterException"
        return
    assert matches(message) in (True, False)


@pytest.mark.filterwarnings("ignore:Possible set:FutureWarning")
@settings(max_examples=400)
@given(st.text(st.sampled_from("ab.*+?|^$[]-{}12,\\d"), max_size=8), st.text(st.sampled_from("ab1-\n"), max_size=8))
def test_regular_expressions_agree_with_python(pattern: str, message: str) -> None:
    """Where both accept an expression, they find the same. "$" is the very end, which Python writes \\Z."""
    assume("$" not in pattern or not set(pattern) & set("[\\"))
    assume("{," not in pattern)  # a count from nothing: Python's alone (re, "{m,n}")
    try:
        ours = compile_regex(pattern)
        theirs = re.compile(pattern.replace("$", r"\Z"))
    except (ServiceError, re.error):
        assume(False)
        return
    assert ours(message) is (theirs.search(message) is not None)
