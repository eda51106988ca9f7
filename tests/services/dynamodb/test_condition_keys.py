"""DynamoDB's condition keys in policies, over single requests, batches, transactions and statements.

AWS: Service Authorization Reference, "Condition keys for Amazon DynamoDB"; Developer Guide, "Using IAM policy
conditions for fine-grained access control", "IAM security policies with PartiQL for DynamoDB".
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.platform import RunningPlatform
from tests.services.dynamodb.conftest import Make, refused

Held = Callable[[Mapping[str, Any]], Any]
DENIED = "AccessDeniedException"


@pytest.fixture
def table(dynamodb: Any, make_table: Make) -> str:
    """With an item of each of the keys a and b."""
    name = make_table("p:S")
    for key in "ab":
        dynamodb.put_item(TableName=name, Item={"p": {"S": key}, "x": {"S": key}, "secret": {"S": "s"}})
    return name


@pytest.fixture
def held(platform: RunningPlatform, account: str) -> Held:
    """A user who may do everything but what meets the condition."""
    iam = platform.client("iam", account=account)
    iam.create_user(UserName="u")
    key = iam.create_access_key(UserName="u")["AccessKey"]

    def make(condition: Mapping[str, Any]) -> Any:
        every = {"Action": "dynamodb:*", "Resource": "*"}
        statements = [{"Effect": "Allow", **every}, {"Effect": "Deny", **every, "Condition": condition}]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=document)
        return platform.client("dynamodb", account=key["AccessKeyId"], secret=key["SecretAccessKey"])

    return make


def test_leading_keys_hold_in_every_request(held: Held, table: str) -> None:
    """Who is denied the key b reaches it by nothing that names it."""
    user = held({"ForAnyValue:StringEquals": {"dynamodb:LeadingKeys": ["b"]}})
    key, put = {"p": {"S": "b"}}, {"p": {"S": "b"}, "x": {"S": "evil"}}
    select = f'SELECT * FROM "{table}" WHERE '
    wheres = ("p = 'b'", "'b' = p", "p IN ['b']", "p IN ['a', 'b']", "p = 'a' OR p = 'b'", "x = 'b' AND p IN ('b')")
    for where in wheres:
        assert refused(user.execute_statement, Statement=select + where)[0] == DENIED
        assert refused(user.batch_execute_statement, Statements=[{"Statement": select + where}])[0] == DENIED
    parameters = {"Statement": select + "p IN [?, ?]", "Parameters": [{"S": "a"}, {"S": "b"}]}
    assert refused(user.execute_statement, **parameters)[0] == DENIED
    for statement in (f"UPDATE \"{table}\" SET x = 'evil' WHERE p = 'b'", f"DELETE FROM \"{table}\" WHERE p = 'b'",
                      f"INSERT INTO \"{table}\" VALUE {{'p': 'b'}}"):  # fmt: skip
        assert refused(user.execute_statement, Statement=statement)[0] == DENIED
        assert refused(user.execute_transaction, TransactStatements=[{"Statement": statement}])[0] == DENIED
    assert refused(user.batch_get_item, RequestItems={table: {"Keys": [{"p": {"S": "a"}}, key]}})[0] == DENIED
    for request in ({"PutRequest": {"Item": put}}, {"DeleteRequest": {"Key": key}}):
        assert refused(user.batch_write_item, RequestItems={table: [request]})[0] == DENIED
    for kind, more in (("Put", {"Item": put}), ("Delete", {"Key": key}),
                       ("ConditionCheck", {"Key": key, "ConditionExpression": "attribute_exists(p)"})):  # fmt: skip
        assert refused(user.transact_write_items, TransactItems=[{kind: {"TableName": table, **more}}])[0] == DENIED
    assert refused(user.transact_get_items, TransactItems=[{"Get": {"TableName": table, "Key": key}}])[0] == DENIED
    assert len(user.execute_statement(Statement=select + "p IN ['a']")["Items"]) == 1


def test_a_full_table_scan_is_denied(held: Held, table: str) -> None:
    """The policy of "Allow select statements and deny full table scan statements in PartiQL"."""
    user = held({"Bool": {"dynamodb:FullTableScan": ["true"]}})
    select = f'SELECT * FROM "{table}"'
    for where in ("", " WHERE x = 'a'", " WHERE p > 'a'", " WHERE p = 'a' OR x = 'b'", " WHERE NOT p = 'a'"):
        assert refused(user.execute_statement, Statement=select + where)[0] == DENIED
    assert len(user.execute_statement(Statement=select + " WHERE p IN ['a', 'b']")["Items"]) == 2
    assert len(user.execute_statement(Statement=select + " WHERE p = 'a'")["Items"]) == 1


def test_a_number_has_one_form(held: Held, make_table: Make) -> None:
    """1.0 and 01 are 1."""
    name, user = make_table("p:N"), held({"ForAnyValue:StringEquals": {"dynamodb:LeadingKeys": ["1"]}})
    for text in ("1", "1.0", "01", "10e-1"):
        assert refused(user.get_item, TableName=name, Key={"p": {"N": text}})[0] == DENIED
    user.get_item(TableName=name, Key={"p": {"N": "2"}})


def test_attributes_that_are_named(held: Held, table: str) -> None:
    """dynamodb:Attributes: of items, projections and all expressions."""
    user = held({"ForAnyValue:StringEquals": {"dynamodb:Attributes": ["secret"]}})
    at = {"TableName": table, "Key": {"p": {"S": "a"}}}
    names, value = {"#s": "secret"}, {":v": {"S": "v"}}
    assert refused(user.get_item, **at, ProjectionExpression="#s", ExpressionAttributeNames=names)[0] == DENIED
    assert refused(user.get_item, **at, AttributesToGet=["secret"])[0] == DENIED
    assert refused(user.put_item, TableName=table, Item={"p": {"S": "c"}, "secret": {"S": "s"}})[0] == DENIED
    update = {"UpdateExpression": "SET x = secret"}
    assert refused(user.update_item, **at, **update)[0] == DENIED
    condition = {"ConditionExpression": "secret = :v", "ExpressionAttributeValues": value}
    assert refused(user.delete_item, **at, **condition)[0] == DENIED
    assert refused(user.transact_write_items, TransactItems=[{"Update": {**at, **update}}])[0] == DENIED
    scan = {"FilterExpression": "secret = :v", "ExpressionAttributeValues": value}
    assert refused(user.scan, TableName=table, **scan)[0] == DENIED
    keys = {table: {"Keys": [at["Key"]], "ProjectionExpression": "p, secret"}}
    assert refused(user.batch_get_item, RequestItems=keys)[0] == DENIED
    for statement in (f"SELECT secret FROM \"{table}\" WHERE p = 'a'", f"SELECT p FROM \"{table}\" WHERE secret = 's'",
                      f"UPDATE \"{table}\" SET secret = 'x' WHERE p = 'a'",
                      f"INSERT INTO \"{table}\" VALUE {{'p': 'c', 'secret': 'x'}}"):  # fmt: skip
        assert refused(user.execute_statement, Statement=statement)[0] == DENIED
    assert user.get_item(**at, ProjectionExpression="x")["Item"] == {"x": {"S": "a"}}


def test_who_reads_certain_attributes_names_them(held: Held, table: str) -> None:
    """ForAllValues with dynamodb:Attributes is met by no read of everything."""
    user = held({"ForAnyValue:StringNotEquals": {"dynamodb:Attributes": ["p", "x"]}})
    at = {"TableName": table, "Key": {"p": {"S": "a"}}}
    assert refused(user.get_item, **at)[0] == DENIED
    assert refused(user.scan, TableName=table)[0] == DENIED
    assert refused(user.execute_statement, Statement=f"SELECT * FROM \"{table}\" WHERE p = 'a'")[0] == DENIED
    assert user.get_item(**at, ProjectionExpression="p, x")["Item"] == {"p": {"S": "a"}, "x": {"S": "a"}}
    assert user.scan(TableName=table, Select="COUNT")["Count"] == 2


def test_transactions_are_told_apart(held: Held, table: str) -> None:
    """dynamodb:EnclosingOperation is there in transactions only."""
    user = held({"Null": {"dynamodb:EnclosingOperation": "true"}})
    at = {"TableName": table, "Key": {"p": {"S": "a"}}}
    statement = {"Statement": f"SELECT * FROM \"{table}\" WHERE p = 'a'"}
    assert refused(user.get_item, **at)[0] == DENIED
    assert refused(user.execute_statement, **statement)[0] == DENIED
    user.transact_get_items(TransactItems=[{"Get": at}])
    user.transact_write_items(TransactItems=[{"Delete": at}])
    user.execute_transaction(TransactStatements=[statement])
    user = held({"StringEquals": {"dynamodb:EnclosingOperation": ["TransactGetItems"]}})
    assert refused(user.transact_get_items, TransactItems=[{"Get": at}])[0] == DENIED
    user.get_item(**at)


def test_what_is_returned(held: Held, table: str) -> None:
    """dynamodb:ReturnValues, dynamodb:Select and dynamodb:ReturnConsumedCapacity."""
    at = {"TableName": table, "Key": {"p": {"S": "a"}}}
    user = held({"StringEquals": {"dynamodb:ReturnValues": ["ALL_OLD"]}})
    assert refused(user.delete_item, **at, ReturnValues="ALL_OLD")[0] == DENIED
    delete = f"DELETE FROM \"{table}\" WHERE p = 'a'"
    assert refused(user.execute_statement, Statement=f"{delete} RETURNING ALL OLD *")[0] == DENIED
    user.execute_statement(Statement=delete)
    user = held({"StringEquals": {"dynamodb:Select": ["ALL_ATTRIBUTES"]}})
    assert refused(user.scan, TableName=table)[0] == DENIED
    assert refused(user.scan, TableName=table, Select="ALL_ATTRIBUTES")[0] == DENIED
    assert refused(user.execute_statement, Statement=f'SELECT * FROM "{table}"')[0] == DENIED
    user.scan(TableName=table, ProjectionExpression="x")
    user.execute_statement(Statement=f'SELECT x FROM "{table}"')
    user = held({"StringEquals": {"dynamodb:ReturnConsumedCapacity": ["TOTAL"]}})
    total = {"ReturnConsumedCapacity": "TOTAL"}
    assert refused(user.get_item, **at, **total)[0] == DENIED
    assert refused(user.batch_get_item, RequestItems={table: {"Keys": [at["Key"]]}}, **total)[0] == DENIED
    assert refused(user.transact_get_items, TransactItems=[{"Get": at}], **total)[0] == DENIED
    user.transact_get_items(TransactItems=[{"Get": at}])
