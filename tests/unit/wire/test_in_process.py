"""Parameters of calls between services are held to the models.

AWS: as in tests/unit/wire/test_validate.py.
"""

from typing import Any

import pytest

from undercast.core.errors import ServiceError
from undercast.wire.in_process import check


@pytest.mark.parametrize(
    ("service", "operation", "params", "code"),
    [("kinesis", "PutRecord", {"Data": b"x", "PartitionKey": ""}, "ValidationException"),
     ("logs", "CreateLogStream", {"logGroupName": "g", "logStreamName": ""}, "InvalidParameterException"),
     ("sqs", "SendMessage", {"QueueUrl": "u"}, "ValidationError"),
     ("s3", "PutObject", {"Bucket": "b"}, "InvalidArgument")],
)  # fmt: skip
def test_each_service_has_its_own_error(service: str, operation: str, params: dict[str, Any], code: str) -> None:
    """The one that a request in the service's protocol would get."""
    with pytest.raises(ServiceError) as raised:
        check(service, operation, params)
    assert raised.value.code == code


def test_what_the_model_allows_passes() -> None:
    """Also an operation that constrains nothing."""
    check("kinesis", "PutRecord", {"Data": b"x", "PartitionKey": "k", "StreamName": "s"})
    check("lambda", "GetAccountSettings", {})
