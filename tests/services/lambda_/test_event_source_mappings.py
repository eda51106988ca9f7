"""Event source mappings of queues, on the real platform with functions that really run."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.platform import running
from tests.services.lambda_.conftest import Account, package
from tests.services.lambda_.queues import SEE, TRUST, Work, until

REPORT_BAD = """
def ANSWER(event):
    bad = [r["messageId"] for r in event["Records"] if r["body"].startswith("bad")]
    return {"batchItemFailures": [{"itemIdentifier": one} for one in bad]}
"""
AT_ONCE = {"BatchSize": 10, "MaximumBatchingWindowInSeconds": 0}
BUSY = "import time\n\ndef handler(event, context):\n    print('INSIDE')\n    time.sleep(800)"
MALFORMED = "ANSWER = lambda event: {'batchItemFailures': [{'itemIdentifier': ''}]}"


@pytest.fixture
def own() -> Iterator[Account]:
    """An account on a platform of the test's own, whose clock it may move."""
    with running() as platform:
        yield Account(platform, "222222222222")


def test_a_mapping_goes_through_its_states(aws: Account) -> None:
    """Creating -> Enabled -> Disabling -> Disabled -> Enabling -> Enabled -> Deleting -> gone (S3d-25)."""
    work = Work(aws)
    made = work.map()
    assert made["State"] == "Creating"
    assert made["StateTransitionReason"] == "USER_INITIATED"
    assert (made["BatchSize"], made["MaximumBatchingWindowInSeconds"]) == (10, 0)
    assert made["FunctionArn"] == f"arn:aws:lambda:us-east-1:{aws.id}:function:f"
    assert made["EventSourceMappingArn"].endswith(f":event-source-mapping:{work.id}")
    (listed,) = work.functions.list_event_source_mappings(FunctionName="f")["EventSourceMappings"]
    assert (listed["UUID"], listed["LastProcessingResult"]) == (work.id, "No records processed")
    assert work.functions.list_event_source_mappings(EventSourceArn=f"{work.arn}x")["EventSourceMappings"] == []
    assert work.functions.update_event_source_mapping(UUID=work.id, Enabled=False)["State"] == "Disabling"
    work.wait_for("Disabled")
    work.send("kept")
    assert work.functions.update_event_source_mapping(UUID=work.id, BatchSize=3)["State"] == "Updating"
    work.wait_for("Disabled")
    time.sleep(0.3)
    assert work.count() == (1, 0)
    assert work.functions.update_event_source_mapping(UUID=work.id, Enabled=True)["State"] == "Enabling"
    work.wait_until_empty()
    assert (work.get()["BatchSize"], work.get()["LastProcessingResult"]) == (3, "OK")
    assert work.functions.delete_event_source_mapping(UUID=work.id)["State"] == "Deleting"
    until(lambda: work.functions.list_event_source_mappings()["EventSourceMappings"] == [])
    with pytest.raises(ClientError, match=r"ResourceNotFoundException.*The resource you requested does not exist"):
        work.get()


def test_the_event_is_as_on_aws(aws: Account) -> None:
    """Every member of a record: ids, body, attributes of both kinds, digests, source."""
    work = Work(aws)
    work.map()
    attributes = {
        "Count": {"DataType": "Number", "StringValue": "7"},
        "Raw": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
    }
    (message_id,) = work.send("häj", MessageAttributes=attributes)
    until(lambda: len(work.records()) == 1)
    (record,) = work.records()
    assert set(record) == {
        "messageId", "receiptHandle", "body", "attributes", "messageAttributes", "md5OfBody", "md5OfMessageAttributes",
        "eventSource", "eventSourceARN", "awsRegion",
    }  # fmt: skip
    assert (record["messageId"], record["body"]) == (message_id, "häj")
    assert (record["eventSource"], record["eventSourceARN"], record["awsRegion"]) == ("aws:sqs", work.arn, "us-east-1")
    assert record["messageAttributes"]["Count"] == {
        "stringValue": "7", "stringListValues": [], "binaryListValues": [], "dataType": "Number",
    }  # fmt: skip
    assert record["messageAttributes"]["Raw"]["binaryValue"] == "AAE="
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert {"SentTimestamp", "SenderId", "ApproximateFirstReceiveTimestamp"} <= set(record["attributes"])
    work.wait_until_empty()


