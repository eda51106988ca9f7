"""A queue that goes while a request to it waits for its turn to write.

Ids of queues are used once: what was meant for one never reaches another, in whichever account.
AWS: SQS API Reference, QueueDoesNotExist; DeleteQueue (messages that are sent meanwhile may be lost).
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeClock
from tests.state import halted_before_commit, open_state
from tests.unit.sqs.test_leaving import ENDPOINT, SCOPE, URL, Account, until
from undercast.core.arn import AccountId
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import root_principal
from undercast.events.delivery import Delivery
from undercast.services.sqs.schema import SCHEMA
from undercast.services.sqs.target import QueueTarget
from undercast.store.database import Database, Tx
from undercast.store.migrations import migrate

OTHER = SCOPE._replace(account_id=AccountId("999988887777"))
THEIRS = f"{ENDPOINT}/999988887777/theirs"
GONE = "QueueDoesNotExist: The specified queue does not exist."


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[Account]:
    """Its queue has a message that was received."""
    async with open_state(tmp_path, FakeClock(), schemas={"sqs": SCHEMA}) as state:
        made = Account(state)
        await made.run("CreateQueue", QueueName="d")
        await made.run("CreateQueue", QueueName="q")
        yield made


def other(account: Account) -> RequestContext:
    """A request of another account."""
    return replace(account.ctx(root_principal(OTHER.account_id)), scope=OTHER)


def while_deleted(account: Account, url: str = URL) -> AbstractAsyncContextManager[None]:
    """DeleteQueue has begun to write and does not end before the block does; what is begun in it waits."""
    return halted_before_commit(account.state.database, account.run("DeleteQueue", QueueUrl=url))


async def another_queue(account: Account) -> None:
    """With a message."""
    await account.run("CreateQueue", other(account), QueueName="theirs")
    await account.run("SendMessage", other(account), QueueUrl=THEIRS, MessageBody="theirs")


async def bodies(account: Account, url: str, ctx: RequestContext | None = None) -> list[str]:
    """What can be received."""
    answer = await account.run("ReceiveMessage", ctx, QueueUrl=url, MaxNumberOfMessages=10)
    return [message["Body"] for message in answer.get("Messages", ())]


async def policy_labels(account: Account) -> list[str]:
    """Of the queue's statements."""
    attributes = (await account.run("GetQueueAttributes", QueueUrl=URL, AttributeNames=["Policy"])).get("Attributes")
    return [one["Sid"] for one in json.loads(attributes["Policy"])["Statement"]] if attributes else []


REQUESTS: dict[str, dict[str, Any]] = {
    "SendMessage": {"MessageBody": "mine"},
    "SendMessageBatch": {"Entries": [{"Id": "1", "MessageBody": "mine"}]},
    "ReceiveMessage": {},
    "DeleteMessage": {"ReceiptHandle": "H"},
    "DeleteMessageBatch": {"Entries": [{"Id": "1", "ReceiptHandle": "H"}]},
    "ChangeMessageVisibility": {"ReceiptHandle": "H", "VisibilityTimeout": 1},
    "ChangeMessageVisibilityBatch": {"Entries": [{"Id": "1", "ReceiptHandle": "H", "VisibilityTimeout": 1}]},
    "SetQueueAttributes": {"Attributes": {"DelaySeconds": "1"}},
    "TagQueue": {"Tags": {"a": "b"}},
    "PurgeQueue": {},
    "AddPermission": {"AWSAccountIds": ["999988887777"], "Actions": ["SendMessage"], "Label": "a"},
}


def filled(params: Any, handle: str) -> Any:
    """With the receipt handle in the place of H."""
    if isinstance(params, dict):
        return {name: filled(value, handle) for name, value in params.items()}
    if isinstance(params, list):
        return [filled(value, handle) for value in params]
    return handle if params == "H" else params


@pytest.mark.parametrize("operation", REQUESTS)
async def test_a_queue_that_goes_meanwhile_does_not_exist(account: Account, operation: str) -> None:
    """The next queue that is made, by another account, gives and gets nothing."""
    await account.run("SendMessage", QueueUrl=URL, MessageBody="b")
    handle = (await account.run("ReceiveMessage", QueueUrl=URL))["Messages"][0]["ReceiptHandle"]
    async with while_deleted(account):
        making = asyncio.create_task(another_queue(account))
        await asyncio.sleep(0)
        asking = asyncio.create_task(account.run(operation, QueueUrl=URL, **filled(REQUESTS[operation], handle)))
        await asyncio.sleep(0)
    await making
    with pytest.raises(ServiceError) as refused:
        await asking
    assert str(refused.value) == GONE
    assert await bodies(account, THEIRS, other(account)) == ["theirs"]


