"""Wildcards: the same as the obvious definition, and never slow."""

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from undercast.policy.patterns import Pattern, action_regex

TEXT = st.text("ab:*?", max_size=14)
VALUE = st.text("ab:", max_size=18)
ARN_PATTERN = st.tuples(*[st.text("ab*?", max_size=4)] * 5, TEXT).map(":".join)
ARN_VALUE = st.tuples(*[st.text("ab", max_size=4)] * 5, VALUE).map(":".join)


def no_keys(key: str) -> None:
    """A request without condition keys."""


def obviously(pattern: str, value: str, fields: int) -> bool:
    """The definition: "*" is any characters, "?" one; neither is a colon in the first fields."""

    @cache
    def fits(at: int, of: int, colons: int) -> bool:
        if at == len(pattern):
            return of == len(value)
        stops = colons < fields
        wild = of < len(value) and not (stops and value[of] == ":")
        if pattern[at] == "*":
            return fits(at + 1, of, colons) or (wild and fits(at, of + 1, colons))
        if pattern[at] == "?":
            return wild and fits(at + 1, of + 1, colons)
        return of < len(value) and value[of] == pattern[at] and fits(at + 1, of + 1, colons + (value[of] == ":"))

    return fits(0, 0, 0)


@given(TEXT, VALUE)
def test_globs_match_as_defined(pattern: str, value: str) -> None:
    """IAM User Guide, StringLike: "*" and "?"."""
    assert Pattern(pattern).matches(value, no_keys) is obviously(pattern, value, 0)


@settings(max_examples=500)
@given(ARN_PATTERN, ARN_VALUE)
def test_arns_match_as_defined(pattern: str, value: str) -> None:
    """IAM User Guide, ArnLike: each of the six fields is matched by itself."""
    assert Pattern(pattern, arn=True).matches(value, no_keys) is obviously(pattern, value, 5)


def test_a_hostile_pattern_takes_no_time() -> None:
    """A policy is a stranger's input: backtracking over many "*" would stop the whole platform."""
    pattern = "a*" * 2000 + "b"
    assert not Pattern(pattern).matches("a" * 5000, no_keys)
    assert not Pattern("arn:aws:s3:::" + pattern, arn=True).matches("arn:aws:s3:::" + "a" * 5000, no_keys)
    assert action_regex(["s3:" + pattern]).fullmatch("s3:" + "a" * 5000) is None
