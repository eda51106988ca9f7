"""Short forms of what EventBridge's tests do."""

import json
import random
from typing import Any

from tests.platform import RunningPlatform
from tests.services.sns.actions import Queue, make_queue


def queue_of(platform: RunningPlatform, account: str, *, fifo: bool = False, service: str = "events") -> Queue:
    """A queue that lets EventBridge in."""
    queue = make_queue(platform, account, fifo=fifo, allowed=False)
    statement = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sqs:SendMessage",
                 "Resource": queue.arn}  # fmt: skip
    attributes = {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}
    if fifo:
        attributes["ContentBasedDeduplication"] = "true"
    queue.sqs.set_queue_attributes(QueueUrl=queue.url, Attributes=attributes)
    return queue


def first(queue: Queue) -> list[dict[str, Any]]:
    """The messages that are there first: a function behind them may have to begin on a busy machine."""
    for _ in range(4):
        if found := queue.messages(20):
            return found
    raise AssertionError("nothing came")


def rule(events: Any, pattern: Any, *targets: dict[str, Any], **params: Any) -> str:
    """The ARN of a rule with targets; its name is random unless given."""
    name = params.pop("Name", f"r{random.randrange(10**9)}")
    bus = {"EventBusName": params["EventBusName"]} if "EventBusName" in params else {}
    arn: str = events.put_rule(Name=name, EventPattern=json.dumps(pattern), **params)["RuleArn"]
    if targets:
        given = [{"Id": f"t{place}", **target} for place, target in enumerate(targets)]
        assert events.put_targets(Rule=name, Targets=given, **bus)["FailedEntryCount"] == 0
    return arn


def put(events: Any, detail: Any, source: str = "app", detail_type: str = "Done", **more: Any) -> str:
    """The id of an event that is put."""
    entry = {"Source": source, "DetailType": detail_type, "Detail": json.dumps(detail), **more}
    (result,) = events.put_events(Entries=[entry])["Entries"]
    return str(result["EventId"])


def trusting(iam: Any, name: str, *statements: dict[str, Any], service: str = "events") -> str:
    """The ARN of a role that the service may assume."""
    trust = {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    if statements:
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    return arn


def allow(action: str, resource: str) -> dict[str, str]:
    """A statement."""
    return {"Effect": "Allow", "Action": action, "Resource": resource}
