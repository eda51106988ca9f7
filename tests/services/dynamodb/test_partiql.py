"""PartiQL through boto3.

AWS: DynamoDB Developer Guide, "PartiQL - a SQL-compatible query language for Amazon DynamoDB".
"""

from typing import Any

import pytest

from tests.services.dynamodb.conftest import Make, definition, message, refused

SONGS = (("Acme Band", "Happy Day", 2019), ("Acme Band", "PartiQL Rocks", 2020), ("No", "One", 1))


@pytest.fixture
def music(dynamodb: Any, make_table: Make) -> str:
    """Three songs of two artists."""
    name = make_table("artist:S song:S")
    for artist, song, year in SONGS:
        rest = "'tags': <<'a','b'>>, 'l': [1, {'x': true}]"
        item = f"{{'artist': '{artist}', 'song': '{song}', 'published': {year}, {rest}}}"
        dynamodb.execute_statement(Statement=f'INSERT INTO "{name}" VALUE {item}')
    return name


def songs(found: Any) -> list[str]:
    """The songs of an answer."""
    return [item["song"]["S"] for item in found["Items"]]


def test_an_insert_takes_every_kind_of_value_once(dynamodb: Any, make_table: Make) -> None:
    """Literals and parameters; DuplicateItemException for a key that is there."""
    name = make_table()
    value = "{'pk': ?, 'text': 'it''s', 'n': -1.50, 'none': null, 'set': <<1, 2>>, 'm': {'b': ?}}"
    statement = f'INSERT INTO "{name}" VALUE {value}'
    parameters = [{"S": "a"}, {"B": b"\x00"}]
    dynamodb.execute_statement(Statement=statement, Parameters=parameters)
    (item,) = dynamodb.scan(TableName=name)["Items"]
    assert item == {
        "pk": {"S": "a"}, "text": {"S": "it's"}, "n": {"N": "-1.5"}, "none": {"NULL": True}, "set": {"NS": ["1", "2"]},
        "m": {"M": {"b": {"B": b"\x00"}}},
    }  # fmt: skip
    code, text = refused(dynamodb.execute_statement, Statement=statement, Parameters=parameters)
    assert (code, text) == ("DuplicateItemException", "Duplicate primary key exists in table")
    text = message(dynamodb.execute_statement, Statement=statement, Parameters=parameters[:1])
    assert text == "Number of parameters in request and statement don't match."


def test_a_select_of_a_partition_is_a_query(dynamodb: Any, music: str) -> None:
    """What is looked at is paid for; ORDER BY, projections and paths."""
    select = f"SELECT * FROM \"{music}\" WHERE artist = 'Acme Band'"
    found = dynamodb.execute_statement(Statement=select)
    assert songs(found) == ["Happy Day", "PartiQL Rocks"]
    assert songs(dynamodb.execute_statement(Statement=f"{select} ORDER BY song DESC")) == ["PartiQL Rocks", "Happy Day"]
    assert songs(dynamodb.execute_statement(Statement=f"{select} AND begins_with(song, 'P')")) == ["PartiQL Rocks"]
    found = dynamodb.execute_statement(
        Statement=f'SELECT song, l[1].x FROM "{music}" WHERE artist = ? AND song = ?',
        Parameters=[{"S": "Acme Band"}, {"S": "Happy Day"}],
    )
    assert found["Items"] == [{"song": {"S": "Happy Day"}, "x": {"BOOL": True}}]


def test_functions_of_a_set_stand_within_one_another(dynamodb: Any, make_table: Make) -> None:
    """As in an update expression: a list that may not be there yet is appended to."""
    name = make_table()
    dynamodb.execute_statement(Statement=f"INSERT INTO \"{name}\" VALUE {{'pk': 'a', 'k': [0]}}")

    def updated(value: str, **more: Any) -> Any:
        statement = f"UPDATE \"{name}\" SET l = {value} WHERE pk = 'a' RETURNING ALL NEW *"
        return dynamodb.execute_statement(Statement=statement, **more)["Items"][0]["l"]

    one, two = {"N": "1"}, {"N": "2"}
    assert updated("list_append(if_not_exists(l, []), ?)", Parameters=[{"L": [one]}]) == {"L": [one]}
    assert updated("list_append(if_not_exists(l, l), [2])") == {"L": [one, two]}
    assert updated("if_not_exists(nothing, if_not_exists(l, k))") == {"L": [one, two]}
    assert updated("if_not_exists(nothing, 1) + if_not_exists(nothing, 1)") == two
    for value, reason in (
        ("if_not_exists(1, 2)", "requires a document path"),
        ("list_append(list_append(k, k), k)", "not allowed to be used this way"),
        ("if_not_exists(l, list_append(k, k))", "not allowed to be used this way"),
        ("list_append(k, k) + 1", "not allowed to be used this way"),
        ("if_not_exists(nothing, nothing)", "an attribute that does not exist in the item"),
        ("if_not_exists(x, " * 400 + "1" + ")" * 400, "nested too deeply"),
    ):
        statement = f"UPDATE \"{name}\" SET l = {value} WHERE pk = 'a'"
        assert reason in message(dynamodb.execute_statement, Statement=statement)


