"""Paths and templates of what a target gets.

AWS: EventBridge User Guide, "Amazon EventBridge input transformation", its table of examples; and what was recorded
from AWS, of each kind of value in each kind of template (`undercast/events/inputs.py` says where).
"""

import json
import time
from typing import Any

import pytest

from undercast.events.inputs import (
    MISSING,
    InvalidPath,
    at_path,
    at_rule_path,
    fill,
    fill_paths,
    is_object,
    json_error,
    names_a_member,
    parse_path,
    without_variables,
)

EVENT: Any = {"time": "t", "detail": {"instance-id": "i-1", "list": [{"a": 1}, {"a": 2}], "o": {"x": "y"}}}
OF_TABLE = {
    "timestamp": "2015-11-11T21:29:54Z",
    "instance": "i-0123456789",
    "state": "RUNNING",
    "aws.events.rule-arn": "arn:aws:events:us-east-2:123456789012:rule/example",
    "aws.events.rule-name": "example",
    "aws.events.event.json": {"version": "0", "detail": {"state": "RUNNING"}},
}
VALUES = {
    "text": "hello",
    "number": 42,
    "flag": True,
    "nothing": None,
    "object": {"first": "one", "second": 2},
    "array": ["one", "two", {"x": 3}],
    "quoted": 'say "hello"',
    "escaped": "line\nslash\\tab\tend",
    "missing": MISSING,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", EVENT), ("$.detail.instance-id", "i-1"), ("$.detail.list[1].a", 2), ("$.detail.list[*].a", [1, 2]),
        ("$.detail.none", MISSING), ("$.detail.list[7]", MISSING),
    ],
)  # fmt: skip
def test_a_path_finds_its_value(path: str, value: Any) -> None:
    """Names, indices, wildcards of arrays."""
    for found in (at_path(EVENT, path), at_rule_path(EVENT, path)):
        assert found == value or found is value


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.detail['instance-id']", "i-1"), ('$["detail"]["list"][0]["a"]', 1), ("$.detail.o.*", ["y"]),
        ("$.detail.list.*.a", [1, 2]), ("$['*']", MISSING), ("$.detail[]", MISSING),
    ],
)  # fmt: skip
def test_pipes_and_older_rules_have_wider_paths(path: str, value: Any) -> None:
    """Quoted names and wildcards of objects. AWS: the page on input
    transformation of Pipes lists wildcards."""
    for found in (at_path(EVENT, path), at_rule_path(EVENT, path)):
        assert found == value or found is value


def test_a_wildcard_of_a_rule_is_all_of_an_array() -> None:
    """Recorded from AWS. That of a pipe is all of an object as well."""
    assert at_rule_path(EVENT, "$.detail.o[*]") == []
    assert at_path(EVENT, "$.detail.o[*]") == ["y"]
    assert fill_paths('{"all": <$.detail.o[*]>, "id": "<$.detail[\'instance-id\']>"}', {}, EVENT) == (
        '{"all":["y"],"id":"i-1"}'
    )


