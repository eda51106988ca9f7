"""The local outbox: what would have left for mail servers, mobile networks and push services.

Nothing leaves the machine. The last 10,000 items are kept; API and CLI show them (`undercast outbox`).
AWS: SNS Developer Guide, "Email notifications", "Mobile text messaging", "Mobile push notifications".
"""

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from undercast.core.arn import AccountId, Region, Scope, is_account_id
from undercast.core.errors import ServiceError
from undercast.core.record import record
from undercast.services.sns.endpoints import PHONE
from undercast.store.database import Database, Row, Tx

PROTOCOLS = frozenset({"email", "email-json", "sms", "application"})
KEPT = 10_000


@record
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


@record
class Device:
    """What decides whether an endpoint gets a push notification."""

    attributes: Mapping[str, str]
    application_is_enabled: bool
    token_is_valid: bool

    @property
    def is_enabled(self) -> bool:
        """Whether anything is sent to its push service."""
        return self.attributes["Enabled"] == "true" and self.application_is_enabled


def device(tx: Tx, endpoint_arn: str) -> Device | None:
    """The device of an endpoint; None where there is no such endpoint."""
    row = tx.one(
        "SELECT e.attributes, a.attributes AS application, i.token AS invalid FROM sns_endpoint e"
        " JOIN sns_application a ON a.arn = e.application_arn"
        " LEFT JOIN sns_invalid_token i ON i.application_arn = e.application_arn AND i.token = e.token"
        " WHERE e.arn = ?",
        (endpoint_arn,),
    )
    if row is None:
        return None
    return Device(
        attributes=json.loads(row["attributes"]),
        application_is_enabled=json.loads(row["application"]).get("Enabled") != "false",
        token_is_valid=row["invalid"] is None,
    )


def put(tx: Tx, item: Item) -> bool:
    """Add an item to the caller's transaction. A number that opted out gets nothing, a disabled device neither.

    False where the push service does not know the device's token any more.
    """
    body = item.body
    if item.protocol == "sms" and is_opted_out(tx, item.scope, item.destination):
        return True
    if item.protocol == "application":
        receiver = device(tx, item.destination)
        if receiver is None or not receiver.is_enabled:
            return True
        if not receiver.token_is_valid:
            return False
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
    return True


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
            lambda tx: tx.execute("INSERT INTO sns_opted_out VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (*scope, number))
        )
        return {"stopped": number}

    async def unregister(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A device's token is not valid any more, as when its user uninstalls the app."""
        arn = str(given.get("endpoint_arn", ""))

        def write(tx: Tx) -> None:
            query = (
                "INSERT INTO sns_invalid_token (application_arn, token)"
                " SELECT application_arn, token FROM sns_endpoint WHERE arn = ? ON CONFLICT DO NOTHING"
            )
            if tx.one("SELECT 1 FROM sns_endpoint WHERE arn = ?", (arn,)) is None:
                raise ServiceError(
                    "NotFound", 'the body is {"endpoint_arn": "arn:..."} of an endpoint that is there', 404
                )
            tx.execute(query, (arn,))

        await self._database.write(write)
        return {"unregistered": arn}


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
