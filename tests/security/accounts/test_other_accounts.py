"""Nobody reads, tags, changes or deletes another account's resources by their names, whatever they may in their own.

Every operation is called by a user of another account who may do anything there, with the owner's names where it takes
one. AWS: IAM User Guide, "Cross-account policy evaluation logic": both accounts must allow.
"""

import random
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests import platform as platforms
from tests.platform import RunningPlatform
from tests.security.accounts.answers import ANSWERED, more
from tests.security.accounts.estate import ALLOW_ALL, ESTATES, REGION, SECRET, Names
from tests.security.accounts.requests import Requests
from undercast.services.registry import discover

OPERATIONS: Mapping[str, tuple[str, ...]] = {
    manifest.name: tuple(sorted(manifest.operations)) for manifest in discover()
}
DENIED = re.compile(r"Access.?Denied|Authorization|NotFound|NoSuch|NonExistent|DoesNotExist|InvalidResourceId|^40[34]$")
"""Codes of AWS's refusals, HEAD's among them."""
MISSING = re.compile(r"not found|does not exist", re.IGNORECASE)
"""X-Ray has one code for all that is wrong: this is in its text."""
OTHERS_TABLES = ("sqlite_", "kms_material ")
"""Rows that say no account: SQLite's counts, and the material of a key that the other has made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """The owner's resources by their names, and the other's keys."""

    platform: RunningPlatform
    other: str
    key_id: str
    secret: str
    names: Mapping[str, Names]

    def client(self, service: str) -> Any:
        """Of the other's user."""
        make: Any = boto3.client
        return make(
            service,
            endpoint_url=self.platform.url,
            region_name=REGION,
            aws_access_key_id=self.key_id,
            aws_secret_access_key=self.secret,
            config=Config(retries={"max_attempts": 0}, parameter_validation=False, inject_host_prefix=False),
        )

    def rows(self) -> Counter[str]:
        """All that is stored, but what the other account has."""
        with closing(sqlite3.connect(f"file:{self.platform.data}/state.db?mode=ro", uri=True)) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            found = (f"{table} {row}" for table in tables for row in database.execute(f'SELECT * FROM "{table}"'))
            return Counter(row for row in found if f"'{self.other}'" not in row and not row.startswith(OTHERS_TABLES))


@pytest.fixture(scope="module")
def accounts() -> Iterator[Accounts]:
    """A platform of their own: what is stored there is nobody else's doing."""
    owner, other = (f"{first}{random.randrange(10**11):011d}" for first in (1, 2))
    with platforms.running(options=["--driver", "process", "--iam", "strict"]) as platform:
        client = cache(lambda service: platform.client(service, account=owner))
        names = {service: make(client, owner) for service, make in ESTATES.items()}
        iam = platform.client("iam", account=other)
        iam.create_user(UserName="administrator")
        iam.put_user_policy(UserName="administrator", PolicyName="all", PolicyDocument=ALLOW_ALL)
        key = iam.create_access_key(UserName="administrator")["AccessKey"]
        platform.drain()
        yield Accounts(
            platform=platform, other=other, key_id=key["AccessKeyId"], secret=key["SecretAccessKey"], names=names
        )


@pytest.mark.parametrize("service", ESTATES)
def test_another_accounts_resources_are_out_of_reach(accounts: Accounts, service: str) -> None:
    """Denied, or not found. What AWS answers is in ANSWERED, or names nothing; it tells and changes nothing, either."""
    before = accounts.rows()
    client, names = accounts.client(service), accounts.names[service]
    model, further = botocore.session.get_session().get_service_model(service), more(service, names)
    wrong, undecided, used = [], [], set()
    for operation in OPERATIONS[service]:
        made = Requests(model.operation_model(operation), names, further.get(operation, {}))
        requests = list(made)
        outcomes = [outcome(client, operation, params) for params in requests]
        answered = {pattern for pattern in ANSWERED.get(service, ()) if re.fullmatch(pattern, operation)}
        wrong += [
            f"{operation} {params}: {text}"
            for params, (is_refused, text) in zip(requests, outcomes, strict=True)
            if SECRET in text or (made.names and not answered and not is_refused and text.startswith("{"))
        ]
        if answered and not all(is_refused for is_refused, _ in outcomes):
            used |= answered
        if made.names and not answered and not outcomes[0][0]:
            undecided.append(f"{operation} {requests[0]}: {outcomes[0][1]}")
    assert wrong == [], "answered, or told"
    assert undecided == [], "refused for their form alone: what they need beside is to be said in answers.more"
    assert set(ANSWERED.get(service, ())) - used == set(), "AWS refuses these, too, and so do we"
    after = accounts.rows()
    assert (before - after, after - before) == (Counter(), Counter()), "changed"


def test_every_service_has_its_estate() -> None:
    """What another account may not reach is made of each."""
    assert set(ESTATES) == set(OPERATIONS)


def outcome(client: Any, operation: str, params: Mapping[str, Any]) -> tuple[bool, str]:
    """Whether it was denied or not found, and what was told: an answer begins with "{"."""
    try:
        answer = client._make_api_call(operation, params)
    except ClientError as error:
        code, text = error.response["Error"]["Code"], str(error)
        return bool(DENIED.search(code) or MISSING.search(text)), text
    del answer["ResponseMetadata"]
    return False, str(answer)
