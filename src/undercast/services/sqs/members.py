"""Every input member of every operation that SQS serves, in one of three classes (I9)."""

from collections.abc import Mapping

_QUEUE = frozenset({"QueueUrl"})
_PAGE = frozenset({"NextToken", "MaxResults"})

EFFECTIVE: Mapping[str, frozenset[str]] = {
    "AddPermission": _QUEUE | {"Label", "AWSAccountIds", "Actions"},
    "RemovePermission": _QUEUE | {"Label"},
    "CreateQueue": frozenset({"QueueName", "Attributes", "tags"}),
    "DeleteQueue": _QUEUE,
    "GetQueueUrl": frozenset({"QueueName", "QueueOwnerAWSAccountId"}),
    "ListQueues": _PAGE | {"QueueNamePrefix"},
    "ListDeadLetterSourceQueues": _PAGE | _QUEUE,
    "GetQueueAttributes": _QUEUE | {"AttributeNames"},
    "SetQueueAttributes": _QUEUE | {"Attributes"},
    "PurgeQueue": _QUEUE,
    "TagQueue": _QUEUE | {"Tags"},
    "UntagQueue": _QUEUE | {"TagKeys"},
    "ListQueueTags": _QUEUE,
    "SendMessage": _QUEUE | {
        "MessageBody", "DelaySeconds", "MessageAttributes", "MessageSystemAttributes", "MessageDeduplicationId",
        "MessageGroupId",
    },
    "SendMessageBatch": _QUEUE | {"Entries"},
    "ReceiveMessage": _QUEUE | {
        "AttributeNames", "MessageSystemAttributeNames", "MessageAttributeNames", "MaxNumberOfMessages",
        "VisibilityTimeout", "WaitTimeSeconds", "ReceiveRequestAttemptId",
    },
    "DeleteMessage": _QUEUE | {"ReceiptHandle"},
    "DeleteMessageBatch": _QUEUE | {"Entries"},
    "ChangeMessageVisibility": _QUEUE | {"ReceiptHandle", "VisibilityTimeout"},
    "ChangeMessageVisibilityBatch": _QUEUE | {"Entries"},
    "StartMessageMoveTask": frozenset({"SourceArn", "DestinationArn", "MaxNumberOfMessagesPerSecond"}),
    "CancelMessageMoveTask": frozenset({"TaskHandle"}),
    "ListMessageMoveTasks": frozenset({"SourceArn", "MaxResults"}),
}  # fmt: skip
