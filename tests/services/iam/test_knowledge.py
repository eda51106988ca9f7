"""What the gateway asks of IAM, on a real database: from memory, in force after each commit, kept over a restart."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.services.iam.conftest import allow, trust_of
from tests.unit.auth.requests import context
from tests.unit.policy.callers import ACCOUNT, ROOT
from undercast.core.identity import Principal
from undercast.core.service import OperationFunction
from undercast.services.iam.iam import Iam
from undercast.services.iam.operations.access_keys import create_access_key
from undercast.services.iam.operations.permissions import put_role_policy
from undercast.services.iam.operations.roles import create_role, delete_role
from undercast.services.iam.operations.users import create_user
from undercast.services.iam.schema import JOURNAL_SCHEMA, SCHEMA
from undercast.store.database import Database
from undercast.store.journal import Journal
from undercast.store.migrations import migrate

SESSION = Principal(
    kind="assumed-role",
    account_id=ACCOUNT,
    arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/r/one",
    role_arn=f"arn:aws:iam::{ACCOUNT}:role/r",
)
STRANGER = Principal(
    kind="assumed-role", account_id=ACCOUNT, arn=SESSION.arn, role_arn=f"arn:aws:iam::{ACCOUNT}:role/s", known=False
)


class State:
    """IAM on files that can be closed and opened again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.open()

    def open(self) -> None:
        """As at a start of the platform."""
        self.database = Database.open(self._folder / "state.db")
        self.journal = Journal.open(self._folder / "journal.db")
        migrate(self.database, "iam", SCHEMA)
        migrate(self.journal.database, "iam", JOURNAL_SCHEMA)
        self.iam = Iam(self.database, self.journal)

    async def close(self) -> None:
        """As at its end."""
        await self.database.close()
        await self.journal.close()

    async def run(self, operation: OperationFunction, **params: Any) -> Mapping[str, Any]:
        """One operation as the account's root."""
        answer = await operation(self.iam, context(ROOT), params)
        assert isinstance(answer, Mapping)
        return answer


@pytest.fixture
def state(tmp_path: Path) -> State:
    """Fresh state."""
    return State(tmp_path)


async def test_policies_are_compiled_once_and_change_with_the_commit(state: State) -> None:
    """The same object until IAM changes; then the new policies, at once."""
    await state.run(create_role, RoleName="r", AssumeRolePolicyDocument=trust_of("*"))
    first = state.iam.policies_of(SESSION)
    assert first is not None
    assert first.identity == ()
    assert state.iam.policies_of(SESSION) is first
    await state.run(put_role_policy, RoleName="r", PolicyName="p", PolicyDocument=allow("s3:*"))
    second = state.iam.policies_of(SESSION)
    assert second is not None
    assert len(second.identity) == 1
    await state.run(put_role_policy, RoleName="r", PolicyName="q", PolicyDocument=allow("sqs:*"))
    third = state.iam.policies_of(SESSION)
    assert third is not None
    assert third.identity[0] is second.identity[0]
    await state.close()


async def test_a_role_that_is_gone_has_no_permissions_and_one_that_never_was_is_unknown(state: State) -> None:
    """Only what IAM never knew is let through with a warning."""
    await state.run(create_role, RoleName="r", AssumeRolePolicyDocument=trust_of("*"))
    await state.run(delete_role, RoleName="r")
    gone = state.iam.policies_of(SESSION)
    assert gone is not None
    assert gone.identity == ()
    assert state.iam.policies_of(STRANGER) is None
    await state.run(create_role, RoleName="s", AssumeRolePolicyDocument=trust_of("*"))
    assert state.iam.policies_of(STRANGER) is not None
    await state.close()


async def test_keys_and_policies_survive_a_restart(state: State) -> None:
    """An acknowledged change is on disk."""
    await state.run(create_user, UserName="alice")
    key = (await state.run(create_access_key, UserName="alice"))["AccessKey"]
    await state.run(create_role, RoleName="r", AssumeRolePolicyDocument=trust_of("*"))
    await state.run(put_role_policy, RoleName="r", PolicyName="p", PolicyDocument=allow("s3:*"))
    await state.close()
    state.open()
    credential = state.iam.credential(key["AccessKeyId"])
    assert credential is not None
    assert credential.secret_access_key == key["SecretAccessKey"]
    assert credential.principal.arn == f"arn:aws:iam::{ACCOUNT}:user/alice"
    policies = state.iam.policies_of(SESSION)
    assert policies is not None
    assert len(policies.identity) == 1
    await state.close()


async def test_a_key_that_was_never_issued_is_unknown(state: State) -> None:
    """Asked twice, looked up once."""
    assert state.iam.credential("AKIAIOSFODNN7EXAMPLE") is None
    assert state.iam.credential("AKIAIOSFODNN7EXAMPLE") is None
    await state.close()