def test_a_failed_batch_comes_back_and_goes_to_the_dead_letter_queue(own: Account) -> None:
    """A function error leaves the whole batch in the queue; after maxReceiveCount it is the dead-letter queue's."""
    dead = own.client("sqs").create_queue(QueueName="dead")["QueueUrl"]
    redrive = json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{own.id}:dead", "maxReceiveCount": 2})
    work = Work(own, RedrivePolicy=redrive)
    work.map()
    work.send("fail")
    until(lambda: work.bodies() == ["fail"])
    until(lambda: work.get()["LastProcessingResult"] == "PROBLEM: Function call failed")
    own.platform.advance(31)
    until(lambda: work.bodies() == ["fail", "fail"])
    own.platform.advance(31)
    (letter,) = own.client("sqs").receive_message(QueueUrl=dead, WaitTimeSeconds=20)["Messages"]
    assert letter["Body"] == "fail"
    assert [record["attributes"]["ApproximateReceiveCount"] for record in work.records()] == ["1", "2"]


def test_only_the_items_that_are_reported_come_back(own: Account) -> None:
    """ReportBatchItemFailures: the others are deleted."""
    work = Work(own, answer=REPORT_BAD)
    work.map(Enabled=False, FunctionResponseTypes=["ReportBatchItemFailures"])
    work.send("good", "bad", "fine")
    work.functions.update_event_source_mapping(UUID=work.id, Enabled=True)
    until(lambda: sorted(work.bodies()) == ["bad", "fine", "good"])
    until(lambda: work.count() == (0, 1))
    own.platform.advance(31)
    until(lambda: sorted(work.bodies()) == ["bad", "bad", "fine", "good"])


def test_a_malformed_report_fails_the_whole_batch(aws: Account) -> None:
    """An empty itemIdentifier is a complete failure."""
    work = Work(aws, answer=MALFORMED)
    work.map(FunctionResponseTypes=["ReportBatchItemFailures"])
    work.send("one")
    until(lambda: work.get()["LastProcessingResult"] == "PROBLEM: Function call failed")
    assert work.count() == (0, 1)


def test_what_no_filter_matches_is_deleted(aws: Account) -> None:
    """FilterCriteria: any of the patterns; a JSON body is matched as JSON, another as a string."""
    work = Work(aws)
    patterns = [{"body": {"kind": ["a"]}}, {"body": [{"prefix": "plain"}]}]
    work.map(FilterCriteria={"Filters": [{"Pattern": json.dumps(one)} for one in patterns]})
    work.send('{"kind": "b"}', "other", "fail", '{"kind": "a"}', "plain text")
    work.wait_until_empty()
    until(lambda: sorted(work.bodies()) == ["plain text", '{"kind": "a"}'])


def test_a_window_gathers_up_to_the_batch_size(own: Account) -> None:
    """MaximumBatchingWindowInSeconds: what comes within it is one batch; a full batch does not wait."""
    work = Work(own, VisibilityTimeout="120")
    work.map(BatchSize=20, MaximumBatchingWindowInSeconds=60)
    bodies = [str(number) for number in range(20)]
    work.send(*bodies)
    until(lambda: len(work.lines("BATCH ")) == 1)
    assert sorted(work.lines("BATCH ")[0], key=int) == bodies
    work.send("a", "b", "c")
    until(lambda: work.count() == (0, 3))
    time.sleep(0.3)
    assert len(work.lines("BATCH ")) == 1
    own.platform.advance(60)
    until(lambda: len(work.lines("BATCH ")) == 2)
    assert sorted(work.lines("BATCH ")[1]) == ["a", "b", "c"]
    work.wait_until_empty()


def _gathering(own: Account) -> tuple[Work, str]:
    """A mapping that gathers five messages in a long window, of a queue whose messages live for one receive."""
    dead: str = own.client("sqs").create_queue(QueueName="dead")["QueueUrl"]
    redrive = json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{own.id}:dead", "maxReceiveCount": 1})
    work = Work(own, RedrivePolicy=redrive, VisibilityTimeout="300")
    work.map(BatchSize=100, MaximumBatchingWindowInSeconds=60)
    work.send("a", "b", "c", "d", "e")
    until(lambda: work.count() == (0, 5))
    return work, dead


def _all_are_shown(work: Work, dead: str, *bodies: str) -> None:
    until(lambda: sorted(work.bodies()) == sorted(bodies or "abcde"))
    work.wait_until_empty()
    assert {record["attributes"]["ApproximateReceiveCount"] for record in work.records()} == {"1"}
    assert work.sqs.receive_message(QueueUrl=dead).get("Messages", []) == []


