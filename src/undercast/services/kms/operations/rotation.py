"""Rotation of key material, by itself and on demand.

AWS: KMS API Reference, the operations of these names; Developer Guide, "Rotating AWS KMS keys".
"""

from typing import Any

from undercast.core.clock import moment
from undercast.core.context import RequestContext
from undercast.core.errors import ServiceError
from undercast.core.service import Params, operation
from undercast.services.kms import store
from undercast.services.kms.errors import invalid, unsupported
from undercast.services.kms.instance import Kms, current
from undercast.services.kms.models import PENDING_DELETION, Key, Material
from undercast.services.kms.operations.keys import require_customer
from undercast.services.kms.pages import number, page
from undercast.services.kms.specs import SYMMETRIC
from undercast.services.kms.upkeep import DAY_S, ON_DEMAND
from undercast.store.database import Tx

DEFAULT_DAYS = 365
MOST_ON_DEMAND = 25  # API Reference, RotateKeyOnDemand


@operation("EnableKeyRotation")
async def enable_key_rotation(kms: Kms, ctx: RequestContext, params: Params) -> None:
    """New material every 90 to 2,560 days."""
    key, days = await _rotatable(kms, ctx, params), params.get("RotationPeriodInDays", DEFAULT_DAYS)
    if not 90 <= days <= 2560:
        raise invalid("RotationPeriodInDays must be between 90 and 2560.")
    rotates_at = ctx.clock.now() + days * DAY_S

    def decide(key: Key) -> dict[str, Any]:
        key.require_usable()
        return {"rotation_days": days, "rotates_at": rotates_at}

    await kms.change(key, decide)


@operation("DisableKeyRotation")
async def disable_key_rotation(kms: Kms, ctx: RequestContext, params: Params) -> None:
    """No further rotation by itself."""
    key = await _rotatable(kms, ctx, params)

    def decide(key: Key) -> dict[str, Any]:
        key.require_usable()
        return {"rotation_days": 0, "rotates_at": None}

    await kms.change(key, decide)


async def _rotatable(kms: Kms, ctx: RequestContext, params: Params) -> Key:
    key = await kms.key(ctx, params["KeyId"])
    key.require_usable()
    require_customer(key, "Key rotation")
    if key.spec != SYMMETRIC:
        raise unsupported(f"{key.arn} key spec {key.spec} does not support rotation.")
    return key


@operation("GetKeyRotationStatus")
async def get_key_rotation_status(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """Whether it rotates by itself, and when next. False while the key is pending deletion."""
    key = await kms.key(ctx, params["KeyId"])
    is_enabled = key.rotation_days > 0 and key.state != PENDING_DELETION
    result: dict[str, Any] = {"KeyId": key.arn, "KeyRotationEnabled": is_enabled}
    if is_enabled and key.rotates_at is not None:
        result |= {"RotationPeriodInDays": key.rotation_days, "NextRotationDate": moment(key.rotates_at)}
    return result


@operation("RotateKeyOnDemand")
async def rotate_key_on_demand(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """New material now. Raises LimitExceededException at the 26th of a key."""
    key = await _rotatable(kms, ctx, params)

    def check(tx: Tx) -> None:
        current(tx, key).require_usable()
        if sum(one.reason == ON_DEMAND for one in store.materials(tx, key)) >= MOST_ON_DEMAND:
            text = f"{key.arn} has been rotated on demand {MOST_ON_DEMAND} times, which is the limit."
            raise ServiceError("LimitExceededException", text)

    await kms.upkeep.rotate_on_demand(key, check)
    return {"KeyId": key.arn}


@operation("ListKeyRotations")
async def list_key_rotations(kms: Kms, ctx: RequestContext, params: Params) -> dict[str, Any]:
    """The rotations so far, the newest first."""
    key, limit = await kms.key(ctx, params["KeyId"]), params.get("Limit", 100)
    after = number(params)
    every = await kms.database.read(lambda tx: store.materials(tx, key))
    found = [one for one in every if one.reason and (not after or one.number < after)]

    def entry(one: Material) -> dict[str, Any]:
        return {"KeyId": key.id, "RotationDate": moment(one.made_at), "RotationType": one.reason}

    return page("Rotations", found, limit, lambda one: str(one.number), entry)