def test_sets_of_binaries(dynamodb: Any, make_table: Make) -> None:
    """There is no literal of a binary: as parameters, alone or in a bag."""
    name, a, b, c = make_table(), {"B": b"a"}, {"B": b"b"}, {"BS": [b"c"]}
    dynamodb.execute_statement(
        Statement=f"INSERT INTO \"{name}\" VALUE {{'pk': 'x', 's': <<?, ?>>}}", Parameters=[b, a]
    )
    where = f'FROM "{name}" WHERE'
    for condition, parameters in (("s = ?", [{"BS": [b"b", b"a"]}]), ("s = <<?, ?>>", [a, b]), ("contains(s, ?)", [a])):
        found = dynamodb.execute_statement(Statement=f"SELECT s {where} {condition}", Parameters=parameters)
        assert found["Items"] == [{"s": {"BS": [b"a", b"b"]}}]
    for function, parameters in (("set_add(s, ?)", [c]), ("set_delete(s, <<?>>)", [a])):
        update = f"UPDATE \"{name}\" SET s = {function} WHERE pk = 'x' RETURNING ALL NEW *"
        found = dynamodb.execute_statement(Statement=update, Parameters=parameters)
    assert found["Items"] == [{"pk": {"S": "x"}, "s": {"BS": [b"b", b"c"]}}]
    twice = f"INSERT INTO \"{name}\" VALUE {{'pk': 'y', 's': <<?, ?>>}}"
    assert "contains duplicates" in message(dynamodb.execute_statement, Statement=twice, Parameters=[a, a])


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("published >= 2020", ["PartiQL Rocks"]),
        ("published BETWEEN 1 AND 2019 AND NOT artist = 'No'", ["Happy Day"]),
        ("song IN ['One', 'Two']", ["One"]),
        ("artist IN ('No')", ["One"]),
        ("missing_one IS MISSING AND published <> 1 AND published != 2019", ["PartiQL Rocks"]),
        ("published IS NOT MISSING AND (song = 'One' OR song = 'x')", ["One"]),
        ("contains(tags, 'a') AND size(song) = 3", ["One"]),
        ("attribute_type(published, 'N') AND l[0] = 1 AND artist > 'B'", ["One"]),
    ],
)
def test_conditions(dynamodb: Any, music: str, where: str, expected: list[str]) -> None:
    """Everything else is a filter of a Scan."""
    assert songs(dynamodb.execute_statement(Statement=f'SELECT * FROM "{music}" WHERE {where}')) == expected


def test_pages(dynamodb: Any, music: str) -> None:
    """NextToken belongs to its statement."""
    select = f'SELECT song FROM "{music}"'
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = dynamodb.execute_statement(Statement=select, Limit=1, **token)
        found += songs(page)
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert sorted(found) == ["Happy Day", "One", "PartiQL Rocks"]
    assert "NextToken" in message(dynamodb.execute_statement, Statement=f"{select} WHERE song = 'x'", **token)


def test_updates_and_deletes(dynamodb: Any, music: str) -> None:
    """Of one item that WHERE names by its whole key; RETURNING."""
    where = "WHERE artist = 'Acme Band' AND song = 'Happy Day'"
    update = f'UPDATE "{music}" SET published = published + 1 SET l = list_append(l, [9]) REMOVE l[0] {where}'
    found = dynamodb.execute_statement(Statement=f"{update} RETURNING MODIFIED NEW *")["Items"][0]
    assert found["published"] == {"N": "2020"}
    dynamodb.execute_statement(Statement=f"UPDATE \"{music}\" SET tags = set_add(tags, <<'c'>>) {where}")
    item = dynamodb.execute_statement(Statement=f'SELECT * FROM "{music}" {where}')["Items"][0]
    assert item["tags"] == {"SS": ["a", "b", "c"]}
    code, _ = refused(dynamodb.execute_statement, Statement=f'UPDATE "{music}" SET n = 1 {where} AND published = 1')
    assert code == "ConditionalCheckFailedException"
    absent = "WHERE artist = 'x' AND song = 'y'"
    code, _ = refused(dynamodb.execute_statement, Statement=f'UPDATE "{music}" SET n = 1 {absent}')
    assert code == "ConditionalCheckFailedException"
    assert dynamodb.execute_statement(Statement=f'DELETE FROM "{music}" {absent}')["Items"] == []
    code, _ = refused(dynamodb.execute_statement, Statement=f'DELETE FROM "{music}" {where} AND published = 1')
    assert code == "ConditionalCheckFailedException"
    old = dynamodb.execute_statement(Statement=f'DELETE FROM "{music}" {where} RETURNING ALL OLD *')["Items"]
    assert songs({"Items": old}) == ["Happy Day"]
    text = message(dynamodb.execute_statement, Statement=f"DELETE FROM \"{music}\" WHERE artist = 'x'")
    assert text == "Where clause does not contain a mandatory equality on all key attributes"