def test_what_a_window_has_gathered_is_back_when_the_mapping_is_disabled(own: Account) -> None:
    """The function has not seen it: its receive is not counted, or maxReceiveCount would end it."""
    work, dead = _gathering(own)
    work.functions.update_event_source_mapping(UUID=work.id, Enabled=False)
    work.wait_for("Disabled")
    assert work.count() == (5, 0)
    work.functions.update_event_source_mapping(UUID=work.id, Enabled=True, **AT_ONCE)
    _all_are_shown(work, dead)


def test_what_a_window_has_gathered_is_there_after_a_stop(tmp_path: Path) -> None:
    """SIGTERM gives it back."""
    with running(tmp_path) as first:
        work, dead = _gathering(Account(first, "222222222222"))
    with running(tmp_path) as second:
        work.move_to(Account(second, "222222222222"))
        work.functions.update_event_source_mapping(UUID=work.id, **AT_ONCE)
        path = dead.partition("://")[2].partition("/")[2]
        _all_are_shown(work, f"{second.url}/{path}")


def test_a_batch_that_waits_for_an_environment_is_back_after_a_stop(tmp_path: Path) -> None:
    """The only environment is another function's when the platform stops: no receive counts that nobody saw."""
    with running(tmp_path, ("--max-environments", "1")) as first:
        own = Account(first, "222222222222")
        dead: str = own.client("sqs").create_queue(QueueName="dead")["QueueUrl"]
        redrive = json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{own.id}:dead", "maxReceiveCount": 1})
        work = Work(own, RedrivePolicy=redrive, VisibilityTimeout="300")
        own.create(name="busy", Timeout=900, Code={"ZipFile": package(app=BUSY)})
        own.client("lambda").invoke(FunctionName="busy", InvocationType="Event")
        until(lambda: _logged(own, "busy", "INSIDE"))
        work.map(BatchSize=10)
        work.send("a", "b")
        until(lambda: work.count() == (0, 2))
    with running(tmp_path) as second:
        work.move_to(Account(second, "222222222222"))
        path = dead.partition("://")[2].partition("/")[2]
        _all_are_shown(work, f"{second.url}/{path}", "a", "b")


def _logged(own: Account, function: str, text: str) -> bool:
    logs = own.client("logs")
    try:
        return bool(logs.filter_log_events(logGroupName=f"/aws/lambda/{function}", filterPattern=text)["events"])
    except logs.exceptions.ResourceNotFoundException:
        return False


def test_a_group_whose_messages_do_not_fit_into_an_event_keeps_its_order(own: Account) -> None:
    """FIFO: what is beyond 6 MB goes back to the queue, uncounted, and comes next."""
    own.client("sqs").create_queue(QueueName="dead.fifo", Attributes={"FifoQueue": "true"})
    redrive = json.dumps({"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:{own.id}:dead.fifo", "maxReceiveCount": 1})
    work = Work(own, fifo=True, RedrivePolicy=redrive)
    work.map(Enabled=False)
    code = "def handler(event, context):\n    print('FIRST', [int(r['body'][:2]) for r in event['Records']])"
    work.functions.update_function_code(FunctionName="f", ZipFile=package(app=code))
    work.functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    work.send(*[f"{number}{'x' * 900_000}" for number in range(10, 20)], MessageGroupId="g")
    work.functions.update_event_source_mapping(UUID=work.id, Enabled=True)
    until(lambda: len(work.lines("FIRST ")) == 2)
    assert work.lines("FIRST ") == [[10, 11, 12, 13, 14, 15], [16, 17, 18, 19]]
    work.wait_until_empty()


def test_a_message_that_comes_back_within_the_window_is_in_the_batch_once(own: Account) -> None:
    """The window may be longer than the visibility timeout: the last receipt handle counts."""
    work = Work(own)
    work.map(BatchSize=13, MaximumBatchingWindowInSeconds=300)
    work.send("a", "b", "c")
    until(lambda: work.count() == (0, 3))
    own.platform.advance(31)
    until(lambda: work.count() == (0, 3))
    work.send(*map(str, range(10)))
    work.wait_until_empty()
    (batch,) = work.lines("BATCH ")
    assert len(batch) == len(set(batch)) == 13
    assert {record["attributes"]["ApproximateReceiveCount"] for record in work.records()} == {"1", "2"}


