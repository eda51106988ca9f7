"""Operations by their SDK's names, with parameters as JSON.

AWS: EventBridge Scheduler User Guide, "Using universal targets".
"""

import pytest

from undercast.core.errors import ServiceError
from undercast.wire.sdk_calls import operation_of, parameters_of


def test_operations_are_found_by_the_sdks_names() -> None:
    """Service identifiers of the SDKs, actions in camel case."""
    assert operation_of("sqs", "sendMessage") == ("sqs", "SendMessage")
    assert operation_of("eventbridge", "putEvents") == ("events", "PutEvents")
    assert operation_of("sfn", "startExecution") == ("stepfunctions", "StartExecution")
    assert operation_of("sqs", "fly") is None
    assert operation_of("nothing", "atAll") is None


def test_members_have_their_own_names_and_blobs_are_text() -> None:
    """Lambda's InvocationType is a header, its Payload the body: here they are members like others."""
    params = {"FunctionName": "f", "InvocationType": "Event", "Payload": "{}"}
    assert parameters_of("lambda", "Invoke", params) == {**params, "Payload": b"{}"}


@pytest.mark.parametrize(
    ("document", "code"),
    [([], "ValidationException"), ({"What": 1}, "ValidationException"), ({"MessageBody": "x"}, "ValidationError"),
     ({"QueueUrl": 5}, "SerializationException")],
)  # fmt: skip
def test_what_is_no_parameter_is_refused(document: object, code: str) -> None:
    """Before the operation runs: unknown, missing and wrong members."""
    with pytest.raises(ServiceError) as raised:
        parameters_of("sqs", "SendMessage", document)
    assert raised.value.code == code
