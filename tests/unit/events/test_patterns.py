"""The pattern language, operator by operator.

AWS: EventBridge User Guide, "Comparison operators"; SNS Developer Guide, "Filter policies".
"""

from typing import Any

import pytest

from undercast.events.patterns import InvalidPattern, compile_pattern

CASES: list[tuple[Any, Any, bool]] = [
    ({"a": ["x"]}, {"a": "x"}, True),
    ({"a": ["x", "y"]}, {"a": "y"}, True),
    ({"a": ["x"]}, {"a": "X"}, False),
    ({"a": ["x"]}, {}, False),
    ({"a": ["x"], "b": ["y"]}, {"a": "x"}, False),
    ({"a": [1]}, {"a": True}, False),
    ({"a": [True]}, {"a": 1}, False),
    ({"a": [None]}, {"a": None}, True),
    ({"a": [None]}, {}, False),
    ({"a": [3.5]}, {"a": 3.5}, True),
    ({"a": ["x"]}, {"a": ["z", "x"]}, True),
    ({"a": [{"anything-but": "x"}]}, {"a": "y"}, True),
    ({"a": [{"anything-but": "x"}]}, {"a": "x"}, False),
    ({"a": [{"anything-but": "x"}]}, {}, False),
    ({"a": [{"anything-but": "x"}]}, {"a": []}, False),
    ({"a": [{"anything-but": ["x", "y"]}]}, {"a": ["x", "z"]}, True),
    ({"a": [{"anything-but": ["x", "y"]}]}, {"a": ["x", "y"]}, False),
    ({"a": [{"anything-but": [1, 2]}]}, {"a": 3}, True),
    ({"a": [{"anything-but": [1, 2]}]}, {"a": 2}, False),
    ({"a": [{"anything-but": {"prefix": "no-"}}]}, {"a": "no-1"}, False),
    ({"a": [{"anything-but": {"prefix": "no-"}}]}, {"a": "yes"}, True),
    ({"a": [{"anything-but": {"suffix": [".a", ".b"]}}]}, {"a": "x.b"}, False),
    ({"a": [{"anything-but": {"wildcard": "a*c"}}]}, {"a": "abc"}, False),
    ({"a": [{"anything-but": {"equals-ignore-case": "X"}}]}, {"a": "x"}, False),
    ({"a": [{"prefix": "eu-"}]}, {"a": "eu-west-1"}, True),
    ({"a": [{"prefix": {"equals-ignore-case": "EU-"}}]}, {"a": "eu-west-1"}, True),
    ({"a": [{"suffix": ".png"}]}, {"a": "a.png"}, True),
    ({"a": [{"suffix": ".png"}]}, {"a": "a.jpg"}, False),
    ({"a": [{"equals-ignore-case": "TeNNis"}]}, {"a": "tennis"}, True),
    ({"a": [{"wildcard": "*/a/*.png"}]}, {"a": "x/a/y.png"}, True),
    ({"a": [{"wildcard": "a*a"}]}, {"a": "a"}, False),
    ({"a": [{"wildcard": "a*b*c"}]}, {"a": "a-b-b-c"}, True),
    ({"a": [{"wildcard": r"a\*b"}]}, {"a": "a*b"}, True),
    ({"a": [{"wildcard": r"a\*b"}]}, {"a": "axb"}, False),
    ({"a": [{"wildcard": "abc"}]}, {"a": "abc"}, True),
    ({"a": [{"numeric": ["=", 301.5]}]}, {"a": 301.5}, True),
    ({"a": [{"numeric": ["=", 301.5]}]}, {"a": "301.5"}, False),
    ({"a": [{"numeric": [">", 0, "<=", 150]}]}, {"a": 150}, True),
    ({"a": [{"numeric": [">", 0, "<=", 150]}]}, {"a": 0}, False),
    ({"a": [{"exists": True}]}, {"a": ""}, True),
    ({"a": [{"exists": True}]}, {"b": 1}, False),
    ({"a": [{"exists": False}]}, {"b": 1}, True),
    ({"a": [{"exists": False}]}, {"a": None}, False),
    ({"a": {"b": [{"exists": False}]}}, {"c": 1}, True),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.0.255"}, True),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "10.0.1.0"}, False),
    ({"a": [{"cidr": "10.0.0.0/24"}]}, {"a": "no address"}, False),
    ({"a": [{"cidr": "2001:db8::/32"}]}, {"a": "2001:db8::1"}, True),
    ({"a": [{"cidr": "2001:db8::/32"}]}, {"a": "10.0.0.1"}, False),
    ({"a": [{"cidr": "0.0.0.0/0"}]}, {"a": "::1"}, False),
    ({"a": [{"cidr": "10.0.0.9/24"}]}, {"a": "10.0.0.9"}, True),
    ({"a": [{"cidr": "10.0.0.9/24"}]}, {"a": "10.0.0.255"}, True),
    ({"a": [{"cidr": "10.0.0.9/24"}]}, {"a": "10.0.0.8"}, False),
    ({"$or": [{"a": ["x"]}, {"b": [1]}]}, {"b": 1}, True),
    ({"$or": [{"a": ["x"]}, {"b": [1]}], "c": ["z"]}, {"b": 1}, False),
    ({"$or": [{"prefix": "x"}, {"prefix": "y"}]}, {"$or": "yes"}, True),
    ({"a": {"b": {"c": ["x"]}}}, {"a": {"b": {"c": "x"}}}, True),
    ({"a": {"b": {"c": ["x"]}}}, {"a": {"b": "x"}}, False),
    ({"a": {"b": ["x"], "c": ["y"]}}, {"a": [{"b": "x", "c": "n"}, {"b": "n", "c": "y"}]}, False),
    ({"a": {"b": ["x"], "c": ["y"]}}, {"a": [{"b": "x", "c": "y"}]}, True),
    ({"a": ["x"]}, "no object", False),
    ({"a": ["x"]}, None, False),
    ({}, {"a": 1}, True),
]


