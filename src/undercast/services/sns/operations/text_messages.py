"""SMS: settings of the account, and numbers that want no messages.

AWS: SNS API Reference, the operations of these names; Developer Guide, "Opting out of receiving SMS messages".
"""

import json
import re
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import refused_member
from undercast.core.service import Params, operation
from undercast.services.sns import local
from undercast.services.sns.endpoints import PHONE
from undercast.services.sns.errors import invalid, invalid_of
from undercast.services.sns.instance import Sns
from undercast.services.sns.pages import page, position
from undercast.store.database import Tx
from undercast.store.statements import upsert

_KEPT = frozenset({"DefaultSenderID", "DefaultSMSType", "MonthlySpendLimit"})
_REFUSED = frozenset({"DeliveryStatusIAMRole", "DeliveryStatusSuccessSamplingRate", "UsageReportS3Bucket"})
_SENDER = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9-]{1,11}", re.ASCII)


def _checked_number(number: str) -> str:
    if not PHONE.fullmatch(number):
        raise invalid_of("phoneNumber", f"input incorrectly formatted: {number}")
    return number


@operation("CheckIfPhoneNumberIsOptedOut")
async def check_if_phone_number_is_opted_out(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Whether a number gets messages."""
    number = _checked_number(params["phoneNumber"])
    return {"isOptedOut": sns.database.read_row(lambda tx: local.is_opted_out(tx, ctx.scope, number))}


@operation("ListPhoneNumbersOptedOut")
async def list_phone_numbers_opted_out(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Numbers that get none."""
    after = position(params.get("nextToken"))
    query = (
        "SELECT phone_number FROM sns_opted_out WHERE account_id = ? AND region = ? AND phone_number > ?"
        " ORDER BY phone_number"
    )

    def read(tx: Tx) -> tuple[list[str], dict[str, Any]]:
        return page((row["phone_number"] for row in tx.each(query, (*ctx.scope, after))), str, "nextToken")

    numbers, more = await sns.database.read(read)
    return {"phoneNumbers": numbers, **more}


@operation("OptInPhoneNumber")
async def opt_in_phone_number(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A number gets messages again."""
    number = _checked_number(params["phoneNumber"])
    query = "DELETE FROM sns_opted_out WHERE account_id = ? AND region = ? AND phone_number = ?"
    await sns.database.write(lambda tx: tx.execute(query, (*ctx.scope, number)))
    return {}


@operation("SetSMSAttributes")
async def set_sms_attributes(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Change what is given."""
    given = params["attributes"]
    for name, value in given.items():
        if name in _REFUSED and value:
            raise refused_member(
                "SetSMSAttributes", f"attributes.{name}", "deliveries of SMS are not logged or reported"
            )
        if name not in _KEPT | _REFUSED:
            raise invalid(f"Unsupported attribute {name}")
    if given.get("DefaultSMSType") not in (None, "", "Promotional", "Transactional"):
        raise invalid_of("DefaultSMSType", "must be Promotional or Transactional")
    if given.get("DefaultSenderID") and not _SENDER.fullmatch(given["DefaultSenderID"]):
        raise invalid_of("DefaultSenderID", "must be 1 to 11 alphanumeric characters with at least one letter")
    kept = {name: value for name, value in given.items() if name in _KEPT}

    def write(tx: Tx) -> None:
        merged = {name: value for name, value in {**_settings(tx, ctx), **kept}.items() if value}
        tx.execute(upsert("sns_sms_settings", "account_id, region", "attributes"), (*ctx.scope, json.dumps(merged)))

    await sns.database.write(write)
    return {}


def _settings(tx: Tx, ctx: RequestContext) -> dict[str, str]:
    row = tx.one("SELECT attributes FROM sns_sms_settings WHERE account_id = ? AND region = ?", tuple(ctx.scope))
    found: dict[str, str] = json.loads(row["attributes"]) if row is not None else {}
    return found


@operation("GetSMSAttributes")
async def get_sms_attributes(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """What was set."""
    there = {"MonthlySpendLimit": "1", **sns.database.read_row(lambda tx: _settings(tx, ctx))}
    asked = params.get("attributes") or there
    return {"attributes": {name: there[name] for name in asked if name in there}}