@pytest.mark.parametrize("operation", REQUESTS)
async def test_a_queue_made_again_is_another_one(account: Account, operation: str) -> None:
    """Under the same name: who asked was let in by the policy of the one that has gone."""
    await account.run("SendMessage", QueueUrl=URL, MessageBody="b")
    handle = (await account.run("ReceiveMessage", QueueUrl=URL))["Messages"][0]["ReceiptHandle"]
    async with while_deleted(account):
        making = asyncio.create_task(account.run("CreateQueue", QueueName="q"))
        await asyncio.sleep(0)
        asking = asyncio.create_task(account.run(operation, QueueUrl=URL, **filled(REQUESTS[operation], handle)))
        await asyncio.sleep(0)
    await making
    with pytest.raises(ServiceError) as refused:
        await asking
    assert str(refused.value) == GONE
    assert await bodies(account, URL) == []
    assert await policy_labels(account) == []
    assert await account.run("ListQueueTags", QueueUrl=URL) == {}


async def test_who_waits_for_messages_does_not_get_those_of_a_queue_made_again(account: Account) -> None:
    """A long poll ends with its queue."""
    waiting = asyncio.create_task(account.run("ReceiveMessage", QueueUrl=URL, WaitTimeSeconds=20))
    await until(lambda: account.sqs.waiting.polls == 1)
    async with while_deleted(account):
        making = asyncio.create_task(account.run("CreateQueue", QueueName="q"))
        await asyncio.sleep(0)
    await making
    with pytest.raises(ServiceError) as refused:
        await waiting
    assert str(refused.value) == GONE


async def test_dead_letters_do_not_reach_the_next_queue(account: Account) -> None:
    """Where their queue has gone, messages stay and are received again."""
    redrive = '{"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:111122223333:d", "maxReceiveCount": "1"}'
    await account.run("SetQueueAttributes", QueueUrl=URL, Attributes={"RedrivePolicy": redrive})
    await account.run("SendMessage", QueueUrl=URL, MessageBody="mine")
    await account.run("ReceiveMessage", QueueUrl=URL, VisibilityTimeout=0)
    account.clock.advance(1)
    async with while_deleted(account, f"{ENDPOINT}/111122223333/d"):
        making = asyncio.create_task(another_queue(account))
        await asyncio.sleep(0)
        receiving = asyncio.create_task(bodies(account, URL))
        await asyncio.sleep(0)
    await making
    assert await receiving == ["mine"]
    assert await bodies(account, THEIRS, other(account)) == ["theirs"]


async def test_a_delivery_to_a_queue_that_goes_meanwhile_is_refused(account: Account) -> None:
    """As one to a queue that was never there."""
    delivery = Delivery(
        id="1", kind="sqs", target_arn="arn:aws:sqs:eu-west-1:111122223333:q", payload=b"mine", scope=SCOPE,
        created_at=0.0,
    )  # fmt: skip
    async with while_deleted(account):
        making = asyncio.create_task(another_queue(account))
        await asyncio.sleep(0)
        delivering = asyncio.create_task(QueueTarget(account.sqs).deliver(delivery))
        await asyncio.sleep(0)
    await making
    outcome = await delivering
    assert outcome.is_refused
    assert await bodies(account, THEIRS, other(account)) == ["theirs"]


