"""The JSON in which subscribers get messages, and the text that is signed.

Pure. AWS: SNS Developer Guide, "Parsing Amazon SNS message formats", "Verifying the signatures of Amazon SNS
messages", "Message delivery for FIFO topics" (their messages are not signed); Lambda Developer Guide, "Using Lambda
with Amazon SNS" (the event's spelling of URLs).
"""

import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from undercast.core.record import record

NOTIFICATION, CONFIRMATION, UNSUBSCRIBED = "Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"
_SIGNED = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    UNSUBSCRIBED: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


@record
class Letter:
    """One message as one subscriber gets it, unsigned. `fields` have AWS's names, in AWS's order."""

    fields: Mapping[str, str]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def string_to_sign(self) -> str:
        """Names and values of the signed fields, each on a line of its own."""
        fields = self.fields
        return "".join(f"{name}\n{fields[name]}\n" for name in _SIGNED[fields["Type"]] if name in fields)


@record
class Seal:
    """A signature and where its certificate is found."""

    version: str
    signature: str
    certificate_url: str
    is_promised: bool = False
    """Whether `signature` is a mark in its place (`signing.Signer.promise`)."""


def envelope(letter: Letter, seal: Seal | None, unsubscribe_url: str = "") -> str:
    """What queues and HTTP endpoints get, laid out as AWS does."""
    fields: dict[str, Any] = dict(letter.fields)
    if seal is not None:
        fields |= {
            "SignatureVersion": seal.version,
            "Signature": seal.signature,
            "SigningCertURL": seal.certificate_url,
        }
    if unsubscribe_url:
        fields["UnsubscribeURL"] = unsubscribe_url
    if letter.attributes:
        fields["MessageAttributes"] = letter.attributes
    lines = ",\n".join(f"  {json.dumps(name)} : {json.dumps(value)}" for name, value in fields.items())
    return f"{{\n{lines}\n}}"


def function_event(letter: Letter, seal: Seal, subscription_arn: str, unsubscribe_url: str) -> bytes:
    """The event of a function: Url, not URL, and Subject also where there is none."""
    fields = letter.fields
    asks = {"Token": fields["Token"], "SubscribeUrl": fields["SubscribeURL"]} if "Token" in fields else {}
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": subscription_arn,
        "Sns": {
            "Type": fields["Type"],
            "MessageId": fields["MessageId"],
            **asks,
            "TopicArn": fields["TopicArn"],
            "Subject": fields.get("Subject"),
            "Message": fields["Message"],
            "Timestamp": fields["Timestamp"],
            "SignatureVersion": seal.version,
            "Signature": seal.signature,
            "SigningCertUrl": seal.certificate_url,
            "UnsubscribeUrl": unsubscribe_url,
            "MessageAttributes": letter.attributes,
        },
    }
    return json.dumps({"Records": [record]}, separators=(",", ":")).encode()


def undelivered(event: bytes) -> str:
    """The envelope that a dead-letter queue gets in place of a function's event."""
    sns = json.loads(event)["Records"][0]["Sns"]
    urls = {"SigningCertUrl": "SigningCertURL", "UnsubscribeUrl": "UnsubscribeURL"}
    fields = {
        urls.get(name, name): value
        for name, value in sns.items()
        if value not in (None, "") and name != "MessageAttributes"
    }
    return envelope(Letter(fields=fields, attributes=sns["MessageAttributes"]), None)
