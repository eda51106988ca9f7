"""What a push service answers when a device's token is not valid any more: SNS disables the endpoint and says so.

A delivery of its own, committed with the message that found it out: once the endpoint is disabled, EndpointUpdated is
published, and DeliveryFailure where the message was published to the device directly. At least once.
AWS: SNS API Reference, SetEndpointAttributes (Enabled) and SetPlatformApplicationAttributes (EventDeliveryFailure);
Developer Guide, "Amazon SNS application event notifications for mobile applications".
"""

import json
from collections.abc import Mapping

from undercast.core.context import Cause
from undercast.core.identity import service_principal
from undercast.events.delivery import Delivery, Outcome
from undercast.services.sns import device_events, local
from undercast.services.sns.instance import Sns
from undercast.store.database import Tx

_FAILURE: Mapping[str, str | int] = {
    "DeliveryAttempts": 1,
    "FailureMessage": "Platform token associated with the endpoint is not valid",
    "FailureType": "InvalidPlatformToken",
}


class PushFeedback:
    """See `events.delivery.Target`. `message_id` is of a message that was published to the device directly."""

    def __init__(self, sns: Sns) -> None:
        self._sns = sns

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Disable the endpoint, unless it has another token by now."""
        sns, arn = self._sns, delivery.target_arn
        principal = service_principal("sns.amazonaws.com", delivery.scope.account_id)
        ctx = sns.internal(delivery.scope, principal, Cause(kind="delivery", id=delivery.id))
        tell = [await device_events.prepared(sns, ctx, "EndpointUpdated", arn)]
        if message_id := delivery.attributes.get("message_id"):
            failure = {**_FAILURE, "MessageId": message_id}
            tell.append(await device_events.prepared(sns, ctx, "DeliveryFailure", arn, failure))

        def write(tx: Tx) -> None:
            device = local.device(tx, arn)
            if device is None or device.token_is_valid:
                return
            disabled = json.dumps({**device.attributes, "Enabled": "false"})
            tx.execute("UPDATE sns_endpoint SET attributes = ? WHERE arn = ?", (disabled, arn))
            for one in tell:
                one(tx)

        await sns.database.write(write)
        return Outcome(kind="done")
