"""Filter patterns of CloudWatch Logs. The examples are those of its User Guide where it has some."""

import gc
import json
import sys

import pytest

from undercast.core.errors import ServiceError
from undercast.services.logs.pattern import compile_pattern

EVENT = json.dumps({
    "eventType": "UpdateTrail",
    "sourceIPAddress": "111.111.111.111",
    "arrayKey": ["value", "another value"],
    "objectList": [{"name": "a", "id": 1}, {"name": "b", "id": 2}],
    "SomeObject": None,
    "ThisFlag": True,
    "latency": 12.5,
    "errorCode": 400,
    "text": "4",
    "a-b": "dash",
})  # fmt: skip
LINE = '127.0.0.1 Prod frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 404 1534'


@pytest.mark.parametrize(
    ("pattern", "message", "expected"),
    [
        ("", "anything", True),
        ("ERROR", "[ERROR 400] BAD REQUEST", True),
        ("ERROR", "[error 400] bad request", False),
        ("ERROR ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", True),
        ("ERROR ARGUMENTS", "[ERROR 401] UNAUTHORIZED REQUEST", False),
        ("?ERROR ?ARGUMENTS", "[ERROR 401] UNAUTHORIZED REQUEST", True),
        ("?ERROR ?ARGUMENTS", "all fine", False),
        ('"INTERNAL SERVER ERROR"', "[ERROR 500] INTERNAL SERVER ERROR", True),
        ('"INTERNAL SERVER ERROR"', "INTERNAL ERROR SERVER", False),
        ("ERROR -ARGUMENTS", "[ERROR 400] BAD REQUEST", True),
        ("ERROR -ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", False),
        ('-"BAD REQUEST"', "BAD REQUEST", False),
        ("?ERROR -ARGUMENTS", "all fine", True),
        ('"a \\" b"', 'x a " b', True),
        ("%AUTHORIZED%", "UNAUTHORIZED", True),
        ("%^ERR.R [45]\\d{2}$%", "ERROR 503", True),
        ("%^ERR.R [45]\\d{2}$%", "ERROR 50", False),
        ("%foo|ba+r%", "baaar", True),
        ("%foo|ba+r%", "br", False),
        ("%a?b*c%", "c", True),
        ("%x{2,3}y%", "xy", False),
        ("%x{2,}y%", "xxxxxy", True),
        ("%\\x41[^a-c]%", "Az", True),
    ],
)
def test_terms(pattern: str, message: str, expected: bool) -> None:
    """Terms are substrings; all must be there, ? means any, - none."""
    assert compile_pattern(pattern)(message) is expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ('{ $.eventType = "UpdateTrail" }', True),
        ("{ $.eventType = UpdateTrail }", True),
        ('{ $.eventType = "Update*" }', True),
        ('{ $.sourceIPAddress = "111.*.111.*" }', True),
        ('{ $.sourceIPAddress != "123.123.*" }', True),
        ("{ $.ThisFlag = 1 }", False),
        ("{ $.ThisFlag >= 1 }", False),
        ("{ $.ThisFlag IS TRUE }", True),
        ('{ $.nothing != "x" }', False),
        ('{ $.arrayKey[0] = "value" }', True),
        ('{ $.objectList[1].id = 2 }', True),
        ('{ $.objectList[9].id = 2 }', False),
        ("{ $.latency > 12 }", True),
        ("{ $.latency >= 12.5 && $.latency < 13 }", True),
        ("{ $.errorCode = 400 }", True),
        ("{ $.errorCode != 400 }", False),
        ("{ $.errorCode = 4e2 }", True),
        ("{ $.eventType > 3 }", False),
        ("{ $.SomeObject IS NULL }", True),
        ("{ $.nothing IS NULL }", False),
        ("{ $.SomeOtherObject NOT EXISTS }", True),
        ("{ $.SomeObject EXISTS }", True),
        ("{ $.ThisFlag IS TRUE }", True),
        ("{ $.ThisFlag IS FALSE }", False),
        ('{ ($.errorCode = 1 || $.latency > 1) && $.eventType = "U*" }', True),
        ('{ $.errorCode = 1 || $.latency > 1 && $.eventType = "X" }', False),
        ("{ $.eventType = %Trail$% }", True),
        ("{ $.['a-b'] = dash }", False),
        ("{ $['a-b'] = dash }", True),
        ("{ $.a-b = dash }", True),
    ],
)  # fmt: skip
def test_json(pattern: str, expected: bool) -> None:
    """Selectors, comparisons, wildcards, IS and EXISTS, && before ||."""
    if pattern == "{ $.['a-b'] = dash }":
        with pytest.raises(ServiceError):
            compile_pattern(pattern)
        return
    assert compile_pattern(pattern)(EVENT) is expected
    assert compile_pattern(pattern)("no json") is False
    assert compile_pattern(pattern)("[1]") is False


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ip, user, username, timestamp, request, status_code, bytes]", True),
        ("[ip, user, username, timestamp, request, status_code]", False),
        ("[ip, user, username, timestamp, request, status_code = 4*, bytes]", True),
        ("[ip, user, username, timestamp, request, status_code = 5*, bytes]", False),
        ("[..., status_code = 404 || status_code = 410, bytes > 1500]", True),
        ("[ip = %^127%, ..., bytes < 1500]", False),
        ('[..., request = "*html*", status_code, bytes]', True),
    ],
)
def test_fields(pattern: str, expected: bool) -> None:
    """Space-delimited fields; quotes and brackets hold a field together; "..." stands for any number."""
    assert compile_pattern(pattern)(LINE) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.a = }", "{ $.a }", "{ $.a = 1", "{ a = 1 }", "{ $.a > text }", "{ ($.a = 1 }", "%(%", "%a(b)%", "%[%",
        "%*%", "%a{1001}%", '"open', "[a, b", "[..., ...]", "{" + "(" * 200 + "$.a = 1" + ")" * 200 + "}", "{}",
    ],
)  # fmt: skip
def test_broken_pattern_is_refused(pattern: str) -> None:
    """InvalidParameterException."""
    with pytest.raises(ServiceError) as caught:
        compile_pattern(pattern)
    assert (caught.value.code, caught.value.message) == ("InvalidParameterException", "Invalid filter pattern")


def test_no_pattern_is_slow() -> None:
    """A pattern that takes polynomial time of high degree elsewhere: twice the text is twice the work."""

    def work(length: int) -> int:
        calls = 0

        def count(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += 1

        matches = compile_pattern("%" + "a*" * 20 + "b%")
        gc.collect()  # what other tests left behind is not counted
        gc.disable()
        sys.setprofile(count)
        try:
            assert matches("a" * length) is False
        finally:
            sys.setprofile(None)
            gc.enable()
        return calls

    assert work(400) < 2.1 * work(200)
