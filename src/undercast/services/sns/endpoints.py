"""Which endpoints each protocol takes, and whose they are.

Pure. AWS: SNS API Reference, Subscribe, Protocol and Endpoint; the texts are the service's answers.
"""

import re
from urllib.parse import urlsplit

from undercast.core.arn import is_fifo
from undercast.core.errors import refused_member
from undercast.services.sns.errors import invalid, invalid_of
from undercast.services.sns.models import Topic

WEB = frozenset({"http", "https"})
MAIL = frozenset({"email", "email-json"})
PROTOCOLS = WEB | MAIL | {"sms", "sqs", "application", "lambda"}
_MAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
PHONE = re.compile(r"\+[1-9]\d{4,14}", re.ASCII)
_QUEUE = re.compile(r"arn:[\w-]+:sqs:[a-z0-9-]+:(\d{12}):[\w-]{1,80}(?:\.fifo)?", re.ASCII)
_FUNCTION = re.compile(r"arn:[\w-]+:lambda:[a-z0-9-]+:(\d{12}):function:[\w-]{1,140}(?::[\w$-]+)?", re.ASCII)
_DEVICE = re.compile(r"arn:[\w-]+:sns:[a-z0-9-]+:(\d{12}):endpoint/[A-Z_]+/[\w.-]+/[\w-]+", re.ASCII)
_OWN = ("/_undercast", "/_localstack")
"""The platform's own endpoints: nothing that SNS sends may go there."""
_MAX_URL = 2048


def owner_of(protocol: str, endpoint: str) -> str | None:
    """The account whose endpoint it is; None for one outside AWS. Raises InvalidParameter for what is none."""
    if protocol == "firehose":
        raise refused_member(
            "Subscribe", "Protocol", "there is no Firehose service: the protocol firehose has no effect"
        )
    if protocol not in PROTOCOLS:
        raise invalid(f"Amazon SNS does not support this protocol string: {protocol}")
    if not endpoint:
        raise invalid("Endpoint")
    if protocol in WEB:
        check_url(protocol, endpoint)
    elif protocol in MAIL:
        if not _MAIL.fullmatch(endpoint):
            raise invalid("Email address")
    elif protocol == "sms":
        if not PHONE.fullmatch(endpoint):
            raise invalid(f"Invalid SMS endpoint: {endpoint}")
    else:
        return _owner(protocol, endpoint)
    return None


def _owner(protocol: str, endpoint: str) -> str:
    pattern, text = {
        "sqs": (_QUEUE, "SQS endpoint ARN"),
        "lambda": (_FUNCTION, "Lambda endpoint ARN"),
        "application": (_DEVICE, f"Application endpoint arn invalid: {endpoint}"),
    }[protocol]
    found = pattern.fullmatch(endpoint)
    if found is None:
        raise invalid(text)
    return found[1]


def check_url(protocol: str, endpoint: str) -> None:
    """Raises InvalidParameter for what SNS does not send to."""
    try:
        url = urlsplit(endpoint)
        good = url.scheme == protocol and bool(url.hostname) and url.port != 0
    except ValueError:
        good = False
    if not good or len(endpoint) > _MAX_URL or not endpoint.isascii() or not endpoint.isprintable() or " " in endpoint:
        raise invalid("Endpoint must match the specified protocol")
    if urlsplit(endpoint).path.startswith(_OWN):
        raise invalid_of("Endpoint", "the platform's own endpoints are not for subscriptions")


def check_kind(topic: Topic, protocol: str, endpoint: str) -> None:
    """Raises InvalidParameter where a topic of this kind cannot have the endpoint."""
    if topic.is_fifo and protocol != "sqs":
        raise invalid(f"Invalid protocol type: {protocol}")
    if not topic.is_fifo and protocol == "sqs" and is_fifo(endpoint):
        raise invalid_of("Invalid parameter: Endpoint", "FIFO SQS Queues can not be subscribed to standard SNS topics")
