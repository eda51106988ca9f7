"""An owner's estate and another account's administrator, on a platform of their own."""

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.config import Config

from tests import platform as platforms
from tests.platform import RunningPlatform
from tests.security.accounts.estate import ALLOW_ALL, ESTATES, REGION, Names

OTHERS_TABLES = ("sqlite_", "kms_material ")
"""Rows that say no account: SQLite's counts, and the material of a key that the other has made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """The owner's resources by their names, and the other's keys."""

    platform: RunningPlatform
    owner: str
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
            platform=platform, owner=owner, other=other, names=names,
            key_id=key["AccessKeyId"], secret=key["SecretAccessKey"],
        )  # fmt: skip
