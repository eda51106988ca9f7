"""Buses, rules and what a rule's targets get.

AWS: EventBridge API Reference; EventBridge User Guide, "Event buses", "Rules", "Input transformation".
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.platform import RunningPlatform
from tests.services.events.actions import allow, put, queue_of, rule, trusting
from tests.services.sns.actions import Queue, refusal


def test_an_event_reaches_the_targets_of_the_rules_that_match(
    platform: RunningPlatform, account: str, events: Any, queue: Queue
) -> None:
    """The envelope in AWS's order; a disabled rule and one that does not match do nothing."""
    other = queue_of(platform, account)
    pattern = {"source": ["app"], "detail": {"state": [{"anything-but": "idle"}]}}
    rule(events, pattern, {"Arn": queue.arn})
    rule(events, {"source": ["other"]}, {"Arn": other.arn})
    rule(events, pattern, {"Arn": other.arn}, State="DISABLED")
    put(events, {"state": "idle"})
    sent = put(events, {"state": "up", "n": 1.5}, Resources=["arn:aws:s3:::b"])
    (event,) = queue.letters()
    assert list(event) == ["version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"]
    assert (event["version"], event["id"], event["account"], event["region"]) == ("0", sent, account, "us-east-1")
    assert (event["detail-type"], event["source"], event["resources"]) == ("Done", "app", ["arn:aws:s3:::b"])
    assert event["detail"] == {"state": "up", "n": 1.5}
    platform.drain()
    assert other.messages(0) == []


def test_each_entry_is_judged_by_itself(events: Any, queue: Queue) -> None:
    """PutEventsResultEntry: InvalidArgument, MalformedDetail, NotAuthorizedForSourceException; the others are sent."""
    rule(events, {"source": ["app"]}, {"Arn": queue.arn})
    good = {"Source": "app", "DetailType": "d", "Detail": "{}"}
    entries = [
        {"DetailType": "d", "Detail": "{}"}, {"Source": "app", "Detail": "{}"}, {"Source": "app", "DetailType": "d"},
        {**good, "Detail": "[]"}, {**good, "Source": "aws.app"}, good,
    ]  # fmt: skip
    answer = events.put_events(Entries=entries)
    assert answer["FailedEntryCount"] == 5
    assert [(one.get("ErrorCode"), one.get("ErrorMessage")) for one in answer["Entries"]] == [
        ("InvalidArgument", "Parameter Source is not valid. Reason: Source is a required argument."),
        ("InvalidArgument", "Parameter DetailType is not valid. Reason: DetailType is a required argument."),
        ("InvalidArgument", "Parameter Detail is not valid. Reason: Detail is a required argument."),
        ("MalformedDetail", "Detail is malformed."),
        ("NotAuthorizedForSourceException", "Not authorized for the source."),
        (None, None),
    ]
    (event,) = queue.letters()
    assert event["id"] == answer["Entries"][5]["EventId"]
    nowhere = events.put_events(Entries=[{**good, "EventBusName": "nowhere"}])
    assert nowhere["FailedEntryCount"] == 0 and nowhere["Entries"][0]["EventId"]
    big = {**good, "Detail": json.dumps({"a": "x" * 600_000})}
    assert refusal(events.put_events, Entries=[big, big]) == (
        "ValidationException", "Total size of the entries in the request is over the limit.",
    )  # fmt: skip
    code, text = refusal(events.put_partner_events, Entries=[{"Source": "aws.partner/a/b"}])
    assert code == "NotImplemented" and "PutPartnerEvents" in text


