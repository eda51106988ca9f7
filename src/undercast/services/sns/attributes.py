"""Which attributes topics and subscriptions may have, and which values.

Pure. AWS: SNS API Reference, CreateTopic, SetTopicAttributes, Subscribe, SetSubscriptionAttributes; Developer Guide,
"Amazon SNS dead-letter queues", "Message archiving and replay for FIFO topics".
"""

import re
from collections.abc import Mapping

from undercast.core import json_values
from undercast.core.arn import is_fifo
from undercast.core.errors import ServiceError, refused_member
from undercast.policy.document import parse_policy
from undercast.policy.validation import INVALID_PRINCIPAL
from undercast.services.sns import retry
from undercast.services.sns.errors import invalid, invalid_of
from undercast.services.sns.filters import ATTRIBUTES, BODY, compile_filter
from undercast.services.sns.models import DEFAULT_MAX_BYTES, Topic

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
_FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,251}\.fifo", re.ASCII)
_FEEDBACK = re.compile(r"(HTTP|Firehose|Lambda|Application|SQS)(SuccessFeedbackRoleArn|SuccessFeedbackSampleRate|"
                       r"FailureFeedbackRoleArn)")  # fmt: skip
_FIFO_ONLY = frozenset({"ContentBasedDeduplication", "FifoThroughputScope"})
_TOPIC = frozenset({"DeliveryPolicy", "DisplayName", "Policy", "TracingConfig", "KmsMasterKeyId", "SignatureVersion",
                    "MaximumMessageSize", "FifoTopic", "ArchivePolicy", *_FIFO_ONLY})  # fmt: skip
_SUBSCRIPTION = frozenset({"DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy",
                           "SubscriptionRoleArn", "ReplayPolicy"})  # fmt: skip
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "ContentBasedDeduplication": ("true", "false"),
    "FifoThroughputScope": ("Topic", "MessageGroup"),
    "SignatureVersion": ("1", "2"),
    "TracingConfig": ("PassThrough", "Active"),
    "FifoTopic": ("true", "false"),
    "RawMessageDelivery": ("true", "false"),
    "FilterPolicyScope": (ATTRIBUTES, BODY),
}
_RAW = frozenset({"sqs", "http", "https", "firehose"})
_LARGE = frozenset({"sqs", "firehose", "lambda"})
_LARGE_SUBSCRIPTIONS = 100
_QUEUE = re.compile(r"arn:[\w-]+:sqs:([\w-]+):(\d{12}):[\w-]{1,80}(\.fifo)?", re.ASCII)


def check_name(name: str, attributes: Mapping[str, str]) -> None:
    """Raises InvalidParameter for a name that a topic of this kind cannot have."""
    if attributes.get("FifoTopic") == "true":
        if not _FIFO_NAME.fullmatch(name):
            raise invalid("Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase "
                          "ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters "
                          "long.")  # fmt: skip
    elif not _NAME.fullmatch(name):
        raise invalid("Topic Name")


def checked_topic(given: Mapping[str, str], name: str, operation: str) -> dict[str, str]:
    """The attributes to store. Raises AWS's error for unknown ones and for values that cannot be."""
    for attribute, value in given.items():
        if attribute not in _TOPIC and not _FEEDBACK.fullmatch(attribute):
            raise invalid("AttributeName" if operation == "SetTopicAttributes" else f"Attributes: {attribute}")
        if attribute == "ArchivePolicy" and value:
            raise refused_member(operation, "ArchivePolicy", "messages of topics are not archived")
        _check_topic_value(attribute, value, name)
    if operation == "SetTopicAttributes" and "FifoTopic" in given:
        raise invalid("AttributeName")
    return {attribute: value for attribute, value in given.items() if attribute != "ArchivePolicy"}


def _check_topic_value(attribute: str, value: str, name: str) -> None:
    if attribute in _FIFO_ONLY and not is_fifo(name):
        raise invalid_of("Attributes", f"{attribute} can only be set for FIFO topics")
    if attribute in _CHOICES and value not in _CHOICES[attribute]:
        raise invalid_of(attribute, f"Invalid value [{value}]. Must be one of {', '.join(_CHOICES[attribute])}")
    if attribute == "DisplayName" and len(value) > 100:
        raise invalid_of("DisplayName", "Must be less than or equal to 100 characters long")
    if attribute == "Policy" and value:
        check_policy_text(value)
    elif attribute == "DeliveryPolicy" and value:
        retry.check_topic_policy(value)
    elif attribute == "MaximumMessageSize" and not (
        value.isascii() and value.isdigit() and 1024 <= int(value) <= 1 << 20
    ):
        raise invalid_of("MaximumMessageSize", "must be between 1024 and 1048576")
    elif attribute.endswith("SampleRate") and not (value.isascii() and value.isdigit() and int(value) <= 100):
        raise invalid_of(attribute, "must be between 0 and 100")


