"""What a POST policy allows, in S3's words. AWS: S3 API Reference, "POST Policy"."""

import base64
import json
from typing import Any

import pytest

from undercast.core.errors import ServiceError
from undercast.wire.post_policy import SizeRange, check_policy

NOW = 1_700_000_000.0
LATER = "2023-11-14T23:00:00.000Z"
FIELDS = {"bucket": "b", "key": "user/a.txt", "acl": "private", "content-type": "image/png", "policy": "p"}
COVERED: list[Any] = [
    {"bucket": "b"},
    ["starts-with", "$key", "user/"],
    {"acl": "private"},
    ["starts-with", "$Content-Type", "image/"],
]


def check(conditions: Any, fields: dict[str, str] | None = None, /, **document: Any) -> SizeRange | None:
    """The outcome for a policy of these conditions."""
    text = json.dumps({"expiration": LATER, "conditions": conditions} | document)
    return check_policy(base64.b64encode(text.encode()).decode(), fields or FIELDS, NOW)


def refusal(conditions: Any, fields: dict[str, str] | None = None, /, **document: Any) -> tuple[str, str]:
    """Code and message."""
    with pytest.raises(ServiceError) as caught:
        check(conditions, fields, **document)
    return caught.value.code, caught.value.message


def test_a_form_that_keeps_the_conditions_passes() -> None:
    """Operators and names in any case; x-ignore-* and the signature need no condition."""
    assert check(COVERED) is None
    assert check([{"bUcKeT": "b"}, ["StArTs-WiTh", "$KeY", "user/"], {"AcL": "private"}, *COVERED[3:]]) is None
    more = {"x-ignore-submit": "go", "signature": "s", "awsaccesskeyid": "a", "x-amz-signature": "s"}
    assert check(COVERED, {**FIELDS, **more}) is None


def test_a_range_limits_the_file() -> None:
    """content-length-range; numbers may be texts."""
    assert check([*COVERED, ["content-length-range", 1, "10"]]) == SizeRange(least_bytes=1, most_bytes=10)


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        ({"acl": "public-read"}, '["eq", "$acl", "public-read"]'),
        (["eq", "$key", "user/b.txt"], '["eq", "$key", "user/b.txt"]'),
        (["starts-with", "$key", "other/"], '["starts-with", "$key", "other/"]'),
        (["starts-with", "$Content-Type", "text/"], '["starts-with", "$Content-Type", "text/"]'),
        (["eq", "key", "user/a.txt"], '["eq", "key", "user/a.txt"]'),
        (["starts-with", "$x-amz-meta-n", ""], '["starts-with", "$x-amz-meta-n", ""]'),
        (["content-length-range", "test", "10"], '["content-length-range", "test", "10"]'),
        (["eq", "$x-amz-meta-n", "v"], '["eq", "$x-amz-meta-n", "v"]'),
        ({"bucket": "other"}, '["eq", "$bucket", "other"]'),
    ],
)
def test_a_condition_that_does_not_hold_names_itself(condition: Any, shown: str) -> None:
    """AccessDenied 403."""
    assert refusal([*COVERED, condition]) == (
        "AccessDenied",
        f"Invalid according to Policy: Policy Condition failed: {shown}",
    )


def test_every_entry_of_a_list_of_types_must_match() -> None:
    """ "Condition matching": comma-separated Content-Type."""
    assert check(COVERED, {**FIELDS, "content-type": "image/png, image/gif"}) is None
    assert refusal(COVERED, {**FIELDS, "content-type": "image/png,text/html"})[0] == "AccessDenied"


def test_each_field_needs_a_condition() -> None:
    """The bucket counts as a field; the first without one is named."""
    extra = refusal(COVERED, {**FIELDS, "x-amz-meta-n": "v", "success_action_status": "201"})
    assert extra == ("AccessDenied", "Invalid according to Policy: Extra input fields: x-amz-meta-n")
    assert refusal(COVERED[1:])[1] == "Invalid according to Policy: Extra input fields: bucket"


def test_a_policy_ends() -> None:
    """AccessDenied, whatever the conditions say."""
    expired = refusal(COVERED, expiration="2023-11-14T22:13:20Z")
    assert expired == ("AccessDenied", "Invalid according to Policy: Policy expired.")


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ({"expiration": "tomorrow"}, "Invalid 'expiration' value: 'tomorrow'"),
        ({"expiration": "2030-01-01T00:00:00"}, "Invalid 'expiration' value: '2030-01-01T00:00:00'"),
        ({"expiration": 5}, "Invalid 'expiration' value: '5'"),
        ({"conditions": {}}, "Invalid 'conditions' value: must be a List."),
        ({"conditions": ["key"]}, "Invalid condition test: must be a List or Object."),
        ({"conditions": [[]]}, "Invalid Condition: missing operation identifier."),
        ({"conditions": [["Ends-with", "$key", "txt"]]}, "Invalid Condition: unknown operation 'Ends-with'."),
        ({"conditions": [["eq", "$key"]]}, "Invalid eq: wrong number of arguments."),
        ({"conditions": [{"acl": 1}]}, "Invalid Simple-Condition: value must be a string."),
        ({"conditions": [["content-length-range", 0]]}, "Invalid content-length-range: wrong number of arguments."),
        ({"conditions": [["content-length-range", -1, 0]]}, "Invalid content-length-range."),
        (
            {"conditions": [{"acl": "private", "key": "k"}]},
            "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
        ),
        ({"conditions": [["content-length-range", 0.5, 1]]}, "Invalid content-length-range."),
    ],
)
def test_a_document_that_is_no_policy_is_refused(document: dict[str, Any], text: str) -> None:
    """InvalidPolicyDocument."""
    assert refusal(COVERED, **document) == ("InvalidPolicyDocument", f"Invalid Policy: {text}")


@pytest.mark.parametrize("text", ["", "x", "e30", base64.b64encode(b"[" * 15_000).decode(), "W10="])
def test_a_policy_that_is_no_json_is_refused(text: str) -> None:
    """Whatever is sent."""
    with pytest.raises(ServiceError) as caught:
        check_policy(text, FIELDS, NOW)
    assert caught.value.code == "InvalidPolicyDocument"
