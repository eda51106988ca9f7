"""What is wrong with an expression, in the words of AWS's own DynamoDB Local 2.6."""

from typing import Any

import pytest

from undercast.core.errors import ServiceError
from undercast.services.dynamodb.expressions.binding import Bindings, compiled
from undercast.services.dynamodb.legacy import attributes_to_get, legacy_condition, refuse_mixture
from undercast.services.dynamodb.partiql.parser import parsed

IN_101 = ", ".join([":v"] * 101)
AND_151 = " AND ".join(["n = :v"] * 151)


def message(function: Any, *arguments: Any) -> str:
    """The message of the ValidationException that a call ends in."""
    with pytest.raises(ServiceError) as caught:
        function(*arguments)
    assert caught.value.code == "ValidationException"
    return caught.value.message


@pytest.mark.parametrize(
    ("kind", "text", "wrong"),
    [
        ("UpdateExpression", "SET l[2147483648] = :v",
         "List index is not within the allowable range; index: [2147483648]"),
        ("UpdateExpression", "SET l[01] = :v", 'Syntax error; token: "1", near: "01]"'),
        ("UpdateExpression", "SET _a = :v", 'Syntax error; token: "_", near: "SET _a"'),
        ("UpdateExpression", "SET é = :v", 'Syntax error; token: "é", near: "SET é ="'),
        ("UpdateExpression", "SET a = : v", 'Syntax error; token: ":", near: "= : v"'),
        ("UpdateExpression", f"SET {'.'.join('a' * 33)} = :v",
         "The document path has too many nesting levels; nesting levels: 33"),
        ("ConditionExpression", "n != :v", 'Syntax error; token: "!", near: "n !="'),
        ("ConditionExpression", "attribute_exists()", 'Syntax error; token: ")", near: "()"'),
        ("ConditionExpression", f"n IN ({IN_101})",
         "The IN operator is provided with too many operands; number of operands: 101"),
        ("ConditionExpression", AND_151, "The expression contains too many operators; operator count: 301"),
        ("ConditionExpression", "a = and", 'Syntax error; token: "and", near: "= and"'),
        ("UpdateExpression", "SET Between = :v", 'Syntax error; token: "Between", near: "SET Between ="'),
        ("ProjectionExpression", "a.or, b", 'Syntax error; token: "or", near: ".or,"'),
        ("FilterExpression", "size(size(a)) = :v",
         "Incorrect operand type for operator or function; operator or function: size, operand type: N"),
        ("FilterExpression", "begins_with(a, size(b))",
         "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N"),
        ("FilterExpression", "attribute_type(a, size(b))",
         "Incorrect operand type for operator or function; operator or function: attribute_type, operand type: N"),
        ("FilterExpression", "attribute_type(a, b)",
         "Incorrect operand type for operator or function; operator or function: attribute_type, "
         "operand type: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}"),
        ("FilterExpression", "list_append(a, :v) = :v",
         "The function is not allowed in a condition expression; function: list_append"),
        ("ConditionExpression", "(n = :v", 'Syntax error; token: "<EOF>", near: ":v"'),
    ],
)  # fmt: skip
def test_the_texts_of_expressions(kind: str, text: str, wrong: str) -> None:
    """Each names the place, or the number that is too large."""
    assert message(compiled, kind, text, ()) == f"Invalid {kind}: {wrong}"


@pytest.mark.parametrize(
    "text", ["(n) = :v", "n = (:v)", "(n) IN (:v)", "((n = :v) AND (n = :v))", "NOT (n) = :v", "(size(n)) > :v"]
)
def test_an_operand_may_stand_in_brackets(text: str) -> None:
    """As in DynamoDB Local."""
    test = compiled("ConditionExpression", text, ()).test
    assert test is not None
    test({"n": {"N": "1"}}, {":v": {"N": "1"}})


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("((n))", "The expression has redundant parentheses;"),
        ("((n + :v))", "The expression has redundant parentheses;"),
        ("(n + :v) - :v", 'Syntax error; token: "-", near: ") - :v"'),
        ("n + (:v + :v)", 'Syntax error; token: "+", near: ":v + :v"'),
        ("if_not_exists(x, (n + :v))", 'Syntax error; token: "+", near: "n + :v"'),
        ("list_append(list_append(n, n), n)", "The function is not allowed to be used this way in an expression; "
                                              "function: list_append"),
        ("list_append(n, n) + :v", "The function is not allowed to be used this way in an expression; "
                                   "function: list_append"),
        ("if_not_exists(x, list_append(n, n))", "The function is not allowed to be used this way in an expression; "
                                                "function: list_append"),
    ],
)  # fmt: skip
def test_what_is_no_value_of_a_set(value: str, wrong: str) -> None:
    """A sum has two operands that are none, and a list_append is a whole value: DynamoDB Local."""
    found = message(compiled, "UpdateExpression", f"SET n = {value}", ())
    assert found == f"Invalid UpdateExpression: {wrong}"