def test_a_target_gets_what_its_input_says(platform: RunningPlatform, account: str, events: Any, queue: Queue) -> None:
    """Input, InputPath, InputTransformer with its reserved variables; a FIFO queue gets the group."""
    fifo = queue_of(platform, account, fifo=True)
    template = '{"who": <who>, "text": "<who> is <state>", "rule": <aws.events.rule-name>, "none": <none>}'
    paths = {"who": "$.detail.who", "state": "$.detail.state", "none": "$.detail.none"}
    transformer = {"InputPathsMap": paths, "InputTemplate": template}
    arn = rule(
        events, {"source": ["app"]},
        {"Arn": queue.arn, "Input": '{"fixed": 1}'},
        {"Arn": queue.arn, "InputPath": "$.detail"},
        {"Arn": queue.arn, "InputTransformer": transformer},
        {"Arn": fifo.arn, "SqsParameters": {"MessageGroupId": "g"}, "InputPath": "$.detail.who"},
    )  # fmt: skip
    put(events, {"who": "i-1", "state": "up"})
    bodies: list[str] = []
    while len(bodies) < 3:
        bodies += [message["Body"] for message in queue.messages()]
    name = arn.rpartition("/")[2]
    assert sorted(bodies) == sorted([
        '{"fixed": 1}',
        '{"who":"i-1","state":"up"}',
        f'{{"who":"i-1","text":"i-1 is up","rule":"{name}","none":""}}',
    ])  # fmt: skip
    (message,) = fifo.messages()
    assert (message["Body"], message["Attributes"]["MessageGroupId"]) == ('"i-1"', "g")


def transformed(template: str, **paths: str) -> dict[str, Any]:
    """The InputTransformer of a target."""
    return {"InputTransformer": {"InputTemplate": template, **({"InputPathsMap": paths} if paths else {})}}


def test_a_template_that_can_make_no_input_is_refused(events: Any, queue: Queue) -> None:
    """User Guide, "Amazon EventBridge input transformation"; the texts are recorded from AWS."""
    events.put_rule(Name="a", EventPattern='{"source": ["app"]}')
    cases = [
        (transformed('"<who> <aws.events.rule-name>"', it="$.detail"),
         "InputTemplate for target one contains invalid placeholder who."),
        (transformed('"all of <aws.events.event.json>"'),
         "InputTemplate for target one contains placeholder aws.events.event.json valid only for JSON template."),
        (transformed('{"<it>": 1}', it="$.detail.it"),
         "InputTemplate placeholder present as a JSON object key for target one."),
        (transformed('{"a": <it>', it="$.detail.it"), "Invalid InputTemplate for target one : [Source: (String)"),
        ({"InputPath": "detail"}, "InputPath for target one is invalid."),
        (transformed('"<it>"', it="detail"), "InputPath for target one is invalid."),
        ({"Input": '{"a": }'}, "JSON syntax error in input for target one: [Source: (String)\"{\"a\": }\"; line: 1,"),
    ]  # fmt: skip
    for given, text in cases:
        target = {"Id": "one", "Arn": queue.arn, **given}
        code, told = refusal(events.put_targets, Rule="a", Targets=[target])
        assert (code, told[: len(text)]) == ("ValidationException", text)
    refused = {"Arn": queue.arn, **transformed('{"a": <it>', it="$.detail.it")}
    many = [{"Id": str(number), **refused} for number in range(6)]
    assert refusal(events.put_targets, Rule="a", Targets=many)[0] == "LimitExceededException"  # before what is in them
    assert events.list_targets_by_rule(Rule="a")["Targets"] == []
    rule(events, {"source": ["app"]}, {"Arn": queue.arn, **transformed('"before <undefined>"')})
    put(events, {})
    (message,) = queue.messages()
    assert message["Body"] == '"before <undefined>"'  # without an InputPathsMap


def test_the_events_own_variables(events: Any, queue: Queue) -> None:
    """aws.events.event is without the detail, its time in milliseconds; aws.events.event.json is all of it."""
    template = '{"head": <aws.events.event>, "all": <aws.events.event.json>, "at": <aws.events.event.ingestion-time>}'
    rule(events, {"source": ["app"]}, {"Arn": queue.arn, **transformed(template)})
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    sent = put(events, {"n": 1}, Time=at)
    (made,) = queue.letters()
    head = made["head"]
    assert list(head) == ["id", "account", "detailType", "time", "source", "region", "resources", "version"]
    assert (head["id"], head["detailType"], head["time"]) == (sent, "Done", int(at.timestamp() * 1000))
    assert (made["all"]["id"], made["all"]["detail"], made["all"]["time"]) == (sent, {"n": 1}, "2026-01-02T03:04:05Z")
    assert datetime.fromisoformat(made["at"]).tzinfo == UTC and made["at"][-5:-4] == "."