def test_a_batch_is_at_most_six_megabytes(aws: Account) -> None:
    """Ten messages of 900 KB do not fit into one event."""
    work = Work(aws, answer="ANSWER = lambda event: None")
    work.map(Enabled=False)
    code = "def handler(event, context):\n    print('SIZES', len(event['Records']))"
    work.functions.update_function_code(FunctionName="f", ZipFile=package(app=code))
    work.functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    work.send(*["x" * 900_000] * 10)
    work.functions.update_event_source_mapping(UUID=work.id, Enabled=True)
    work.wait_until_empty()
    until(lambda: sum(work.lines("SIZES ")) == 10)
    assert max(work.lines("SIZES ")) == 6


def test_order_within_a_group_is_kept_over_a_failure(own: Account) -> None:
    """FIFO: what follows a message of its group waits until that is done."""
    work = Work(own, fifo=True)
    work.map(BatchSize=1)
    work.send("fail", "a2", MessageGroupId="a")
    work.send("b1", "b2", MessageGroupId="b")
    until(lambda: sorted(work.bodies()) == ["b1", "b2", "fail"])
    time.sleep(0.3)
    assert "a2" not in work.bodies()
    seen = [body for body in work.bodies() if body.startswith("b")]
    assert seen == ["b1", "b2"]
    code = package(app=SEE.replace('"fail" in bodies', "False") + "\nANSWER = lambda event: None")
    work.functions.update_function_code(FunctionName="f", ZipFile=code)
    work.functions.get_waiter("function_updated_v2").wait(FunctionName="f", WaiterConfig={"Delay": 1})
    own.platform.advance(31)
    work.wait_until_empty()
    assert [body for body in work.bodies() if not body.startswith("b")] == ["fail", "fail", "a2"]


def test_maximum_concurrency_bounds_the_batches_at_once(aws: Account) -> None:
    """ScalingConfig.MaximumConcurrency 2: never more than two messages in flight with batches of one."""
    work = Work(aws)
    work.map(BatchSize=1, ScalingConfig={"MaximumConcurrency": 2}, Enabled=False)
    work.send(*["slow"] * 5)
    work.functions.update_event_source_mapping(UUID=work.id, Enabled=True)
    most = 0
    while (count := work.count()) != (0, 0):
        most = max(most, count[1])
        time.sleep(0.05)
    assert most == 2
    removed = work.functions.update_event_source_mapping(UUID=work.id, ScalingConfig={})
    assert "ScalingConfig" not in removed


def test_a_throttled_function_loses_nothing(own: Account) -> None:
    """Reserved concurrency 0 throttles; the messages stay, and are processed once there is concurrency."""
    work = Work(own)
    work.functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    work.map()
    work.send("one", "two")
    until(lambda: work.count()[1] > 0)
    work.functions.delete_function_concurrency(FunctionName="f")
    for _ in range(4):
        own.platform.advance(31)
        time.sleep(0.2)
    work.wait_until_empty()
    assert {"one", "two"} <= set(work.bodies())


def test_a_mapping_is_refused_as_on_aws(aws: Account) -> None:
    """AWS's texts for what a queue as a source cannot have; sources that are missing are named."""
    work = Work(aws, fifo=True)
    work.functions.update_function_configuration(FunctionName="f", Timeout=60)
    create = aws.client("lambda", parameter_validation=False).create_event_source_mapping

    def refused(text: str, **params: Any) -> None:
        with pytest.raises(ClientError, match=text):
            create(**{"EventSourceArn": work.arn, "FunctionName": "f", **params})

    refused("Queue visibility timeout: 30 seconds is less than Function timeout: 60 seconds")
    work.sqs.set_queue_attributes(QueueUrl=work.url, Attributes={"VisibilityTimeout": "360"})
    refused("Batching window is not supported for FIFO queues", MaximumBatchingWindowInSeconds=1)
    refused("FIFO", BatchSize=11)
    refused("StartingPosition is not valid for SQS event sources", StartingPosition="LATEST")
    refused("SQS Error Code: AWS.SimpleQueueService.NonExistentQueue", EventSourceArn=work.arn.replace("q.", "z."))
    refused("ResourceNotFoundException.*Function not found", FunctionName="absent")
    refused(r"greater than or equal to 2", ScalingConfig={"MaximumConcurrency": 1})
    refused("Unrecognized event source", EventSourceArn=f"arn:aws:sns:us-east-1:{aws.id}:t")
    refused("Invalid filter pattern definition.", FilterCriteria={"Filters": [{"Pattern": '{"body": 1}'}]})
    refused("at most 5 filters", FilterCriteria={"Filters": [{"Pattern": '{"body": ["x"]}'}] * 6})
    refused("ParallelizationFactor is not valid for SQS event sources", ParallelizationFactor=2)
    stream = f"arn:aws:kinesis:us-east-1:{aws.id}:stream/s"
    refused("Stream not found", EventSourceArn=stream, StartingPosition="LATEST")
    standard = work.arn.removesuffix(".fifo")
    refused("Maximum batch window in seconds must be greater than 0", EventSourceArn=standard, BatchSize=11)
    work.map()
    refused(f"ResourceConflictException.*already exists. Please update or delete .* UUID {work.id}")


