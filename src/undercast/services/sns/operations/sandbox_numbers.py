"""The SMS sandbox: numbers that are verified by a one-time password, which arrives in the local outbox.

Accounts here have left the sandbox: any number gets messages. AWS: SNS API Reference, the operations of these names;
Developer Guide, "Using the Amazon SNS SMS sandbox" (a password is good for 24 hours, verified numbers stay for 24 hours
at least).
"""

from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.sns import local
from undercast.services.sns.endpoints import PHONE
from undercast.services.sns.errors import invalid, no_resource
from undercast.services.sns.instance import Sns
from undercast.services.sns.pages import PER_PAGE, page, position
from undercast.store.database import Row, Tx

PASSWORD_S = 86_400.0
MAX_NUMBERS = 10
PENDING, VERIFIED = "Pending", "Verified"
_OURS = "account_id = ? AND region = ?"


@operation("GetSMSSandboxAccountStatus")
async def get_sms_sandbox_account_status(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Never in the sandbox."""
    return {"IsInSandbox": False}


@operation("CreateSMSSandboxPhoneNumber")
async def create_sms_sandbox_phone_number(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Send a password to a number; again where it is not verified yet."""
    number, now = params["PhoneNumber"], ctx.clock.now()
    if not PHONE.fullmatch(number):
        raise invalid("PhoneNumber")
    password = f"{int(ctx.ids.random() * 1_000_000):06d}"
    text = f"Your verification code is {password}"
    item = local.Item(scope=ctx.scope, at=now, protocol="sms", destination=number, message_id=ctx.ids.uuid(), body=text)

    def write(tx: Tx) -> None:
        if local.is_opted_out(tx, ctx.scope, number):
            raise ServiceError("OptedOutException", "The phone number has opted out of receiving SMS messages.")
        others = tx.all(
            f"SELECT status FROM sns_sandbox_number WHERE {_OURS} AND phone_number != ?", (*ctx.scope, number)
        )
        if len(others) >= MAX_NUMBERS:
            raise ServiceError(
                "UserErrorException", f"An account has at most {MAX_NUMBERS} numbers in the SMS sandbox."
            )
        tx.execute(
            "INSERT INTO sns_sandbox_number VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (account_id, region, phone_number)"
            " DO UPDATE SET password = excluded.password, made_at = excluded.made_at",
            (*ctx.scope, number, password, now, PENDING),
        )
        local.put(tx, item)

    await sns.database.write(write)
    return {}


def _existing(tx: Tx, ctx: RequestContext, number: str) -> Row:
    row = tx.one(f"SELECT * FROM sns_sandbox_number WHERE {_OURS} AND phone_number = ?", (*ctx.scope, number))
    if row is None:
        raise no_resource()
    return row


@operation("VerifySMSSandboxPhoneNumber")
async def verify_sms_sandbox_phone_number(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The password proves who has the number."""

    def write(tx: Tx) -> None:
        row = _existing(tx, ctx, params["PhoneNumber"])
        late = ctx.clock.now() - row["made_at"] > PASSWORD_S
        if late or row["password"] != params["OneTimePassword"]:
            members = {"Status": row["status"]}
            raise ServiceError("VerificationException", "The one-time password is wrong or too old.", members=members)
        tx.execute(
            f"UPDATE sns_sandbox_number SET status = ? WHERE {_OURS} AND phone_number = ?",
            (VERIFIED, *ctx.scope, row["phone_number"]),
        )

    await sns.database.write(write)
    return {}


@operation("DeleteSMSSandboxPhoneNumber")
async def delete_sms_sandbox_phone_number(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Forget a number."""

    def write(tx: Tx) -> None:
        row = _existing(tx, ctx, params["PhoneNumber"])
        tx.execute(
            f"DELETE FROM sns_sandbox_number WHERE {_OURS} AND phone_number = ?", (*ctx.scope, row["phone_number"])
        )

    await sns.database.write(write)
    return {}


@operation("ListSMSSandboxPhoneNumbers")
async def list_sms_sandbox_phone_numbers(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Numbers and whether they are verified."""
    after, limit = position(params.get("NextToken")), params.get("MaxResults", PER_PAGE)
    query = f"SELECT * FROM sns_sandbox_number WHERE {_OURS} AND phone_number > ? ORDER BY phone_number"

    def read(tx: Tx) -> tuple[list[Row], dict[str, Any]]:
        return page(tx.each(query, (*ctx.scope, after)), lambda row: str(row["phone_number"]), limit=limit)

    rows, more = await sns.database.read(read)
    return {"PhoneNumbers": [{"PhoneNumber": row["phone_number"], "Status": row["status"]} for row in rows], **more}
