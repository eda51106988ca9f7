"""Mobile push: platform applications and the endpoints of devices.

What is pushed goes to the local outbox; credentials of push services are kept, shown never, and asked by nobody.
AWS: SNS API Reference, the operations of these names; Developer Guide, "Mobile push notifications".
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.sns import device_events, local
from undercast.services.sns.errors import invalid, invalid_of
from undercast.services.sns.instance import Sns
from undercast.services.sns.pages import page, position
from undercast.store.database import Row, Tx

PLATFORMS = frozenset({"ADM", "APNS", "APNS_SANDBOX", "APNS_VOIP", "APNS_VOIP_SANDBOX", "APNS_MACOS",
                       "APNS_MACOS_SANDBOX", "BAIDU", "GCM", "MPNS", "WNS"})  # fmt: skip
_SECRETS = frozenset({"PlatformCredential", "PlatformPrincipal"})
_APPLICATION = _SECRETS | device_events.ATTRIBUTES | {
    "SuccessFeedbackRoleArn", "FailureFeedbackRoleArn", "SuccessFeedbackSampleRate",
    "ApplePlatformTeamID", "ApplePlatformBundleID", "Enabled",
}  # fmt: skip
_ENDPOINT = frozenset({"CustomUserData", "Enabled", "Token", "ChannelId", "UserId"})
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}", re.ASCII)
_MAX_USER_DATA = 2048


def _not_there(what: str) -> ServiceError:
    return ServiceError("NotFoundException", f"{what} does not exist", 404)


def _application(tx: Tx, arn: str) -> Row:
    row = tx.one("SELECT * FROM sns_application WHERE arn = ?", (arn,))
    if row is None:
        raise _not_there("PlatformApplication")
    return row


def _endpoint(tx: Tx, arn: str) -> Row:
    row = tx.one("SELECT * FROM sns_endpoint WHERE arn = ?", (arn,))
    if row is None:
        raise _not_there("Endpoint")
    return row


def existing_endpoint(sns: Sns, arn: str) -> Row:
    """The row of a device's endpoint. Raises NotFound."""
    return sns.database.read_row(lambda tx: _endpoint(tx, arn))


def check_enabled(sns: Sns, arn: str) -> None:
    """Raises NotFound, PlatformApplicationDisabled, EndpointDisabled."""
    device = sns.database.read_row(lambda tx: local.device(tx, arn))
    if device is None:
        raise _not_there("Endpoint")
    if not device.application_is_enabled:
        raise ServiceError("PlatformApplicationDisabledException", "Platform application is disabled")
    if not device.is_enabled:
        raise ServiceError("EndpointDisabledException", "Endpoint is disabled")


def _checked(given: Mapping[str, str], known: frozenset[str]) -> dict[str, str]:
    for name in given:
        if name not in known:
            raise invalid_of("Attributes", f"Invalid attribute name: {name}")
    if len(given.get("CustomUserData", "").encode()) > _MAX_USER_DATA:
        raise invalid_of("CustomUserData", "must be at most 2048 bytes long in UTF-8 encoding")
    if given.get("Enabled", "true").lower() not in ("true", "false"):
        raise invalid_of("Enabled", "must be true or false")
    return dict(given) | ({"Enabled": given["Enabled"].lower()} if "Enabled" in given else {})