def test_a_path_to_nothing_gives_an_empty_object(events: Any, queue: Queue) -> None:
    """Recorded from AWS: an InputPath that finds nothing, or null."""
    for path in ("$.detail.none", "$.detail.null"):
        rule(events, {"source": ["app"]}, {"Arn": queue.arn, "InputPath": path})
    put(events, {"null": None})
    bodies: list[str] = []
    while len(bodies) < 2:
        bodies += [message["Body"] for message in queue.messages()]
    assert bodies == ["{}", "{}"]


def test_rules_are_kept_and_listed(events: Any, queue: Queue) -> None:
    """PutRule replaces; targets, states, tags, pages; a rule with targets stays."""
    assert refusal(events.put_rule, Name="a") == (
        "ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.",
    )  # fmt: skip
    assert refusal(events.put_rule, Name="a", ScheduleExpression="rate(1 minutes)") == (
        "ValidationException", "Parameter ScheduleExpression is not valid.",
    )  # fmt: skip
    code, text = refusal(events.put_rule, Name="a", EventPattern='{"source": "app"}')
    assert code == "InvalidEventPatternException"
    assert text == 'Event pattern is not valid. Reason: "source" must be an object or an array'
    assert refusal(events.put_rule, Name="a", EventPattern="app")[1].startswith(
        "Event pattern is not valid. Reason: Unrecognized token 'app': was expecting"
    )
    bus = events.describe_event_bus()["Arn"]
    for refused in (
        refusal(events.put_rule, Name="a", EventPattern="{}"),
        refusal(events.create_archive, ArchiveName="a", EventSourceArn=bus, EventPattern=" {} "),
    ):
        assert refused == (
            "InvalidEventPatternException", "Event pattern is not valid. Reason: Empty objects are not allowed",
        )  # fmt: skip
    rule(events, {"source": ["app"]}, {"Arn": queue.arn}, Name="a", Description="d", Tags=[{"Key": "k", "Value": "v"}])
    arn = rule(events, {"source": ["b"]}, Name="a")
    described = events.describe_rule(Name="a")
    assert "Description" not in described and json.loads(described["EventPattern"]) == {"source": ["b"]}
    assert (described["State"], described["EventBusName"], described["Arn"]) == ("ENABLED", "default", arn)
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "k", "Value": "v"}]
    events.untag_resource(ResourceARN=arn, TagKeys=["k"])
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == []
    assert events.list_targets_by_rule(Rule="a")["Targets"] == [{"Id": "t0", "Arn": queue.arn}]
    assert events.list_rule_names_by_target(TargetArn=queue.arn)["RuleNames"] == ["a"]
    events.disable_rule(Name="a")
    assert events.describe_rule(Name="a")["State"] == "DISABLED"
    for name in ("b", "c"):
        rule(events, {"source": ["app"]}, Name=name)
    first = events.list_rules(Limit=2)
    assert [one["Name"] for one in first["Rules"]] == ["a", "b"]
    assert [one["Name"] for one in events.list_rules(NextToken=first["NextToken"])["Rules"]] == ["c"]
    assert refusal(events.delete_rule, Name="a")[1] == "Rule can't be deleted since it has targets."
    failed = events.remove_targets(Rule="a", Ids=["t0", "t1"])
    assert (failed["FailedEntryCount"], failed["FailedEntries"][0]["TargetId"]) == (1, "t1")
    events.delete_rule(Name="a")
    assert refusal(events.describe_rule, Name="a") == (
        "ResourceNotFoundException", "Rule a does not exist on EventBus default.",
    )  # fmt: skip
    six = [{"Id": str(place), "Arn": queue.arn} for place in range(6)]
    assert refusal(events.put_targets, Rule="b", Targets=six)[0] == "LimitExceededException"
    for resource in ("lambda:us-east-1:111122223333:function:f:bad$alias", "sqs:us-east-1:111122223333:a/b"):
        arn = f"arn:aws:{resource}"
        assert refusal(events.put_targets, Rule="b", Targets=[{"Id": "1", "Arn": arn}]) == (
            "ValidationException", f"Parameter {arn} is not valid. Reason: Provided Arn is not in correct format.",
        )  # fmt: skip
    other = [{"Id": "1", "Arn": "arn:aws:ecs:us-east-1:111122223333:cluster/c"}]
    code, text = refusal(events.put_targets, Rule="b", Targets=other)
    assert code == "NotImplemented" and ":ecs:" in text


