"""When a queue under a key asks KMS.

AWS: SQS Developer Guide, "Amazon SQS key management".
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import FakeClock
from tests.state import State, open_state
from tests.unit.sqs.test_leaving import SCOPE, URL, Account
from undercast.core.arn import AccountId
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.identity import Principal, anonymous_principal, root_principal, service_principal
from undercast.services.sqs.schema import SCHEMA

USER = Principal(kind="user", account_id=SCOPE.account_id, arn=f"arn:aws:iam::{SCOPE.account_id}:user/u")


class UnderKey(Account):
    """A queue, and a KMS that keeps what it is asked, and waits or refuses where a test says so."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.asked: list[str] = []
        self.answer = "DryRunOperationException"

    async def _call(
        self, ctx: RequestContext, service: str, operation: str, params: Mapping[str, Any], checked: bool = False
    ) -> dict[str, Any]:
        assert service == "kms"
        self.asked.append(operation)
        raise ServiceError(self.answer, "No.")

    async def as_(self, principal: Principal, operation: str, **params: Any) -> dict[str, Any]:
        """One request as the gateway hands it over."""
        ctx = replace(self.ctx(principal), service="sqs", operation=operation)
        return await self.run(operation, ctx, QueueUrl=URL, **params)


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[UnderKey]:
    """Its queue is under a key of the account."""
    async with open_state(tmp_path, FakeClock(), schemas={"sqs": SCHEMA}) as state:
        made = UnderKey(state)
        await made.run("CreateQueue", QueueName="q", Attributes={"KmsMasterKeyId": "k"})
        yield made


async def under(account: UnderKey, key_id: str) -> None:
    await account.run("SetQueueAttributes", QueueUrl=URL, Attributes={"KmsMasterKeyId": key_id})


async def test_nobody_asks_where_there_is_nothing_to_read(account: UnderKey) -> None:
    """An empty answer needs no key."""
    assert await account.as_(USER, "ReceiveMessage") == {}
    assert account.asked == []
    await account.as_(USER, "SendMessage", MessageBody="m")
    assert account.asked == ["GenerateDataKey", "Decrypt"]
    assert len((await account.as_(USER, "ReceiveMessage"))["Messages"]) == 1
    assert account.asked == ["GenerateDataKey", "Decrypt", "Decrypt"]


async def test_who_waits_for_a_message_is_asked_about_it(account: UnderKey) -> None:
    """It came after the look: nothing is read, or counted as received, by who may not."""
    account.answer = "AccessDeniedException"
    waiting = asyncio.create_task(account.as_(USER, "ReceiveMessage", WaitTimeSeconds=20))
    await asyncio.sleep(0)
    await under(account, "")
    await account.run("SendMessage", QueueUrl=URL, MessageBody="m")
    await under(account, "k")
    with pytest.raises(ServiceError, match=r"KmsAccessDenied: No\."):
        await waiting
    assert account.receives() == [0]


async def test_a_message_that_comes_between_look_and_receive_is_asked_about(
    account: UnderKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was there; then something is."""
    await account.as_(USER, "SendMessage", MessageBody="m")
    monkeypatch.setattr("undercast.services.sqs.messages.is_any_visible", lambda *_: False)
    assert len((await account.as_(USER, "ReceiveMessage"))["Messages"]) == 1
    assert account.asked == ["GenerateDataKey", "Decrypt", "Decrypt"]


@pytest.mark.parametrize(
    ("key_id", "caller", "asks"),
    [
        ("alias/aws/sqs", USER, False),
        ("alias/aws/sqs", root_principal(SCOPE.account_id), False),
        ("alias/aws/sqs", root_principal(AccountId("999988887777")), True),
        ("alias/aws/sqs", service_principal("s3.amazonaws.com", SCOPE.account_id), True),
        ("alias/aws/sqs", anonymous_principal(SCOPE.account_id), True),
        ("alias/aws/s3", USER, True),
        ("alias/mine", USER, True),
    ],
)
async def test_the_key_that_aws_manages_for_queues_asks_nobody_of_the_account(
    account: UnderKey, key_id: str, caller: Principal, asks: bool
) -> None:
    """Its policy lets everybody in the account use it through SQS; KMS decides about all others."""
    await under(account, key_id)
    await account.as_(caller, "SendMessage", MessageBody="m")
    assert (await account.as_(caller, "ReceiveMessage"))["Messages"]
    assert account.asked == (["GenerateDataKey", "Decrypt", "Decrypt"] if asks else [])