@operation("CreatePlatformApplication")
async def create_platform_application(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A new application; the one that is there gets the attributes."""
    platform, name = params["Platform"], params["Name"]
    if platform not in PLATFORMS:
        raise invalid_of("Platform", f"Invalid platform: {platform}")
    if not _NAME.fullmatch(name):
        raise invalid("Name")
    attributes = _checked(params["Attributes"], _APPLICATION)
    device_events.check_topics(ctx, attributes)
    if not attributes.get("PlatformCredential"):
        raise invalid_of("Attributes", "PlatformCredential is required")
    arn = f"arn:aws:sns:{ctx.region}:{ctx.account_id}:app/{platform}/{name}"
    await sns.database.write(
        lambda tx: tx.execute(
            "INSERT INTO sns_application (arn, account_id, region, platform, name, attributes)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (arn) DO UPDATE SET attributes = excluded.attributes",
            (arn, *ctx.scope, platform, name, json.dumps(attributes)),
        )
    )
    return {"PlatformApplicationArn": arn}


@operation("DeletePlatformApplication")
async def delete_platform_application(sns: Sns, ctx: RequestContext, params: Params) -> None:
    """The application and its endpoints are gone. Deleting what is not there is no error."""
    arn = params["PlatformApplicationArn"]
    await sns.database.write(lambda tx: tx.execute("DELETE FROM sns_application WHERE arn = ?", (arn,)))


def _shown(attributes: Mapping[str, str]) -> dict[str, str]:
    return {"Enabled": "true", **{name: value for name, value in attributes.items() if name not in _SECRETS}}


@operation("GetPlatformApplicationAttributes")
async def get_platform_application_attributes(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """All but its secrets."""
    row = sns.database.read_row(lambda tx: _application(tx, params["PlatformApplicationArn"]))
    return {"Attributes": _shown(json.loads(row["attributes"]))}


@operation("SetPlatformApplicationAttributes")
async def set_platform_application_attributes(sns: Sns, ctx: RequestContext, params: Params) -> None:
    """Change what is given."""
    given = _checked(params["Attributes"], _APPLICATION)
    device_events.check_topics(ctx, given)

    def write(tx: Tx) -> None:
        row = _application(tx, params["PlatformApplicationArn"])
        merged = json.dumps({**json.loads(row["attributes"]), **given})
        tx.execute("UPDATE sns_application SET attributes = ? WHERE arn = ?", (merged, row["arn"]))

    await sns.database.write(write)


@operation("ListPlatformApplications")
async def list_platform_applications(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The caller's applications."""
    after = position(params.get("NextToken"))
    query = "SELECT * FROM sns_application WHERE account_id = ? AND region = ? AND arn > ? ORDER BY arn"
    found, more = await sns.database.read(lambda tx: _page(tx.each(query, (*ctx.scope, after))))
    applications = [
        {"PlatformApplicationArn": row["arn"], "Attributes": _shown(json.loads(row["attributes"]))} for row in found
    ]
    return {"PlatformApplications": applications, **more}


def _page(rows: Iterator[Row]) -> tuple[list[Row], dict[str, Any]]:
    return page(rows, lambda row: str(row["arn"]))


@operation("CreatePlatformEndpoint")
async def create_platform_endpoint(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """A new endpoint; the one that is there for the same token and attributes.

    One that is disabled is not enabled by this, and its ARN is returned: who asks for an enabled one by Attributes gets
    the error. AWS: SNS Developer Guide, "Creating an Amazon SNS platform endpoint" (its pseudo code).
    """
    data = {"CustomUserData": params["CustomUserData"]} if params.get("CustomUserData") else {}
    given = _checked({**(params.get("Attributes") or {}), **data}, _ENDPOINT)
    attributes = {"Enabled": "true", **given, "Token": params["Token"]}
    of, made = params["PlatformApplicationArn"], ctx.ids.uuid()
    arn = f"{of.replace(':app/', ':endpoint/')}/{made}"
    tell = await device_events.prepared(sns, ctx, "EndpointCreated", arn)

    def write(tx: Tx) -> str:
        application = _application(tx, of)
        query = "SELECT * FROM sns_endpoint WHERE application_arn = ? AND token = ?"
        known = tx.one(query, (application["arn"], params["Token"]))
        if known is None:
            tx.execute(
                "INSERT INTO sns_endpoint (arn, account_id, region, application_arn, token, attributes)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (arn, application["account_id"], application["region"], application["arn"], params["Token"],
                 json.dumps(attributes)),
            )  # fmt: skip
            tell(tx)
            return arn
        there = json.loads(known["attributes"])
        if there != attributes | ({} if "Enabled" in given else {"Enabled": there["Enabled"]}):
            reason = f"Endpoint {known['arn']} already exists with the same Token, but different attributes."
            raise invalid_of("Token", reason)
        return str(known["arn"])

    return {"EndpointArn": await sns.database.write(write)}


@operation("DeleteEndpoint")
async def delete_endpoint(sns: Sns, ctx: RequestContext, params: Params) -> None:
    """The device gets nothing more. Deleting what is not there is no error."""
    arn = params["EndpointArn"]
    tell = await device_events.prepared(sns, ctx, "EndpointDeleted", arn)

    def write(tx: Tx) -> None:
        if tx.execute("DELETE FROM sns_endpoint WHERE arn = ?", (arn,)):
            tell(tx)

    await sns.database.write(write)


@operation("GetEndpointAttributes")
async def get_endpoint_attributes(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Enabled, Token and CustomUserData."""
    return {"Attributes": json.loads(existing_endpoint(sns, params["EndpointArn"])["attributes"])}


@operation("SetEndpointAttributes")
async def set_endpoint_attributes(sns: Sns, ctx: RequestContext, params: Params) -> None:
    """Change what is given."""
    given, arn = _checked(params["Attributes"], _ENDPOINT), params["EndpointArn"]
    tell = await device_events.prepared(sns, ctx, "EndpointUpdated", arn)

    def write(tx: Tx) -> None:
        row = _endpoint(tx, arn)
        merged = {**json.loads(row["attributes"]), **given}
        query = "UPDATE sns_endpoint SET attributes = ?, token = ? WHERE arn = ?"
        tx.execute(query, (json.dumps(merged), merged["Token"], row["arn"]))
        tell(tx)

    await sns.database.write(write)


@operation("ListEndpointsByPlatformApplication")
async def list_endpoints_by_platform_application(sns: Sns, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The devices of an application."""
    after = position(params.get("NextToken"))

    def read(tx: Tx) -> tuple[list[Row], dict[str, Any]]:
        arn = _application(tx, params["PlatformApplicationArn"])["arn"]
        query = "SELECT * FROM sns_endpoint WHERE application_arn = ? AND arn > ? ORDER BY arn"
        return _page(tx.each(query, (arn, after)))

    found, more = await sns.database.read(read)
    endpoints = [{"EndpointArn": row["arn"], "Attributes": json.loads(row["attributes"])} for row in found]
    return {"Endpoints": endpoints, **more}