@pytest.mark.parametrize(
    "path",
    [
        "", "detail", "$detail", "$.", "$.a[", "$..a", "$.a[x]", "$.a.*", "$['a']['b']", '$["a"]', "$.a['b.c']",
        "$.a[-1]", "$.a[0:2]",
    ],
)  # fmt: skip
def test_what_is_no_path(path: str) -> None:
    """Refused when a target is put. Recorded from AWS."""
    with pytest.raises(InvalidPath):
        parse_path(path)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('"instance <instance> is in <state>"', '"instance i-0123456789 is in RUNNING"'),
        ('"instance \\"<instance>\\" is in <state>"', '"instance \\"i-0123456789\\" is in RUNNING"'),
        (
            '{\n  "instance" : <instance>,\n  "state": <state>\n}',
            '{"instance":"i-0123456789","state":"RUNNING"}',
        ),
        (
            '{\n "instance" : <instance>,\n "state": "<state>",\n'
            ' "instanceStatus": "instance \\"<instance>\\" is in <state>"\n}',
            '{"instance":"i-0123456789","state":"RUNNING",'
            '"instanceStatus":"instance \\"i-0123456789\\" is in RUNNING"}',
        ),
        (
            '{\n  "instance" : <instance>,\n  "state": [ 9, <state>, true ],\n  "Transformed" : "Yes"\n}',
            '{"instance":"i-0123456789","state":[9,"RUNNING",true],"Transformed":"Yes"}',
        ),
        (
            '{"instance": <instance>, "state": <state>, "ruleArn": <aws.events.rule-arn>,'
            ' "ruleName": <aws.events.rule-name>, "originalEvent": <aws.events.event.json>}',
            '{"instance":"i-0123456789","state":"RUNNING",'
            '"ruleArn":"arn:aws:events:us-east-2:123456789012:rule/example","ruleName":"example",'
            '"originalEvent":{"version":"0","detail":{"state":"RUNNING"}}}',
        ),
        ('"<aws.events.rule-name> triggered"', '"example triggered"'),
        (
            '{"timestamp" : <timestamp>, "message": "instance \\"<instance>\\" is in <state>"}',
            '{"timestamp":"2015-11-11T21:29:54Z","message":"instance \\"i-0123456789\\" is in RUNNING"}',
        ),
    ],
)
def test_the_examples_of_awss_table(template: str, text: str) -> None:
    """Each row, as it is sent: without blanks. That of a log group has no quotes there, and would be no JSON."""
    assert fill(template, OF_TABLE) == text
    assert json_error(text) is None


IN_OBJECTS = [
    (
        '{"text":<text>,"number":<number>,"flag":<flag>,"nothing":<nothing>,"object":<object>,"array":<array>}',
        '{"text":"hello","number":42,"flag":true,"nothing":null,"object":{"first":"one","second":2},'
        '"array":["one","two",{"x":3}]}',
    ),
    ('{"value":<escaped>}', '{"value":"line\\nslash\\\\tab\\tend"}'),
    ('{"value":<quoted>}', '{"value":"say \\"hello\\""}'),
    ('{"before":1,"missing":<missing>,"after":2}', '{"before":1,"missing":"","after":2}'),
    ('{"value":[<missing>]}', '{"value":[""]}'),
    ('{"value":"prefix <quoted> suffix"}', '{"value":"prefix say \\"hello\\" suffix"}'),
    ('{"value":"prefix <escaped> suffix"}', '{"value":"prefix line\\nslash\\\\tab\\tend suffix"}'),
]
IN_TEXTS = [
    (
        '"text=<text>; object=<object>; array=<array>"',
        '"text=hello; object={first:one,second:2}; array=[one,two,{x:3}]"',
    ),
    ('"prefix \\"<text>\\" suffix"', '"prefix \\"hello\\" suffix"'),
    ('"before <missing> after"', '"before  after"'),
    ('"before <undefined> after"', '"before <undefined> after"'),
    ('"first <text>"\n"second <text>"', '"first hello"\n"second hello"'),
    ('["fixed",<number>]', '["fixed",42]'),
    ("[<nothing>]", "[null]"),
    ("<number>", "42"),
    ("<nothing>", "null"),
    ("null", "null"),
]
NO_JSON = [
    (
        '{"text":"<text>","number":"<number>","object":"<object>","array":"<array>"}',
        '{"text":"hello","number":"42","object":"{"first":"one","second":2}","array":"["one","two",{"x":3}]"}',
    ),
    ('{"value":"prefix <object> suffix"}', '{"value":"prefix {"first":"one","second":2} suffix"}'),
    ('{"value":<undefined>}', '{"value":<undefined>}'),
    ('"prefix <quoted> suffix"', '"prefix say "hello" suffix"'),
    ('"prefix <escaped> suffix"', '"prefix line\nslash\\tab\tend suffix"'),
    ("[1,<missing>,2]", "[1,,2]"),
    ('[{"value":<missing>}]', '[{"value":}]'),
    ("<object>", "{first:one,second:2}"),
    ("<text>", "hello"),
    ("[<text>]", "[hello]"),
    ("[<object>]", "[{first:one,second:2}]"),
    ("[<array>]", "[[one,two,{x:3}]]"),
]