@pytest.mark.parametrize(
    "statement",
    ["SELECT", "SELECT * FROM", "DROP TABLE x", "SELECT * FROM t WHERE", "SELECT * FROM t WHERE a = 'x",
     "UPDATE t WHERE a = 1",
     "SELECT * FROM t WHERE " + "(" * 4000, "INSERT INTO t VALUE " + "[" * 4000, "SELECT * FROM t WHERE a = 1 b"],
)  # fmt: skip
def test_what_is_no_statement_is_refused(dynamodb: Any, statement: str) -> None:
    """Before any table is looked at."""
    assert message(dynamodb.execute_statement, Statement=statement).startswith("Statement wasn't well formed")


def test_batches_are_each_for_itself(dynamodb: Any, music: str) -> None:
    """What fails is told in its place."""
    statements = [
        {"Statement": f"INSERT INTO \"{music}\" VALUE {{'artist': 'New', 'song': 'One'}}"},
        {"Statement": f"INSERT INTO \"{music}\" VALUE {{'artist': 'No', 'song': 'One'}}"},
        {"Statement": "INSERT INTO nowhere VALUE {'artist': 'No', 'song': 'One'}"},
    ]
    responses = dynamodb.batch_execute_statement(Statements=statements)["Responses"]
    codes = [response.get("Error", {}).get("Code") for response in responses]
    assert codes == [None, "DuplicateItem", "ResourceNotFound"]
    select = f'SELECT published FROM "{music}" WHERE artist = ? AND song = ?'
    reads = [{"Statement": select, "Parameters": [{"S": name}, {"S": "One"}]} for name in ("No", "New", "Nobody")]
    responses = dynamodb.batch_execute_statement(Statements=reads)["Responses"]
    assert [response.get("Item") for response in responses] == [{"published": {"N": "1"}}, {}, None]
    responses = dynamodb.batch_execute_statement(Statements=[{"Statement": "no statement"}, *reads[:1]])["Responses"]
    assert [response.get("Error", {}).get("Code") for response in responses] == ["ValidationError", None]
    responses = dynamodb.batch_execute_statement(Statements=[{"Statement": "no statement"}])["Responses"]
    assert responses[0]["Error"]["Message"].startswith("Statement wasn't well formed")


def test_a_projection_of_one_item_keeps_its_maps_and_lists(dynamodb: Any, music: str) -> None:
    """BatchExecuteStatement and ExecuteTransaction answer as GetItem does; ExecuteStatement names the leaves."""
    select = f"SELECT l[1].x, song FROM \"{music}\" WHERE artist = 'No' AND song = 'One'"
    whole = {"l": {"L": [{"M": {"x": {"BOOL": True}}}]}, "song": {"S": "One"}}
    (found,) = dynamodb.batch_execute_statement(Statements=[{"Statement": select}])["Responses"]
    assert found["Item"] == whole
    (found,) = dynamodb.execute_transaction(TransactStatements=[{"Statement": select}])["Responses"]
    assert found["Item"] == whole
    (found,) = dynamodb.execute_statement(Statement=select)["Items"]
    assert found == {"x": {"BOOL": True}, "song": {"S": "One"}}
    text = message(dynamodb.execute_transaction, TransactStatements=[{"Statement": select.split(" AND ")[0]}])
    assert text == (
        "Validation failed in TransactStatements[0]: Select statements within ExecuteTransaction must specify the "
        "primary key in the where clause."
    )


