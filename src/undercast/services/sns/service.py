"""SNS's manifest: what the service offers to the platform.

AWS: SNS API Reference.
"""

from collections.abc import Mapping
from typing import Any

from undercast.core.service import Manifest, operations_of
from undercast.events.delivery import Delivery, Outcome
from undercast.sandbox.upstream import as_a_sandbox
from undercast.services.parts import Parts
from undercast.services.sns import site
from undercast.services.sns.access import access, policy_of, tags_of
from undercast.services.sns.http_target import HttpTarget
from undercast.services.sns.instance import Sns
from undercast.services.sns.local import LocalOutbox
from undercast.services.sns.measures import Measures
from undercast.services.sns.members import EFFECTIVE, REFUSED, STORED
from undercast.services.sns.operations import (
    devices,
    permissions,
    publishing,
    sandbox_numbers,
    subscriptions,
    text_messages,
    topics,
)
from undercast.services.sns.push_feedback import PushFeedback
from undercast.services.sns.sending import DEAD_LETTERS, HTTP, PUSH_FEEDBACK
from undercast.services.sns.signing import Signer
from undercast.services.sns.target import KIND, DeadLetterTarget, TopicTarget
from undercast.services.sns.topics import Topics


def build(parts: Parts) -> Sns:
    """The instance that every operation gets."""
    return Sns(
        database=parts.database,
        topics=Topics(parts.database),
        signer=Signer(parts.database, parts.host_clock),
        local=LocalOutbox(parts.database),
        measures=Measures(parts.metrics, parts.platform_clock),
        outbox=parts.outbox,
        causality=parts.causality,
        internal=parts.internal,
        clock=parts.platform_clock,
        ids=parts.ids,
        ca_bundle=parts.config.data_dir / "ca" / "bundle.pem",
        connect_as_sandbox=as_a_sandbox(parts.config.forward_ports),
    )


def _targets(sns: Sns) -> Mapping[str, Any]:
    return {KIND: TopicTarget(sns), DEAD_LETTERS: DeadLetterTarget(), HTTP: HttpTarget(sns, sns.ca_bundle),
            PUSH_FEEDBACK: PushFeedback(sns)}  # fmt: skip


def _hears(sns: Sns, delivery: Delivery, outcome: Outcome) -> None:
    sns.measures.ended(delivery, outcome)


async def _finishes(sns: Sns, delivery: Delivery) -> Delivery:
    return await sns.signer.finished(delivery)


def _reset(sns: Sns) -> None:
    sns.topics.forget()
    sns.signer.forget()


MANIFEST = Manifest(
    name="sns",
    build=build,
    operations=operations_of(devices, permissions, publishing, sandbox_numbers, subscriptions, text_messages, topics),
    access=access,
    policy_of=policy_of,
    tags_of=tags_of,
    effective=EFFECTIVE,
    stored=STORED,
    refused=REFUSED,
    site=site.serve,
    targets=_targets,
    hears=_hears,
    finishes=_finishes,
    reset=_reset,
    differences=(
        "Mail, SMS and mobile push go to the local outbox (`undercast outbox`); nothing leaves the machine.",
        "The protocol firehose, SubscriptionRoleArn, ArchivePolicy and ReplayPolicy are refused by name.",
        "No push service is asked: a device's token is valid until POST /_undercast/outbox/unregister names its "
        'endpoint ({"endpoint_arn": ...}), which stands for an app that was uninstalled. The next message disables the '
        "endpoint, with EndpointUpdated and, of a message published to it directly, DeliveryFailure.",
        "The attributes ...FeedbackRoleArn and ...SampleRate of topics and platform applications are kept and shown; "
        "the status of deliveries is not logged. Messages are not encrypted on disk; KMS is asked in the publisher's "
        "name at each publish about the topic's KmsMasterKeyId. "
        "TracingConfig "
        "is kept and shown; trace headers are passed on either way.",
        "Certificates of signatures are self-signed by this platform. SigningCertURL, SubscribeURL and UnsubscribeURL "
        "begin with the address under which Subscribe reached the platform; SigningCertUrl in events of functions with "
        "SNS's own host name, which leads to the platform inside sandboxes.",
        "Changes of attributes and filter policies hold at once; AWS takes up to 15 minutes.",
        "Retries are not jittered. AWS shows the four backoff functions as curves only; the formulas are in "
        "services/sns/retry.py.",
        "Accounts are never in the SMS sandbox: any number gets messages, verified or not.",
        "A message's own attributes AWS.SNS.SMS.* and AWS.SNS.MOBILE.* are passed on to the outbox; unlike those of "
        "SetSMSAttributes their values are not checked.",
        "Of HTTP authentication, Basic is answered; Digest is not.",
        "Quotas of topics, subscriptions, filter policies, request rates and the spend limit of SMS are not enforced.",
        "Of the metrics, CloudWatch is told NumberOfMessagesPublished, PublishSize, NumberOfNotificationsDelivered, "
        "-Failed, -FilteredOut, -RedrivenToDlq and -FailedToRedriveToDlq; a function's notification is delivered when "
        "its invocation has ended. SMSSuccessRate and SMSMonthToDateSpentUSD are not told.",
        "Numbers opt out of SMS by POST /_undercast/outbox/stop, which stands for the reply STOP.",
    ),
)
