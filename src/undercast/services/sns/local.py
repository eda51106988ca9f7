"""The local outbox: what would have left for mail servers, mobile networks and push services.

Nothing leaves the machine. The last 10,000 items are kept; API and CLI show them (`undercast outbox`).
AWS: SNS Developer Guide, "Email notifications", "Mobile text messaging", "Mobile push notifications".
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from undercast.core.arn import AccountId, Region, Scope, is_account_id
from undercast.core.errors import ServiceError
from undercast.services.sns.endpoints import PHONE
from undercast.store.database import Database, Row, Tx

PROTOCOLS = frozenset({"email", "email-json", "sms", "application"})
KEPT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One mail, text message or push notification."""

    scope: Scope
    at: float
    protocol: str
    destination: str
    message_id: str
    topic_arn: str = ""
    subject: str = ""
    body: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    by_protocol: Mapping[str, str] = field(default_factory=dict)
    """Texts of MessageStructure json: a push notification has one for its platform."""


def put(tx: Tx, item: Item) -> None:
    """Add an item to the caller's transaction. A number that opted out gets nothing, a disabled device neither."""
    body = item.body
    if item.protocol == "sms" and is_opted_out(tx, item.scope, item.destination):
        return
    if item.protocol == "application":
        endpoint = tx.one("SELECT attributes FROM sns_endpoint WHERE arn = ?", (item.destination,))
        if endpoint is None or json.loads(endpoint["attributes"]).get("Enabled") == "false":
            return
        body = item.by_protocol.get(platform_of(item.destination), body)
    tx.execute(
        "INSERT INTO sns_outbox (account_id, region, at, protocol, destination, message_id, topic_arn, subject, body,"
        " attributes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *item.scope,
            item.at,
            item.protocol,
            item.destination,
            item.message_id,
            item.topic_arn,
            item.subject,
            body,
            json.dumps(item.attributes),
        ),
    )
    tx.execute("DELETE FROM sns_outbox WHERE id <= (SELECT MAX(id) FROM sns_outbox) - ?", (KEPT,))


def platform_of(endpoint_arn: str) -> str:
    """GCM, APNS and so on, from "arn:aws:sns:REGION:ACCOUNT:endpoint/GCM/NAME/ID"."""
    return endpoint_arn.split(":", 5)[-1].split("/")[1]


def is_opted_out(tx: Tx, scope: Scope, phone_number: str) -> bool:
    """Whether who has the number wants no messages."""
    query = "SELECT 1 FROM sns_opted_out WHERE account_id = ? AND region = ? AND phone_number = ?"
    return tx.one(query, (*scope, phone_number)) is not None


class LocalOutbox:
    """What the platform's own endpoints show of it, and what they do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def shown(self, limit: int) -> dict[str, Any]:
        """The newest items, the oldest of them first."""
        rows = self._database.read_row(lambda tx: tx.all("SELECT * FROM sns_outbox ORDER BY id DESC LIMIT ?", (limit,)))
        return {"items": [_shown(row) for row in reversed(rows)]}

    async def stop(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A number opts out, as by the reply STOP."""
        number, account, region = (str(given.get(name, "")) for name in ("phone_number", "account_id", "region"))
        if not PHONE.fullmatch(number) or not is_account_id(account) or not region:
            raise ServiceError("BadRequest", 'the body is {"phone_number": "+1...", "account_id", "region"}', 400)
        scope = Scope(AccountId(account), Region(region))
        await self._database.write(
            lambda tx: tx.execute("INSERT OR IGNORE INTO sns_opted_out VALUES (?, ?, ?)", (*scope, number))
        )
        return {"stopped": number}


def _shown(row: Row) -> dict[str, Any]:
    names = (
        "id",
        "at",
        "account_id",
        "region",
        "protocol",
        "destination",
        "message_id",
        "topic_arn",
        "subject",
        "body",
    )
    return {**{name: row[name] for name in names}, "attributes": json.loads(row["attributes"])}


def footer(url: str) -> str:
    """What AWS puts under a mail."""
    return (
        "\n\n--\nIf you wish to stop receiving notifications from this topic, please click or visit the link below to "
        f"unsubscribe:\n{url}\n"
    )