@pytest.mark.parametrize(
    ("value", "wrong"),
    [
        ("{'pk': 'p', 'a': 1, 'a': 2}", "Duplicate keys in tuple. Key: a under root at 1:43:3"),
        ("{'pk': 'p', 'm': {'b': {'x': 2, 'x': 3}}}", "Duplicate keys in tuple. Key: x under root.b at 1:46:1"),
        ("{'pk': 'p', 'l': [0, {'a': 1, 'a': 2}]}", "Duplicate keys in tuple. Key: a under root.1 at 1:44:1"),
        ("{'pk': 'p', 's': <<>>}", "Empty bags are not supported at 1:40:2"),
        ("{'pk': 'p', 's': <<?, 'a'>>}", "A set has members of one type: strings, numbers or binaries"),
    ],
)
def test_values_that_cannot_be_are_told_in_their_place(dynamodb: Any, value: str, wrong: str) -> None:
    """No key of a map is dropped for another; a batch does the other statements."""
    dynamodb.create_table(TableName="ttt", **definition("pk:S"))
    asked: dict[str, Any] = {"Statement": f"INSERT INTO ttt VALUE {value}"}
    if "?" in value:
        asked["Parameters"] = [{"N": "1"}]
    assert message(dynamodb.execute_statement, **asked) == wrong
    other = {"Statement": "INSERT INTO ttt VALUE {'pk': 'q'}"}
    responses = dynamodb.batch_execute_statement(Statements=[asked, other])["Responses"]
    assert [one.get("Error", {}).get("Message") for one in responses] == [wrong, None]
    assert dynamodb.scan(TableName="ttt")["Count"] == 1


def test_no_item_is_named_twice(dynamodb: Any, music: str) -> None:
    """As in DynamoDB Local: nothing of such a batch or transaction is done."""
    where = "WHERE artist = 'Fresh' AND song = 'One'"
    update, select = f'UPDATE "{music}" SET n = 1 {where}', f'SELECT * FROM "{music}" {where}'
    insert = f"INSERT INTO \"{music}\" VALUE {{'artist': 'Fresh', 'song': 'One'}}"
    for pair in ((insert, update), (insert, insert), (select, select)):
        statements = [{"Statement": one} for one in pair]
        code, text = refused(dynamodb.batch_execute_statement, Statements=statements)
        assert (code, text) == ("ValidationException", "Provided list of item keys contains duplicates")
    code, text = refused(dynamodb.execute_transaction, TransactStatements=[{"Statement": select}] * 2)
    assert text == "Transaction request cannot include multiple operations on one item"
    key = {"artist": {"S": "Fresh"}, "song": {"S": "One"}}
    assert "Item" not in dynamodb.get_item(TableName=music, Key=key)


def test_exists_has_a_condition_besides_the_key(dynamodb: Any, music: str) -> None:
    """Developer Guide, "Use the EXISTS function with PartiQL": a full primary key and one other condition."""
    exists = f"EXISTS(SELECT * FROM \"{music}\" WHERE artist = 'No' AND song = 'One')"
    _, text = refused(dynamodb.execute_transaction, TransactStatements=[{"Statement": exists}])
    reason = "EXISTS() must contain a single item read with additional condition"
    assert text == f"Validation failed in TransactStatements[0]: {reason}"


def test_transactions_are_all_or_nothing(dynamodb: Any, music: str) -> None:
    """EXISTS is a condition; the reasons are by statement."""
    insert = f"INSERT INTO \"{music}\" VALUE {{'artist': 'New', 'song': 'Song'}}"
    exists = f"EXISTS(SELECT * FROM \"{music}\" WHERE artist = 'No' AND song = 'One' AND published = ?)"
    code, text = refused(
        dynamodb.execute_transaction,
        TransactStatements=[{"Statement": insert}, {"Statement": exists, "Parameters": [{"N": "2"}]}],
    )
    assert (code, text[-30:]) == ("TransactionCanceledException", "[None, ConditionalCheckFailed]")
    assert len(dynamodb.scan(TableName=music)["Items"]) == 3
    done = [{"Statement": insert}, {"Statement": exists, "Parameters": [{"N": "1"}]}]
    for _ in range(2):
        dynamodb.execute_transaction(TransactStatements=done, ClientRequestToken="once")
    assert len(dynamodb.scan(TableName=music)["Items"]) == 4
    select = f"SELECT song FROM \"{music}\" WHERE artist = 'New' AND song = 'Song'"
    found = dynamodb.execute_transaction(TransactStatements=[{"Statement": select}])
    assert found["Responses"] == [{"Item": {"song": {"S": "Song"}}}]
    code, text = refused(dynamodb.execute_transaction, TransactStatements=[{"Statement": insert}])
    assert (code, text[-15:]) == ("TransactionCanceledException", "[DuplicateItem]")