@pytest.mark.parametrize(("template", "text"), [*IN_OBJECTS, *IN_TEXTS])
def test_a_template_is_filled(template: str, text: str) -> None:
    """Recorded from AWS: what a queue got."""
    assert fill(template, VALUES) == text
    assert json_error(text) is None


@pytest.mark.parametrize(("template", "text"), NO_JSON)
def test_a_template_that_becomes_no_json(template: str, text: str) -> None:
    """Recorded from AWS: what the dead-letter queue got, with INVALID_JSON."""
    assert fill(template, VALUES) == text
    assert json_error(text) is not None


def test_a_quote_inside_of_an_object_is_lost_with_its_escape() -> None:
    """AWS: "EventBridge removes any internal quotes to ensure a valid string"."""
    text = fill('"<o>"', {"o": {"a": 'say "x"', "b": "c:\\d"}})
    assert text == '"{a:say x,b:c:\\\\d}"'
    assert json.loads(text) == "{a:say x,b:c:\\d}"


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ('{"<k>": 1}', True),
        ('{"a": {"b<k>" : "v"}}', True),
        ('{"a": "<k>"}', False),
        ('{"a": "\\"<k>\\":", "b": 1}', False),
        ('{"a":["v",<b>,":x"]}', False),
        ('{"a":"\\\\","<k>":1}', True),
        ('{"a":"<k>: \\', False),
    ],
)
def test_a_variable_may_not_name_a_member(template: str, found: bool) -> None:
    """API Reference, InputTransformer: "The placeholder cannot be used as an object key"."""
    assert is_object(template)
    assert names_a_member(template) is found


@pytest.mark.parametrize("many", ['\\"', '"', '" ', "\\", '"\\', " "])
def test_looking_for_names_costs_as_much_as_the_template_is_long(many: str) -> None:
    """A template has up to 8,192 characters, and is checked while others wait."""

    def cost(count: int) -> float:
        templates = [f'{{"a":"{many * count}{end}' for end in ('"}', "")]
        taken = []
        for _ in range(3):
            begun = time.thread_time()
            for template in templates:
                assert not names_a_member(template)
            taken.append(time.thread_time() - begun)
        return min(taken)

    cost(1000)
    assert cost(40_000) < 8 * cost(10_000) + 0.001


@pytest.mark.parametrize(
    ("template", "column"), [("hello <value>", 1), ('{"a": <value>', 11), ('"a <value>', 1), ('{"a": <value>} x', 13)]
)
def test_the_place_of_a_syntax_error(template: str, column: int) -> None:
    """Of the text with null for each variable."""
    error = json_error(without_variables(template))
    assert error is not None
    assert (error.lineno, error.colno) == (1, column)


def test_placeholders_of_pipes_may_be_paths_into_a_document() -> None:
    """JSON where they stand by themselves; inside of a string, objects lose their quotes."""
    template = '{"a": <$.detail.list[0].a>, "text": "<$.time> <name>", "none": <$.nothing>, "o": "<$.detail.o>"}'
    assert fill_paths(template, {"name": "n"}, EVENT) == '{"a":1,"text":"t n","none":"","o":"{x:y}"}'
    assert fill_paths('"Body is <$.detail.o>"', {}, EVENT) == '"Body is {x:y}"'
    assert fill('"<$.time>"', {}) == '"<$.time>"'


@pytest.mark.parametrize(("text", "one"), [("1 2", False), ('"a"\n"b"', False), (" 1 ", True), ('{"a": 1}\n', True)])
def test_a_function_takes_a_single_value(text: str, one: bool) -> None:
    """Other targets take one behind the other."""
    assert json_error(text) is None
    assert (json_error(text, several=False) is None) is one


def test_many_values_are_looked_at_once_each() -> None:
    """What is left behind each is not copied: a megabyte of small values took minutes, on the event loop."""

    class Text(str):
        """Counts what is copied out of it."""

        copied = 0

        def __getitem__(self, key: Any) -> str:
            found = super().__getitem__(key)
            Text.copied += len(found)
            return found

    assert json_error(Text("1 " * 10_000)) is None
    assert Text.copied < 100_000
    assert json_error(Text(" 1 2 x")) is not None
