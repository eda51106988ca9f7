"""Every input member of every operation that SNS serves, in one of three classes (I9)."""

from collections.abc import Mapping

_TOPIC = frozenset({"TopicArn"})
_PAGE = frozenset({"NextToken"})
_SUBSCRIPTION = frozenset({"SubscriptionArn"})
_APPLICATION = frozenset({"PlatformApplicationArn"})
_ENDPOINT = frozenset({"EndpointArn"})
_NUMBER = frozenset({"phoneNumber"})

EFFECTIVE: Mapping[str, frozenset[str]] = {
    "AddPermission": _TOPIC | {"Label", "AWSAccountId", "ActionName"},
    "RemovePermission": _TOPIC | {"Label"},
    "CreateTopic": frozenset({"Name", "Attributes", "Tags"}),
    "DeleteTopic": _TOPIC,
    "ListTopics": _PAGE,
    "GetTopicAttributes": _TOPIC,
    "SetTopicAttributes": _TOPIC | {"AttributeName", "AttributeValue"},
    "TagResource": frozenset({"ResourceArn", "Tags"}),
    "UntagResource": frozenset({"ResourceArn", "TagKeys"}),
    "ListTagsForResource": frozenset({"ResourceArn"}),
    "Subscribe": _TOPIC | {"Protocol", "Endpoint", "Attributes", "ReturnSubscriptionArn"},
    "ConfirmSubscription": _TOPIC | {"Token", "AuthenticateOnUnsubscribe"},
    "Unsubscribe": _SUBSCRIPTION,
    "ListSubscriptions": _PAGE,
    "ListSubscriptionsByTopic": _TOPIC | _PAGE,
    "GetSubscriptionAttributes": _SUBSCRIPTION,
    "SetSubscriptionAttributes": _SUBSCRIPTION | {"AttributeName", "AttributeValue"},
    "Publish": _TOPIC | {
        "TargetArn", "PhoneNumber", "Message", "Subject", "MessageStructure", "MessageAttributes",
        "MessageDeduplicationId", "MessageGroupId",
    },
    "PublishBatch": _TOPIC | {"PublishBatchRequestEntries"},
    "CreatePlatformApplication": frozenset({"Name", "Platform", "Attributes"}),
    "DeletePlatformApplication": _APPLICATION,
    "GetPlatformApplicationAttributes": _APPLICATION,
    "SetPlatformApplicationAttributes": _APPLICATION | {"Attributes"},
    "ListPlatformApplications": _PAGE,
    "CreatePlatformEndpoint": _APPLICATION | {"Token", "CustomUserData", "Attributes"},
    "DeleteEndpoint": _ENDPOINT,
    "GetEndpointAttributes": _ENDPOINT,
    "SetEndpointAttributes": _ENDPOINT | {"Attributes"},
    "ListEndpointsByPlatformApplication": _APPLICATION | _PAGE,
    "CheckIfPhoneNumberIsOptedOut": _NUMBER,
    "ListPhoneNumbersOptedOut": frozenset({"nextToken"}),
    "OptInPhoneNumber": _NUMBER,
    "GetSMSSandboxAccountStatus": frozenset(),
    "CreateSMSSandboxPhoneNumber": frozenset({"PhoneNumber"}),
    "VerifySMSSandboxPhoneNumber": frozenset({"PhoneNumber", "OneTimePassword"}),
    "DeleteSMSSandboxPhoneNumber": frozenset({"PhoneNumber"}),
    "ListSMSSandboxPhoneNumbers": _PAGE | {"MaxResults"},
    "SetSMSAttributes": frozenset({"attributes"}),
    "GetSMSAttributes": frozenset({"attributes"}),
}  # fmt: skip

STORED: Mapping[str, Mapping[str, str]] = {
    "CreateSMSSandboxPhoneNumber": {"LanguageCode": "the text that carries the password is English in all languages"},
}

REFUSED: Mapping[str, Mapping[str, str]] = {
    "CreateTopic": {
        "DataProtectionPolicy": "messages are not scanned for sensitive data; AWS offers that to no new customers "
        "since 30 April 2026"
    },
}