async def test_a_move_task_ends_with_its_queue(account: Account) -> None:
    """It does not go on with the messages of one that is made under its name."""
    arn = "arn:aws:sqs:eu-west-1:111122223333:"
    redrive = f'{{"deadLetterTargetArn": "{arn}d", "maxReceiveCount": "1"}}'
    await account.run("SetQueueAttributes", QueueUrl=URL, Attributes={"RedrivePolicy": redrive})
    dead = f"{ENDPOINT}/111122223333/d"
    for body in ("old", "old"):
        await account.run("SendMessage", QueueUrl=dead, MessageBody=body)
    await account.run(
        "StartMessageMoveTask", SourceArn=f"{arn}d", DestinationArn=f"{arn}q", MaxNumberOfMessagesPerSecond=1
    )
    await account.run("DeleteQueue", QueueUrl=dead)
    await account.run("CreateQueue", QueueName="d")
    await account.run("SendMessage", QueueUrl=dead, MessageBody="new")
    (task,) = (await account.run("ListMessageMoveTasks", SourceArn=f"{arn}d"))["Results"]
    assert (task["Status"], task.get("FailureReason")) == ("FAILED", "AWS.SimpleQueueService.NonExistentQueue")
    await account.sqs.moves.stop()
    assert await bodies(account, dead) == ["new"]


async def test_permissions_that_meet_are_all_kept(account: Account) -> None:
    """Each is added to, or taken from, the policy as it is when its turn has come."""
    given: dict[str, Any] = {"QueueUrl": URL, "AWSAccountIds": ["999988887777"], "Actions": ["SendMessage"]}
    await account.run("AddPermission", **given, Label="old")
    async with while_deleted(account, f"{ENDPOINT}/111122223333/d"):
        asking = [asyncio.create_task(account.run("AddPermission", **given, Label=label)) for label in "ab"]
        asking.append(asyncio.create_task(account.run("RemovePermission", QueueUrl=URL, Label="old")))
        await asyncio.sleep(0)
    await asyncio.gather(*asking)
    assert await policy_labels(account) == ["a", "b"]


async def test_a_queue_made_again_is_not_deleted_by_who_meant_the_one_before(account: Account) -> None:
    """The later DeleteQueue finds its queue gone."""
    async with while_deleted(account):
        making = asyncio.create_task(account.run("CreateQueue", QueueName="q"))
        await asyncio.sleep(0)
        deleting = asyncio.create_task(account.run("DeleteQueue", QueueUrl=URL))
        await asyncio.sleep(0)
    await making
    with pytest.raises(ServiceError) as refused:
        await deleting
    assert str(refused.value) == GONE
    assert await bodies(account, URL) == []


async def test_ids_are_used_once_behind_a_reset(account: Account) -> None:
    """Also where every row is deleted: a request that waits meanwhile holds an id."""
    ids = "SELECT max(id) AS id FROM sqs_queue"
    before = account.state.database.read_now(lambda tx: tx.all(ids))[0]["id"]
    await account.state.database.write(lambda tx: tx.execute("DELETE FROM sqs_queue"))
    account.sqs.queues.forget()
    await account.run("CreateQueue", QueueName="q")
    assert account.state.database.read_now(lambda tx: tx.all(ids))[0]["id"] > before


async def test_an_older_version_s_queues_keep_their_messages(tmp_path: Path) -> None:
    """And their ids; the ids of the queues to come are above them, also where the newest goes first."""
    database = Database.open(tmp_path / "state.db")
    migrate(database, "sqs", SCHEMA[:3])

    def fill(tx: Tx) -> None:
        for queue_id, name in ((1, "q"), (7, "newest")):
            tx.execute(
                "INSERT INTO sqs_queue (id, account_id, region, name, created_at, modified_at, purged_at, attributes,"
                " tags) VALUES (?, ?, ?, ?, 0, 0, 0, '{}', '{}')",
                (queue_id, *SCOPE, name),
            )
            tx.execute(
                "INSERT INTO sqs_message (queue_id, id, body, body_md5, attributes, attributes_md5, sender_id,"
                " trace_header, group_id, deduplication_id, source_arn, sent_at, visible_at, receives,"
                " first_received_at, receipt) VALUES (?, 'm', ?, '', '', '', '', '', '', '', '', ?, 0, 0, 0, '')",
                (queue_id, f"in {name}", FakeClock().now()),
            )

    database.write_now(fill)
    await database.close()
    async with open_state(tmp_path, FakeClock(), schemas={"sqs": SCHEMA}) as state:
        account = Account(state)
        await account.run("DeleteQueue", QueueUrl=f"{ENDPOINT}/111122223333/newest")
        await account.run("CreateQueue", QueueName="next")
        rows = state.database.read_now(lambda tx: tx.all("SELECT id, name FROM sqs_queue ORDER BY id"))
        assert list(map(tuple, rows)) == [(1, "q"), (8, "next")]
        assert await bodies(account, URL) == ["in q"]
