"""The STS service as its operations see it: sessions by access key id.

An expired session is remembered without its secrets, so that it is refused and not taken for a foreign key.
AWS: IAM User Guide, "Temporary security credentials in IAM".
"""

import asyncio
import json
from typing import TypeVar

from undercast.core.arn import AccountId
from undercast.core.clock import Clock
from undercast.core.config import IamMode
from undercast.core.identity import Credential, Principal
from undercast.core.recurring import every, recur
from undercast.policy.document import parse_policy
from undercast.services.parts import Parts
from undercast.store.database import Database, Row, Tx

T = TypeVar("T")
_REMEMBERED = 4096
_CLEAN_EVERY_S = 3600.0
_REFUSED_FOR_S = 86_400.0
"""How long a key is refused as expired; later it is like one that was never issued."""
_NO_SECRETS = "secret = '', token = '', policies = '[]', tags = '{}'"


class Sts:
    """State of STS. `session` is what the gateway asks."""

    def __init__(self, database: Database, host_clock: Clock, mode: IamMode) -> None:
        self._database = database
        self._clock = host_clock
        self.mode: IamMode = mode
        self._sessions: dict[str, Credential | None] = {}
        self._cleaning: asyncio.Task[None] | None = None

    @classmethod
    def build(cls, parts: Parts) -> "Sts":
        """See `Manifest.build`."""
        return cls(parts.database, parts.host_clock, parts.config.iam)

    async def start(self) -> None:
        """Forget what is over, now and every hour."""
        await self.clean()
        self._cleaning = asyncio.create_task(recur("the cleaning of sessions", self.clean, every(_CLEAN_EVERY_S)))

    async def stop(self) -> None:
        """Cease."""
        if self._cleaning is not None:
            self._cleaning.cancel()
            await asyncio.gather(self._cleaning, return_exceptions=True)

    async def clean(self) -> None:
        """Forget the secrets of sessions that are over, and a day later the sessions."""
        now = self._clock.now()

        def forget(tx: Tx) -> None:
            tx.execute("DELETE FROM sts_session WHERE expires_at < ?", (now - _REFUSED_FOR_S,))
            tx.execute(f"UPDATE sts_session SET {_NO_SECRETS} WHERE expires_at < ? AND secret <> ''", (now,))

        await self._database.write(forget)

    async def end(self, access_key_id: str) -> None:
        """The session is over now: whoever still has its key is refused."""
        now = self._clock.now()
        sql = f"UPDATE sts_session SET expires_at = ?, {_NO_SECRETS} WHERE access_key_id = ? AND expires_at > ?"

        def forget() -> None:
            self._sessions.pop(access_key_id, None)

        def expire(tx: Tx) -> None:
            tx.execute(sql, (now, access_key_id, now))
            tx.after_commit(forget)

        await self._database.write(expire)

    def session(self, access_key_id: str) -> Credential | None:
        """A session's credential, also when it is over; None when STS never issued it."""
        if not access_key_id.startswith("ASIA"):
            return None
        try:
            return self._sessions[access_key_id]
        except KeyError:
            found = self._database.read_now(lambda tx: _read(tx, access_key_id))
            self._remember(access_key_id, found)
            return found

    async def add(self, credential: Credential, policies: tuple[str, ...] = ()) -> None:
        """Keep a session; it is valid when this returns. `policies` are the session policies' texts."""
        principal = credential.principal
        row = (
            principal.account_id,
            credential.access_key_id,
            credential.secret_access_key,
            credential.session_token or "",
            credential.expires_at or 0.0,
            principal.kind,
            principal.arn,
            principal.user_id,
            principal.role_arn,
            int(principal.known),
            json.dumps(policies),
            json.dumps(dict(principal.session_tags)),
            credential.environment_id,
        )

        def insert(tx: Tx) -> None:
            tx.execute("INSERT INTO sts_session VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            tx.after_commit(lambda: self._remember(credential.access_key_id, credential))

        await self._database.write(insert)

    def forget(self) -> None:
        """See `Manifest.reset`."""
        self._sessions.clear()

    def _remember(self, access_key_id: str, credential: Credential | None) -> None:
        if len(self._sessions) >= _REMEMBERED:
            self._sessions.clear()
        self._sessions[access_key_id] = credential


def _read(tx: Tx, access_key_id: str) -> Credential | None:
    row = tx.one("SELECT * FROM sts_session WHERE access_key_id = ?", (access_key_id,))
    return None if row is None else _credential(row)


def _credential(row: Row) -> Credential:
    principal = Principal(
        kind=row["kind"],
        account_id=AccountId(row["account_id"]),
        arn=row["arn"],
        user_id=row["user_id"],
        role_arn=row["role_arn"],
        known=bool(row["known"]),
        session_policies=tuple(parse_policy(text) for text in json.loads(row["policies"])),
        session_tags=json.loads(row["tags"]),
    )
    return Credential(
        access_key_id=row["access_key_id"],
        secret_access_key=row["secret"],
        principal=principal,
        session_token=row["token"],
        expires_at=row["expires_at"],
        environment_id=row["environment_id"],
    )