def test_patterns_can_be_tried(events: Any) -> None:
    """TestEventPattern takes whole events only."""
    event = {"id": "1", "account": "1", "source": "app", "time": "2026-01-01T00:00:00Z", "region": "r",
             "resources": [], "detail-type": "d", "detail": {"ip": "10.0.0.7", "n": 3}}  # fmt: skip
    pattern = {"detail": {"$or": [{"ip": [{"cidr": "10.0.0.0/24"}]}, {"n": [{"numeric": [">", 5]}]}]}}
    assert events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))["Result"] is True
    event["detail"] = {"n": 4}
    assert events.test_event_pattern(EventPattern=json.dumps(pattern), Event=json.dumps(event))["Result"] is False
    del event["region"]
    assert refusal(events.test_event_pattern, EventPattern=json.dumps(pattern), Event=json.dumps(event)) == (
        "ValidationException", "Parameter Event is not valid.",
    )  # fmt: skip
    code, text = refusal(events.test_event_pattern, EventPattern='{"a": [{"prefix": {"suffix": "x"}}]}', Event="{}")
    assert code == "InvalidEventPatternException" and text.endswith("Reason: Unsupported prefix pattern: suffix")


def test_events_go_from_bus_to_bus_and_to_another_account(platform: RunningPlatform, account: str, events: Any) -> None:
    """A role and the other bus's policy must allow it; a third bus gets nothing."""
    other = f"{(int(account) + 1) % 10**12:012d}"
    there = platform.client("events", account=other)
    queue, dead = queue_of(platform, other), queue_of(platform, account)
    bus = there.create_event_bus(Name="in", Tags=[{"Key": "k", "Value": "v"}])["EventBusArn"]
    third = there.create_event_bus(Name="third")["EventBusArn"]
    rule(there, {"source": ["app"]}, {"Arn": queue.arn}, {"Arn": third}, EventBusName="in")
    role = trusting(platform.client("iam", account=account), "sender", allow("events:PutEvents", bus))
    target = {"Id": "t", "Arn": bus}
    events.put_rule(Name="out", EventPattern='{"source": ["app"]}')
    assert refusal(events.put_targets, Rule="out", Targets=[target])[1] == f"RoleArn is required for target {bus}."
    events.put_targets(Rule="out", Targets=[{**target, "RoleArn": role, "DeadLetterConfig": {"Arn": dead.arn}}])
    refused = put(events, {"n": 1})
    (message,) = dead.messages()
    assert json.loads(message["Body"])["id"] == refused
    told = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert (told["ERROR_CODE"], told["TARGET_ARN"], "RETRY_ATTEMPTS" in told) == ("NO_PERMISSIONS", bus, False)
    assert told["RULE_ARN"].endswith(":rule/out")
    there.put_permission(EventBusName="in", StatementId="s", Principal=account, Action="events:PutEvents")
    sent = put(events, {"n": 2})
    (event,) = queue.letters()
    assert (event["id"], event["account"], event["detail"]) == (sent, account, {"n": 2})
    put(events, {"n": 3}, EventBusName=bus)  # without a rule: the policy lets the account in
    (event,) = queue.letters()
    assert event["detail"] == {"n": 3}
    there.remove_permission(EventBusName="in", StatementId="s")
    assert refusal(put, events=events, detail={}, EventBusName=bus)[0] == "AccessDeniedException"
    assert [one["Name"] for one in there.list_event_buses()["EventBuses"]] == ["default", "in", "third"]
    assert refusal(there.delete_event_bus, Name="in")[0] == "ValidationException"


