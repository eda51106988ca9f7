"""A topic that goes, or changes, while a request to it waits for its turn to write.

Ids of topics are used once: what was meant for one never meets another, in whichever account.
AWS: SNS API Reference, Publish, Subscribe, Unsubscribe (NotFound); CreatePlatformEndpoint.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import CountingIds, FakeClock
from tests.state import State, halted_before_commit, open_state
from undercast.core.arn import AccountId, Region, Scope
from undercast.core.context import EXTERNAL, RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import root_principal
from undercast.core.metrics import Metrics
from undercast.core.service import Reply
from undercast.events.delivery import Delivery
from undercast.events.web import connect_anywhere
from undercast.services.sns.instance import Sns
from undercast.services.sns.local import LocalOutbox
from undercast.services.sns.measures import Measures
from undercast.services.sns.schema import SCHEMA
from undercast.services.sns.service import MANIFEST
from undercast.services.sns.signing import Signer
from undercast.services.sns.target import TopicTarget
from undercast.services.sns.topics import Topics
from undercast.store.database import Database, Tx
from undercast.store.migrations import migrate

SCOPE = Scope(AccountId("111122223333"), Region("eu-west-1"))
OTHER = SCOPE._replace(account_id=AccountId("999988887777"))
TOPIC = "arn:aws:sns:eu-west-1:111122223333:t.fifo"
THEIRS = "arn:aws:sns:eu-west-1:999988887777:theirs.fifo"
PLAIN = "arn:aws:sns:eu-west-1:111122223333:plain"
FIFO = {"FifoTopic": "true"}
MESSAGE: dict[str, Any] = {"Message": "m", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
GONE = "NotFoundException: Topic does not exist"


class Account:
    """SNS without the platform."""

    def __init__(self, state: State) -> None:
        self.state, self.clock, self.ids = state, FakeClock(), CountingIds()
        self.sns = Sns(
            database=state.database,
            topics=Topics(state.database),
            signer=Signer(state.database, self.clock.host),
            local=LocalOutbox(state.database),
            measures=Measures(Metrics(), self.clock),
            outbox=state.outbox,
            causality=state.causality,
            internal=lambda scope, principal=None, cause=EXTERNAL: self.ctx(scope),
            clock=self.clock,
            ids=self.ids,
            ca_bundle=Path("none"),
            connect_as_sandbox=lambda _: connect_anywhere,
        )

    def ctx(self, scope: Scope = SCOPE) -> RequestContext:
        """A request of the account's root user."""
        return RequestContext(
            request_id=self.ids.uuid(),
            scope=scope,
            principal=root_principal(scope.account_id),
            cause=EXTERNAL,
            clock=self.clock,
            host_clock=self.clock.host,
            ids=self.ids,
            caller=self._nobody,
            permits=self._nobody,
            endpoint="http://localhost:4000",
        )

    async def _nobody(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("nobody is asked")

    async def run(self, operation: str, scope: Scope = SCOPE, **params: Any) -> dict[str, Any]:
        """One operation."""
        result = await MANIFEST.operations[operation](self.sns, self.ctx(scope), params)
        return dict(result.output if isinstance(result, Reply) else result or {})

    def while_deleted(self, arn: str) -> AbstractAsyncContextManager[None]:
        """DeleteTopic has begun to write; what is begun in the block waits for it."""
        return halted_before_commit(self.state.database, self.run("DeleteTopic", TopicArn=arn))

    async def begun(self, operation: str, scope: Scope = SCOPE, **params: Any) -> asyncio.Task[dict[str, Any]]:
        """One that waits by now."""
        task = asyncio.create_task(self.run(operation, scope, **params))
        await asyncio.sleep(0)
        return task


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[Account]:
    """With a FIFO topic and a standard one."""
    async with open_state(tmp_path, FakeClock(), schemas={"sns": SCHEMA}) as state:
        made = Account(state)
        await made.run("CreateTopic", Name="plain")
        await made.run("CreateTopic", Name="t.fifo", Attributes=FIFO)
        yield made


async def theirs(account: Account) -> str:
    """Another account makes a topic and publishes what has the same deduplication id; its message's id."""
    await account.run("CreateTopic", OTHER, Name="theirs.fifo", Attributes=FIFO)
    return str((await account.run("Publish", OTHER, TopicArn=THEIRS, **MESSAGE))["MessageId"])


async def refusal(asking: asyncio.Task[dict[str, Any]]) -> str:
    """How it is answered."""
    with pytest.raises(ServiceError) as refused:
        await asking
    return str(refused.value)


REQUESTS: dict[str, dict[str, Any]] = {
    "Publish": MESSAGE,
    "PublishBatch": {"PublishBatchRequestEntries": [{"Id": "1", **MESSAGE}]},
    "Subscribe": {"Protocol": "sqs", "Endpoint": "arn:aws:sqs:eu-west-1:111122223333:q"},
    "SetTopicAttributes": {"AttributeName": "DisplayName", "AttributeValue": "d"},
    "AddPermission": {"AWSAccountId": ["999988887777"], "ActionName": ["Publish"], "Label": "a"},
}


@pytest.mark.parametrize("operation", REQUESTS)
async def test_a_topic_that_goes_meanwhile_does_not_exist(account: Account, operation: str) -> None:
    """The next one that is made, by another account, does not answer for it and gets nothing of it."""
    async with account.while_deleted(TOPIC):
        making = asyncio.create_task(theirs(account))
        await asyncio.sleep(0)
        asking = await account.begun(operation, TopicArn=TOPIC, **REQUESTS[operation])
    await making
    assert await refusal(asking) == GONE
    assert (await account.run("ListSubscriptionsByTopic", OTHER, TopicArn=THEIRS))["Subscriptions"] == []


@pytest.mark.parametrize("operation", REQUESTS)
async def test_a_topic_made_again_is_another_one(account: Account, operation: str) -> None:
    """Under the same name: who asked was let in by the policy of the one that has gone."""
    async with account.while_deleted(TOPIC):
        making = await account.begun("CreateTopic", Name="t.fifo", Attributes=FIFO)
        asking = await account.begun(operation, TopicArn=TOPIC, **REQUESTS[operation])
    await making
    assert await refusal(asking) == GONE
    assert (await account.run("ListSubscriptionsByTopic", TopicArn=TOPIC))["Subscriptions"] == []


async def test_a_message_of_another_account_is_not_taken_for_a_repetition(account: Account) -> None:
    """Both are published: deduplication is of a topic."""
    async with account.while_deleted(TOPIC):
        making = await account.begun("CreateTopic", OTHER, Name="theirs.fifo", Attributes=FIFO)
        asking = await account.begun("Publish", TopicArn=TOPIC, **MESSAGE)
    await making
    assert await refusal(asking) == GONE
    answer = await account.run("Publish", OTHER, TopicArn=THEIRS, **MESSAGE)
    assert answer["SequenceNumber"] == "10000000000000000001"


async def test_a_delivery_to_a_topic_that_goes_meanwhile_is_refused(account: Account) -> None:
    """As one to a topic that was never there."""
    delivery = Delivery(id="1", kind="sns", target_arn=PLAIN, payload=b"m", scope=SCOPE, created_at=0.0)
    async with account.while_deleted(PLAIN):
        delivering = asyncio.create_task(TopicTarget(account.sns).deliver(delivery))
        await asyncio.sleep(0)
    assert (await delivering).is_refused


async def test_an_event_of_a_device_waits_for_no_topic_that_goes_meanwhile(account: Account) -> None:
    """The endpoint is made all the same, as where the topic was gone before."""
    attributes = {"PlatformCredential": "c", "EventEndpointCreated": PLAIN}
    application = await account.run("CreatePlatformApplication", Name="a", Platform="GCM", Attributes=attributes)
    async with account.while_deleted(PLAIN):
        making = await account.begun("CreatePlatformEndpoint", **application, Token="x")
    assert (await making)["EndpointArn"].startswith("arn:aws:sns:eu-west-1:111122223333:endpoint/GCM/a/")


async def other_write(account: Account) -> None:
    """It takes its time, and changes nothing."""
    await account.state.database.write(lambda tx: tx.execute("DELETE FROM sns_topic WHERE id < 0"), long=True)


@pytest.mark.parametrize("protocol", ["sqs", "email"])
async def test_one_endpoint_is_subscribed_once_by_requests_that_meet(account: Account, protocol: str) -> None:
    """The later one is answered as if it had come later; a pending one is asked again."""
    endpoint = "arn:aws:sqs:eu-west-1:111122223333:q" if protocol == "sqs" else "a@example.com"
    params: dict[str, Any] = {
        "TopicArn": PLAIN,
        "Protocol": protocol,
        "Endpoint": endpoint,
        "ReturnSubscriptionArn": True,
    }
    await account.run("Subscribe", **params | {"Endpoint": endpoint + "2"})  # the signer has its key
    async with halted_before_commit(account.state.database, other_write(account)):
        asking = [await account.begun("Subscribe", **params) for _ in range(2)]
        for _ in range(50):
            await asyncio.sleep(0.001)
    first, second = await asyncio.gather(*asking)
    assert first == second
    assert len((await account.run("ListSubscriptionsByTopic", TopicArn=PLAIN))["Subscriptions"]) == 2


async def test_requests_with_other_attributes_that_meet_are_refused(account: Account) -> None:
    """As one after the other."""
    params: dict[str, Any] = {"TopicArn": PLAIN, "Protocol": "sqs", "Endpoint": "arn:aws:sqs:eu-west-1:111122223333:q"}
    async with halted_before_commit(account.state.database, other_write(account)):
        first = await account.begun("Subscribe", **params)
        second = await account.begun("Subscribe", **params, Attributes={"RawMessageDelivery": "true"})
    await first
    assert "Subscription already exists with different attributes" in await refusal(second)


async def test_a_subscription_ends_once(account: Account) -> None:
    """The later Unsubscribe finds none."""
    params: dict[str, Any] = {"TopicArn": PLAIN, "Protocol": "sqs", "Endpoint": "arn:aws:sqs:eu-west-1:111122223333:q"}
    arn = (await account.run("Subscribe", **params))["SubscriptionArn"]
    async with halted_before_commit(account.state.database, other_write(account)):
        first = await account.begun("Unsubscribe", SubscriptionArn=arn)
        second = await account.begun("Unsubscribe", SubscriptionArn=arn)
    await first
    assert await refusal(second) == "NotFoundException: Subscription does not exist"
    assert (await account.run("GetTopicAttributes", TopicArn=PLAIN))["Attributes"]["SubscriptionsDeleted"] == "1"


async def test_permissions_that_meet_are_all_kept(account: Account) -> None:
    """Each is added to, or taken from, the policy as it is when its turn has come."""
    given: dict[str, Any] = {"TopicArn": PLAIN, "AWSAccountId": ["999988887777"], "ActionName": ["Publish"]}
    await account.run("AddPermission", **given, Label="old")
    async with halted_before_commit(account.state.database, other_write(account)):
        asking = [await account.begun("AddPermission", **given, Label=label) for label in "ab"]
        asking.append(await account.begun("RemovePermission", TopicArn=PLAIN, Label="old"))
    await asyncio.gather(*asking)
    attributes = (await account.run("GetTopicAttributes", TopicArn=PLAIN))["Attributes"]
    labels = [one["Sid"] for one in json.loads(attributes["Policy"])["Statement"]]
    assert labels == ["__default_statement_ID", "a", "b"]


async def test_an_older_version_s_topics_keep_their_subscriptions(tmp_path: Path) -> None:
    """And their ids; the ids of the topics to come are above them, also where the newest goes first."""
    database = Database.open(tmp_path / "state.db")
    migrate(database, "sns", SCHEMA[:3])

    def fill(tx: Tx) -> None:
        for topic_id, name in ((1, "plain"), (7, "newest")):
            tx.execute(
                "INSERT INTO sns_topic (id, account_id, region, name, created_at, attributes, tags, sequence,"
                " deleted_subscriptions) VALUES (?, ?, ?, ?, 0, '{}', '{}', 0, 0)",
                (topic_id, *SCOPE, name),
            )
            tx.execute(
                "INSERT INTO sns_subscription (id, topic_id, topic_arn, account_id, region, protocol, endpoint,"
                " attributes, principal, token, created_at, confirmed_at, confirmed_by, base_url, from_sandbox,"
                " needs_authentication) VALUES (?, ?, ?, ?, ?, 'sms', '+15550100', '{}', '', '', 0, 1, '', '', 0, 0)",
                (f"of-{name}", topic_id, PLAIN, *SCOPE),
            )

    database.write_now(fill)
    await database.close()
    async with open_state(tmp_path, FakeClock(), schemas={"sns": SCHEMA}) as state:
        account = Account(state)
        await account.run("DeleteTopic", TopicArn="arn:aws:sns:eu-west-1:111122223333:newest")
        await account.run("CreateTopic", Name="next")
        rows = state.database.read_now(lambda tx: tx.all("SELECT id, name FROM sns_topic ORDER BY id"))
        assert list(map(tuple, rows)) == [(1, "plain"), (8, "next")]
        (one,) = (await account.run("ListSubscriptionsByTopic", TopicArn=PLAIN))["Subscriptions"]
        assert one["SubscriptionArn"] == f"{PLAIN}:of-plain"


async def test_what_a_fifo_topic_remembers_is_forgotten_in_pieces(account: Account) -> None:
    """The first message behind a pause does not pay for all of those before it; the next ones take the rest."""
    topic_id = account.sns.topics.get(account.sns.name(account.ctx(), TOPIC)).id

    def fill(tx: Tx) -> None:
        rows = ((topic_id, f"k{number}", "m", number, 1.0) for number in range(1000))
        tx.insert_many(
            "INSERT INTO sns_deduplication (topic_id, key, message_id, sequence, ends_at) VALUES (?, ?, ?, ?, ?)", rows
        )

    await account.state.database.write(fill)
    left = []
    for number in range(3):
        await account.run("Publish", TopicArn=TOPIC, **MESSAGE | {"MessageDeduplicationId": str(number)})
        query = "SELECT count(*) AS n FROM sns_deduplication WHERE ends_at <= 1"
        left.append(account.state.database.read_now(lambda tx: tx.all(query))[0]["n"])  # noqa: B023
    assert left[0] >= 900
    assert left[0] - left[1] == left[1] - left[2] == 1000 - left[0] > 1