@pytest.mark.parametrize(("pattern", "event", "matches"), CASES)
def test_an_event_matches(pattern: Any, event: Any, matches: bool) -> None:
    """All fields, one of each field's values."""
    assert compile_pattern(pattern).matches(event) is matches


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ([], "Filter is not an object"),
        ({"a": "x"}, '"a" must be an object or an array'),
        ({"a": []}, "Empty arrays are not allowed"),
        ({"a": {}}, "Empty objects are not allowed"),
        ({"a": [["x"]]}, "Match value must be String, number, true, false, or null"),
        ({"a": [{"what": 1}]}, "Unrecognized match type what"),
        ({"a": [{"prefix": "x", "suffix": "y"}]}, "Only one key allowed in match expression"),
        ({"a": [{"prefix": 1}]}, "prefix match pattern must be a string"),
        ({"a": [{"exists": "yes"}]}, "exists match pattern must be either true or false."),
        ({"a": [{"numeric": 5}]}, "Value of numeric must be an array."),
        ({"a": [{"numeric": ["~", 5]}]}, "Unrecognized numeric range operator: ~"),
        ({"a": [{"numeric": ["=", "5"]}]}, "Value of = must be numeric"),
        ({"a": [{"numeric": [">", 5, "<", 5]}]}, "Bottom must be less than top"),
        ({"a": [{"numeric": ["=", 1e10]}]}, "Value must be between -5000000000 and 5000000000, inclusive"),
        ({"a": [{"wildcard": "a**"}]}, "Consecutive wildcard characters are not allowed"),
        ({"a": [{"cidr": "x"}]}, "Malformed CIDR, one '/' required"),
        ({"a": [{"cidr": "10.0.0.0/"}]}, "Malformed CIDR, one '/' required"),
        ({"a": [{"cidr": "10.0.0.0/8/8"}]}, "Malformed CIDR, one '/' required"),
        ({"a": [{"cidr": "10.0.0.0/x"}]}, "Malformed CIDR, mask bits must be an integer"),
        ({"a": [{"cidr": "10.0.0.0/3000000000"}]}, "Malformed CIDR, mask bits must be an integer"),
        ({"a": [{"cidr": "x/-1"}]}, "Malformed CIDR, mask bits must not be negative"),
        ({"a": [{"cidr": "x/99"}]}, "Nonstandard IP address: x"),
        ({"a": [{"cidr": "10.0.0/8"}]}, "Nonstandard IP address: 10.0.0"),
        ({"a": [{"cidr": "10.0.0.256/8"}]}, "Invalid IP address: 10.0.0.256"),
        ({"a": [{"cidr": "1:2:3/8"}]}, "Invalid IP address: 1:2:3"),
        ({"a": [{"cidr": "10.0.0.1/32"}]}, "IPv4 mask bits must be < 32"),
        ({"a": [{"cidr": "::1/128"}]}, "IPv6 mask bits must be < 128"),
        ({"a": [{"cidr": ["10.0.0.0/8"]}]}, "prefix match pattern must be a string"),
        ({"a": [{"anything-but": ["x", 1]}]}, "Inside anything but list, either all values are number or string, "
                                              "mixed type is not supported"),
        ({"a": [{"anything-but": []}]}, "Inside anything but list, either all values are number or string, "
                                        "mixed type is not supported"),
        ({"a": [{"anything-but": {"numeric": ["=", 1]}}]}, "Unsupported anything-but pattern: numeric"),
    ],
)  # fmt: skip
def test_what_is_no_pattern_says_why(pattern: Any, why: str) -> None:
    """The texts are those of AWS's services."""
    with pytest.raises(InvalidPattern) as raised:
        compile_pattern(pattern)
    assert str(raised.value) == why


def test_complexity_is_values_times_depth() -> None:
    """The example of SNS's guide: 4 values at depth 3, 3 at depth 2, 3 at depth 1 are 216 combinations."""
    pattern = compile_pattern(
        {"a": {"b": {"c": ["1", "2", "3", "4"]}}, "d": {"e": ["1", "2", "3"]}, "f": ["1", "2", "3"]}
    )
    assert (pattern.combinations, pattern.keys, pattern.is_nested) == (216, 3, True)


def test_alternatives_of_or_add_up() -> None:
    """Each alternative is a pattern of its own with the rest, so that its combinations are added, not multiplied."""
    either = {"$or": [{"a": ["1", "2"], "b": ["1", "2", "3"]}, {"c": ["1"]}, {"d": {"e": ["1", "2"]}}]}
    assert compile_pattern(either).combinations == 6 + 1 + 4
    assert compile_pattern({**either, "f": ["1", "2", "3"]}).combinations == 3 * 11


def test_a_wildcard_is_linear() -> None:
    """What would explode in a regular expression ends at once."""
    pattern = compile_pattern({"a": [{"wildcard": "*a" * 50 + "*b"}]})
    assert pattern.matches({"a": "a" * 200_000}) is False