def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue(
    platform: RunningPlatform, account: str, events: Any, queue: Queue
) -> None:
    """A queue that lets nobody in, a function that is not there, inputs that are no JSON. Recorded from AWS: the body
    is what the target would have got, and what was not tried again tells of no retries.
    """
    closed = queue_of(platform, account, service="sns")
    dead = {"DeadLetterConfig": {"Arn": queue.arn}}
    function = f"arn:aws:lambda:us-east-1:{account}:function:none"
    rule(
        events, {"source": ["app"]},
        {"Arn": closed.arn, "InputPath": "$.detail", **dead},
        {"Arn": function, **dead},
        {"Arn": function, **transformed("<text>", text="$.detail.text"), **dead},
        {"Arn": function, **transformed("<n> 2", n="$.detail.n"), **dead},
        {"Arn": queue.arn, **transformed('{"o": "<all>"}', all="$.detail"), **dead},
    )  # fmt: skip
    sent = put(events, {"n": 1, "text": "hello"})
    messages: list[dict[str, Any]] = []
    while len(messages) < 5:
        messages += queue.messages()
    named = {"ERROR_CODE", "ERROR_MESSAGE", "RULE_ARN", "TARGET_ARN"}
    assert all(set(message["MessageAttributes"]) == named for message in messages)
    found = [(message["MessageAttributes"]["ERROR_CODE"]["StringValue"], message["Body"]) for message in messages]
    gone = [body for code, body in found if code == "NO_RESOURCE"]
    assert [json.loads(body)["id"] for body in gone] == [sent]
    assert sorted(one for one in found if one[1] not in gone) == [
        ("INVALID_JSON", "1 2"),
        ("INVALID_JSON", "hello"),
        ("INVALID_JSON", '{"o": "{"n":1,"text":"hello"}"}'),
        ("NO_PERMISSIONS", '{"n":1,"text":"hello"}'),
    ]


def test_cloudwatch_is_told_of_rules(platform: RunningPlatform, account: str, events: Any, queue: Queue) -> None:
    """Namespace AWS/Events by RuleName: what matched, was invoked, and failed, with and without a queue for it."""
    closed, cloudwatch = queue_of(platform, account, service="sns"), platform.client("cloudwatch", account=account)
    events.create_event_bus(Name="own")
    rule(
        events, {"source": ["app"]},
        {"Arn": queue.arn}, {"Arn": closed.arn}, {"Arn": closed.arn, "DeadLetterConfig": {"Arn": queue.arn}},
        {"Arn": closed.arn, "DeadLetterConfig": {"Arn": closed.arn}}, Name="r", EventBusName="own",
    )  # fmt: skip
    for number in (1, 2):
        put(events, {"n": number}, EventBusName="own")
    platform.drain()

    def total(metric: str, **dimensions: str) -> float:
        now = datetime.fromtimestamp(platform.now(), UTC)
        points = cloudwatch.get_metric_statistics(
            Namespace="AWS/Events", MetricName=metric, StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1), Period=3600, Statistics=["Sum"],
            Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        )["Datapoints"]  # fmt: skip
        return float(sum(point["Sum"] for point in points))

    of_rule = {"RuleName": "r", "EventBusName": "own"}
    found = {name: total(name, **of_rule) for name in (
        "TriggeredRules", "Invocations", "FailedInvocations", "InvocationsSentToDlq", "InvocationsFailedToBeSentToDlq",
    )}  # fmt: skip
    assert found == {
        "TriggeredRules": 2, "Invocations": 8, "FailedInvocations": 6, "InvocationsSentToDlq": 4,
        "InvocationsFailedToBeSentToDlq": 2,
    }  # fmt: skip
    assert (total("MatchedEvents"), total("Invocations", RuleName="r")) == (2, 8)