@pytest.mark.parametrize(
    "value",
    [
        "(n + (:v))", "((n) + :v)", "(n) + :v", "n + (:v)", "(if_not_exists(n, (:v)))", "if_not_exists((n), :v) - n",
        "(list_append((n), n))", "list_append(if_not_exists(x, n), (n))", "if_not_exists(x, if_not_exists(n, :v))",
    ],
)  # fmt: skip
def test_what_is_a_value_of_a_set(value: str) -> None:
    """Brackets around operands and around the whole: DynamoDB Local."""
    assert compiled("UpdateExpression", f"SET n = {value}", ()).actions


def test_a_placeholder_has_at_most_255_bytes() -> None:
    """Developer Guide, quotas: expression attribute names and values; the # and the colon count."""
    long = "#" + "a" * 255
    params = {"UpdateExpression": f"SET {long} = :v", "ExpressionAttributeNames": {long: "x"}}
    assert message(Bindings, params, ("UpdateExpression",)) == (
        "ExpressionAttributeNames contains invalid key: The expression attribute map contains a key that is too long; "
        "size of key: 256"
    )
    short = long[:-1]
    Bindings({"UpdateExpression": "x", "ExpressionAttributeNames": {short: "x"}}, ("UpdateExpression",))


def condition(operator: str, *values: Any) -> dict[str, Any]:
    """An attribute's condition of the time before expressions."""
    return {"ComparisonOperator": operator, "AttributeValueList": list(values)}


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        (condition("LT", {"SS": ["a"]}), "ComparisonOperator LT is not valid for SS AttributeValue type"),
        (condition("CONTAINS", {"L": []}), "ComparisonOperator CONTAINS is not valid for L AttributeValue type"),
        (condition("IN", {"BOOL": True}), "ComparisonOperator IN is not valid for BOOL AttributeValue type"),
        (condition("BEGINS_WITH", {"N": "1"}), "ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type"),
        (condition("IN", {"N": "1"}, {"S": "a"}), "AttributeValues inside AttributeValueList must be of same type"),
        ({"Value": {"N": "1"}, **condition("EQ", {"N": "1"})},
         "Value and AttributeValueList cannot be used together for Attribute: v"),
        ({"ComparisonOperator": "EQ"},
         "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: v"),
        ({"AttributeValueList": [{"N": "1"}]},
         "AttributeValueList can only be used with a ComparisonOperator for Attribute: v"),
        ({}, "Value must be provided when Exists is null for Attribute: v"),
        ({"Exists": True}, "Value must be provided when Exists is true for Attribute: v"),
    ],
)  # fmt: skip
def test_the_texts_of_expected(given: dict[str, Any], wrong: str) -> None:
    """Each names the operator and the type, or the attribute."""
    assert (
        message(legacy_condition, {"Expected": {"v": given}}) == f"One or more parameter values were invalid: {wrong}"
    )


def test_bounds_in_the_wrong_order() -> None:
    """Of the older parameters; expressions have a text of their own."""
    given = {"ScanFilter": {"v": condition("BETWEEN", {"N": "3"}, {"N": "1"})}}
    assert message(legacy_condition, given, "ScanFilter") == (
        "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
    )


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"QueryFilter": {}, "ConditionalOperator": "OR"},
         "ConditionalOperator cannot be used without Filter or Expected"),
        ({"KeyConditions": {"pk": {}}, "ConditionalOperator": "OR"},
         "ConditionalOperator cannot be used without Filter or Expected"),
        ({"Expected": {"v": {}}, "ConditionalOperator": "AND"},
         "ConditionalOperator can only be used when Filter or Expected has two or more elements"),
        ({"AttributeUpdates": {}, "UpdateExpression": "x", "ExpressionAttributeValues": {}},
         "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: "
         "{AttributeUpdates} Expression parameters: {UpdateExpression}"),
    ],
)  # fmt: skip
def test_parameters_that_do_not_go_together(given: dict[str, Any], wrong: str) -> None:
    """A ConditionalOperator that combines nothing has no effect, so it is refused."""
    assert message(refuse_mixture, given) == wrong