def test_the_role_must_be_allowed_to_read_the_queue(aws: Account) -> None:
    """sqs:ReceiveMessage, DeleteMessage and GetQueueAttributes, by the role's policies or by the queue's."""
    work, iam = Work(aws), aws.client("iam")
    role = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
    work.functions.update_function_configuration(FunctionName="f", Role=role)
    actions: list[str] = []
    for missing in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes"):
        with pytest.raises(ClientError, match=f"role does not have permissions to call {missing} on SQS"):
            work.map()
        actions.append(f"sqs:{missing}")
        allowed = {"Effect": "Allow", "Action": actions, "Resource": work.arn}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=policy)
    work.map()
    work.send("one")
    work.wait_until_empty()
    iam.delete_role_policy(RoleName="worker", PolicyName="p")
    work.send("two")
    until(lambda: work.get()["LastProcessingResult"].startswith("PROBLEM: AccessDenied"))


def test_a_mapping_is_deleted_while_a_batch_runs(aws: Account) -> None:
    """The batch ends and its messages are deleted; until then the mapping is Deleting and in use."""
    work = Work(aws)
    work.map(BatchSize=1)
    work.send("slow")
    until(lambda: work.count() == (0, 1))
    work.functions.delete_event_source_mapping(UUID=work.id)
    assert work.get()["State"] == "Deleting"
    with pytest.raises(ClientError, match=r"ResourceInUseException.*because it is in use"):
        work.functions.update_event_source_mapping(UUID=work.id, Enabled=False)
    until(lambda: work.functions.list_event_source_mappings()["EventSourceMappings"] == [])
    assert work.count() == (0, 0)
    work.send("after")
    time.sleep(0.3)
    assert work.count() == (1, 0)


def test_a_batch_has_an_edge_from_each_of_its_messages(aws: Account) -> None:
    """The trace of an invocation shows every message of its batch (I10)."""
    work = Work(aws)
    work.map(Enabled=False)
    sent = work.send("a", "b", "c")
    work.functions.update_event_source_mapping(UUID=work.id, Enabled=True)
    work.wait_until_empty()

    def invocations() -> list[str]:
        nodes = aws.platform.ask(f"/_undercast/trace/{sent[0]}")["nodes"]
        return [node["id"] for node in nodes if node["kind"] == "invocation"]

    until(lambda: invocations() != [])
    (invocation,) = invocations()
    whole = aws.platform.ask(f"/_undercast/trace/{invocation}")
    assert {edge["from"] for edge in whole["edges"] if edge["to"] == invocation} == set(sent)


def test_a_mapping_whose_queue_is_gone_says_so_and_can_be_disabled(aws: Account) -> None:
    """The queue is asked again later each time; LastProcessingResult has the reason."""
    work = Work(aws)
    work.map()
    work.sqs.delete_queue(QueueUrl=work.url)
    until(lambda: "queue does not exist" in work.get()["LastProcessingResult"])
    work.functions.update_event_source_mapping(UUID=work.id, Enabled=False)
    work.wait_for("Disabled")
    with pytest.raises(ClientError, match="NonExistentQueue"):
        work.functions.update_event_source_mapping(UUID=work.id, BatchSize=2)


def test_mappings_have_tags(aws: Account) -> None:
    """TagResource takes the ARN of a mapping."""
    work = Work(aws)
    arn = work.map(Tags={"a": "1"})["EventSourceMappingArn"]
    work.functions.tag_resource(Resource=arn, Tags={"b": "2"})
    work.functions.untag_resource(Resource=arn, TagKeys=["a"])
    assert work.functions.list_tags(Resource=arn)["Tags"] == {"b": "2"}
    work.wait_for("Enabled")