def let_in(logs: Any, arn: str, rule_arn: str = "*") -> None:
    """AWS's example: aws:SourceArn is asked at PutLogEvents alone."""
    created, put = (
        {
            "Effect": "Allow",
            "Principal": {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]},
            "Action": f"logs:{action}",
            "Resource": f"{arn}:*",
        }
        for action in ("CreateLogStream", "PutLogEvents")
    )
    put["Condition"] = {"ArnLike": {"aws:SourceArn": rule_arn}}
    document = {"Version": "2012-10-17", "Statement": [created, put]}
    logs.put_resource_policy(policyName="events", policyDocument=json.dumps(document))


def test_a_log_group_lets_eventbridge_in(platform: RunningPlatform, account: str, events: Any, queue: Queue) -> None:
    """A resource policy of CloudWatch Logs must allow the service, for this rule where it says so."""
    logs = platform.client("logs", account=account)
    logs.create_log_group(logGroupName="g")
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:g"
    rule_arn = rule(events, {"source": ["app"]}, {"Arn": arn, "DeadLetterConfig": {"Arn": queue.arn}})

    def outcome() -> tuple[list[str], int]:
        put(events, {})
        platform.drain()
        codes = [one["MessageAttributes"]["ERROR_CODE"]["StringValue"] for one in queue.messages(0)]
        return codes, len(logs.filter_log_events(logGroupName="g")["events"])

    assert outcome() == (["NO_PERMISSIONS"], 0)
    let_in(logs, arn, f"{rule_arn}x")
    assert outcome() == (["NO_PERMISSIONS"], 0)
    let_in(logs, arn, rule_arn)
    assert outcome() == ([], 1)


def test_a_log_group_is_a_target(platform: RunningPlatform, account: str, events: Any, queue: Queue) -> None:
    """The event is the message; a template gives {"timestamp", "message"}, which may not be empty."""
    logs = platform.client("logs", account=account)
    logs.create_log_group(logGroupName="/aws/events/all")
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:/aws/events/all"
    template = {
        "InputPathsMap": {"n": "$.detail.n", "t": "$.time"},
        "InputTemplate": '{"timestamp": <t>, "message": "n is <n>"}',
    }
    let_in(logs, arn)
    rule(events, {"source": ["app"]}, {"Arn": arn}, {"Arn": f"{arn}:*", "InputTransformer": template})
    sent = put(events, {"n": 7})
    platform.drain()
    found = [one["message"] for one in logs.filter_log_events(logGroupName="/aws/events/all")["events"]]
    assert len(found) == 2 and "n is 7" in found
    assert json.loads(next(text for text in found if text != "n is 7"))["id"] == sent
    empty = {"InputTransformer": {"InputTemplate": '{"timestamp": 1, "message": ""}'}}
    rule(events, {"source": ["quiet"]}, {"Arn": arn, "DeadLetterConfig": {"Arn": queue.arn}, **empty})
    put(events, {"n": 8}, "quiet")
    (message,) = queue.messages()
    assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "ERROR_FROM_TARGET"