def test_an_attribute_to_get_is_named_once() -> None:
    """As in DynamoDB Local, in the service's words."""
    wrong = "One or more parameter values were invalid: Duplicate value in attribute name: a"
    assert message(attributes_to_get, {"AttributesToGet": ["a", "b", "a"]}) == wrong


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("SELECT * FROM t WHERE pk='p' LIMIT 1", "Unsupported clause: LIMIT at 1:36:1"),
        ("SELECT * FROM t GROUP BY pk", "Unsupported clause: GROUP BY"),
        ("SELECT pk AS x FROM t", "Aliasing is not supported"),
        ("SELECT * FROM t a WHERE a.pk='p'", "Aliasing is not supported"),
        ("SELECT * FROM t, u", "Only select from a single table or index is supported."),
        ("SELECT DISTINCT pk FROM t", "Unsupported token in expression: DISTINCT"),
        ("SELECT m.x, y.x FROM t", "Duplicate identifiers in select clause: x"),
        ("SELECT * FROM t WHERE v+1=2", "Unsupported operator in Condition Expression. Operator: +"),
        ("SELECT * FROM t WHERE pk LIKE 'p%'", "Unsupported operator in Condition Expression. Operator: like"),
        ("SELECT * FROM t WHERE foo(v)", "Unrecognized function: foo"),
        ("UPDATE t SET v=1", "Where clause does not contain a mandatory equality on all key attributes"),
        ("DELETE FROM t", "Where clause does not contain a mandatory equality on all key attributes"),
        ("DELETE FROM t WHERE pk='p' RETURNING ALL NEW *",
         "Invalid returning clause: RETURNING ALL NEW *. Only RETURNING ALL OLD * is allowed in DELETE statements."),
    ],
)  # fmt: skip
def test_the_texts_of_statements(text: str, wrong: str) -> None:
    """What SQL has and PartiQL for DynamoDB has not."""
    assert message(parsed, text) == wrong


@pytest.mark.parametrize(
    "text", ["SELECT * FROM t;", "SELECT * FROM t -- all\n;", "SELECT /* what */ * FROM t", "-- one\nSELECT * FROM t"]
)
def test_comments_and_one_semicolon(text: str) -> None:
    """As in DynamoDB Local."""
    assert parsed(text).table == "t"
    assert message(parsed, f"{text};;").startswith("Statement wasn't well formed")


@pytest.mark.parametrize("text", ["a <> b", "a <> :v", "NOT a = b", "n <> a", "m.x <> l[0]", "size(a) <> size(b)"])
def test_what_is_not_there_is_unlike_everything(text: str) -> None:
    """Also unlike what else is not there: <> holds where = does not."""
    test = compiled("ConditionExpression", text, ()).test
    assert test is not None
    assert test({"n": {"N": "1"}}, {":v": {"N": "1"}})
    assert not test({name: {"M": {}} for name in "abn"} | {"m": {"M": {"x": {"M": {}}}}, "l": {"L": [{"M": {}}]}},
                    {":v": {"M": {}}})  # fmt: skip


@pytest.mark.parametrize("path", ["m[0]", "l.x", "m.x.y", "n[0]", "nope.x"])
def test_remove_asks_for_the_map_or_list_it_takes_from(path: str) -> None:
    """What is not in it may be taken away; what could not be in it may not."""
    item: Any = {"m": {"M": {"x": {"N": "1"}}}, "l": {"L": [{"N": "1"}]}, "n": {"N": "1"}}
    update = Bindings({"UpdateExpression": f"REMOVE {path}"}, ("UpdateExpression",)).update()
    assert update is not None
    wrong = "The document path provided in the update expression is invalid for update"
    assert message(update.applied, item, lambda: item) == wrong
    fine = Bindings({"UpdateExpression": "REMOVE m.nope, l[7]"}, ("UpdateExpression",)).update()
    assert fine is not None and fine.applied(item, lambda: item) == item