def check_policy_text(text: str) -> None:
    """Raises InvalidParameter for what is no policy of a topic."""
    try:
        parse_policy(json_values.parse(text), "resource")
    except (ServiceError, ValueError) as error:
        reason = error.message if isinstance(error, ServiceError) else "failed to parse JSON."
        named = reason.startswith(INVALID_PRINCIPAL)
        raise invalid(f"Policy Error: {'PrincipalNotFound' if named else reason}") from error


def check_size(topic: Topic, attributes: Mapping[str, str]) -> None:
    """Raises InvalidParameter where the subscriptions that there are do not fit a MaximumMessageSize over 256 KiB."""
    if int(attributes.get("MaximumMessageSize", DEFAULT_MAX_BYTES)) <= DEFAULT_MAX_BYTES:
        return
    if len(topic.subscriptions) > _LARGE_SUBSCRIPTIONS or any(
        one.protocol not in _LARGE for one in topic.subscriptions
    ):
        raise invalid_of("MaximumMessageSize", "a topic above 262144 bytes has at most 100 subscriptions, of protocols "
                         "sqs, firehose and lambda")  # fmt: skip


def check_joins(topic: Topic, protocol: str) -> None:
    """Raises InvalidParameter where a topic of large messages cannot have this subscription."""
    if topic.max_bytes > DEFAULT_MAX_BYTES and protocol not in _LARGE:
        raise invalid_of("Protocol", f"{protocol} is not supported by a topic whose MaximumMessageSize is above 262144")


def checked_subscription(
    given: Mapping[str, str], known: Mapping[str, str], topic: Topic, protocol: str, operation: str
) -> dict[str, str]:
    """The attributes to store: `known` ones with those that are `given`. An empty policy takes itself away."""
    for attribute, value in given.items():
        if attribute not in _SUBSCRIPTION:
            raise invalid("AttributeName" if operation == "SetSubscriptionAttributes" else f"Attributes: {attribute}")
        if attribute == "ReplayPolicy" and value:
            raise refused_member(operation, "ReplayPolicy", "messages of topics are not archived")
        if attribute == "SubscriptionRoleArn" and value:
            raise refused_member(operation, "SubscriptionRoleArn", "it is for Firehose, which does not exist here")
        _check_subscription_value(attribute, value, topic, protocol)
    merged = {name: value for name, value in {**known, **given}.items() if value and value != "{}"}
    if "FilterPolicy" in merged:
        if "FilterPolicy" in given or "FilterPolicyScope" in given:  # a stored one may be refused by now
            compile_filter(merged)
        merged.setdefault("FilterPolicyScope", ATTRIBUTES)
    return merged


def _check_subscription_value(attribute: str, value: str, topic: Topic, protocol: str) -> None:
    if attribute in _CHOICES and value not in _CHOICES[attribute]:
        raise invalid_of(attribute, f"Invalid value [{value}]. Must be {' or '.join(_CHOICES[attribute])}.")
    if attribute == "RawMessageDelivery" and value == "true" and protocol not in _RAW:
        raise invalid(f"Attributes Reason: Delivery protocol [{protocol}] does not support raw message delivery.")
    if attribute == "RedrivePolicy" and value:
        _check_redrive(value, topic)
    elif attribute == "DeliveryPolicy" and value:
        if protocol not in ("http", "https"):
            raise invalid(f"Attributes Reason: Delivery policy is not supported for delivery protocol [{protocol}].")
        retry.check_subscription_policy(value)


def _check_redrive(text: str, topic: Topic) -> None:
    try:
        policy = json_values.parse(text)
    except ValueError as error:
        raise invalid("RedrivePolicy: failed to parse JSON.") from error
    arn = policy.get("deadLetterTargetArn") if isinstance(policy, dict) else None
    found = _QUEUE.fullmatch(arn) if isinstance(arn, str) else None
    if found is None:
        raise invalid("RedrivePolicy: deadLetterTargetArn is an invalid arn")
    if set(policy) != {"deadLetterTargetArn"}:
        raise invalid("RedrivePolicy: only deadLetterTargetArn is supported")
    if found[1] != topic.scope.region:
        raise invalid("RedrivePolicy: must use same region as topic")
    if topic.is_fifo != bool(found[3]):
        raise invalid("RedrivePolicy: must use a FIFO queue as DLQ for a FIFO topic, and a standard queue as DLQ for a "
                      "standard topic")  # fmt: skip