def test_a_stream_is_put_to_as_the_targets_role(
    platform: RunningPlatform, account: str, events: Any, queue: Queue
) -> None:
    """KinesisParameters.PartitionKeyPath; the role must be there, trust EventBridge and allow kinesis:PutRecord."""
    kinesis, iam = platform.client("kinesis", account=account), platform.client("iam", account=account)
    kinesis.create_stream(StreamName="s", ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName="s", WaiterConfig={"Delay": 1})
    arn = f"arn:aws:kinesis:us-east-1:{account}:stream/s"
    target = {"Id": "t", "Arn": arn, "KinesisParameters": {"PartitionKeyPath": "$.detail.k"}}
    target["DeadLetterConfig"] = {"Arn": queue.arn}
    events.put_rule(Name="r", EventPattern='{"source": ["app"]}')
    assert refusal(events.put_targets, Rule="r", Targets=[target])[1] == f"RoleArn is required for target {arn}."
    for name, service, code in (("of-sns", "sns", "FAILED_TO_ASSUME_ROLE"), ("powerless", "events", "NO_PERMISSIONS")):
        role = trusting(iam, name, service=service)
        events.put_targets(Rule="r", Targets=[{**target, "RoleArn": role}])
        put(events, {"k": "x"})
        (message,) = queue.messages()
        assert message["MessageAttributes"]["ERROR_CODE"]["StringValue"] == code
    events.put_targets(
        Rule="r", Targets=[{**target, "RoleArn": trusting(iam, "putter", allow("kinesis:PutRecord", arn))}]
    )
    sent = put(events, {"k": "key"})
    platform.drain()
    shard = kinesis.list_shards(StreamName="s")["Shards"][0]["ShardId"]
    begin = kinesis.get_shard_iterator(StreamName="s", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    (record,) = kinesis.get_records(ShardIterator=begin["ShardIterator"])["Records"]
    assert (record["PartitionKey"], json.loads(record["Data"])["id"]) == ("key", sent)
    put(events, {"k": "x" * 257})  # a request could not say it either
    (message,) = queue.messages()
    told = {name: message["MessageAttributes"][name]["StringValue"] for name in ("ERROR_CODE", "ERROR_MESSAGE")}
    assert told["ERROR_CODE"] == "ERROR_FROM_TARGET"
    assert "Member must have length less than or equal to 256" in told["ERROR_MESSAGE"]


def test_a_target_whose_rule_has_lost_its_role_gets_nothing(
    platform: RunningPlatform, account: str, events: Any, queue: Queue
) -> None:
    """PutRule keeps nothing that is left out, its role neither: the event goes to the dead-letter queue at once."""
    role = trusting(platform.client("iam", account=account), "r", allow("*", "*"))
    own = f"arn:aws:events:us-east-1:{account}"
    kinds = (f"arn:aws:kinesis:us-east-1:{account}:stream/s", f"{own}:api-destination/d/1")
    events.put_rule(Name="r", EventPattern='{"source": ["app"]}', RoleArn=role)
    targets = [
        {"Id": f"{place}", "Arn": arn, "DeadLetterConfig": {"Arn": queue.arn}} for place, arn in enumerate(kinds)
    ]
    key = {"ApiKeyAuthParameters": {"ApiKeyName": "k", "ApiKeyValue": "v"}}
    connection = events.create_connection(Name="c", AuthorizationType="API_KEY", AuthParameters=key)["ConnectionArn"]
    made = {"ConnectionArn": connection, "InvocationEndpoint": "http://127.0.0.1:9/", "HttpMethod": "POST"}
    targets[1]["Arn"] = events.create_api_destination(Name="d", **made)["ApiDestinationArn"]
    events.put_targets(Rule="r", Targets=targets)
    events.put_rule(Name="r", EventPattern='{"source": ["app"]}')
    put(events, {})
    codes: list[str] = []
    while len(codes) < 2:
        found = queue.messages(5)
        assert found
        codes += [message["MessageAttributes"]["ERROR_CODE"]["StringValue"] for message in found]
    assert set(codes) == {"FAILED_TO_ASSUME_ROLE"}


def test_a_policy_limits_who_puts_what(platform: RunningPlatform, account: str, events: Any) -> None:
    """events:source in an identity policy; iam:PassRole for a target's role."""
    iam = platform.client("iam", account=account)
    iam.create_user(UserName="u")
    statement = {**allow("events:PutEvents", "*"), "Condition": {"StringEquals": {"events:source": "app"}}}
    rules = allow("events:Put*", f"arn:aws:events:us-east-1:{account}:rule/*")
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement, rules]})
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=policy)
    key = iam.create_access_key(UserName="u")["AccessKey"]
    user = platform.client("events", account=key["AccessKeyId"], secret=key["SecretAccessKey"])
    assert put(user, {})
    assert refusal(put, events=user, detail={}, source="other")[0] == "AccessDeniedException"
    user.put_rule(Name="a", EventPattern='{"source": ["app"]}')
    role = f"arn:aws:iam::{account}:role/r"
    target = {"Id": "t", "Arn": f"arn:aws:events:us-east-1:{account}:event-bus/b", "RoleArn": role}
    code, text = refusal(user.put_targets, Rule="a", Targets=[target])
    assert code == "AccessDeniedException" and "iam:PassRole" in text
