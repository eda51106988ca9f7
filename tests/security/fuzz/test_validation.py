"""Each constraint of each operation served, broken by one request: AWS's refusal, never a failure, never a success.

Generated from botocore's models; sent to a real platform. AWS: "Common errors" (ValidationError, ValidationException).
"""

import http.client
import json
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.conformance.botocore_side import model_of, request_of
from tests.platform import RunningPlatform
from tests.security.fuzz.corpus import MOUNTED
from tests.security.fuzz.violations import NAMES, Violation, violations
from undercast.services import registry
from undercast.wire.decode import decode
from undercast.wire.model import catalogue

CODES = {
    "iam": ("ValidationError", "InvalidInput", "MalformedPolicyDocument"),
    "sts": ("ValidationError", "MalformedPolicyDocument"),
    "sns": ("InvalidParameter", "ParameterValueInvalid", "ValidationException"),
    "logs": ("InvalidParameterException", "ValidationException"),
    "lambda": ("ValidationException", "InvalidParameterValueException", "InvalidRequestContentException"),
}
COMMON = ("ValidationException", "ValidationError", "InvalidParameterException", "InvalidParameterValue")
"""How each service says it, the others by one of COMMON; S3 has a code of its own for nearly everything."""
TEXT = re.compile(r"\d+ validation errors? detected: Value .* at '.*' failed to satisfy constraint: ", re.DOTALL)
IGNORED = frozenset(
    {
        *("s3 RequestPayer", "s3 OptionalObjectAttributes", "lambda Runtime", "sqs AttributeNames", "sqs Attributes"),
        *("sqs MessageSystemAttributeNames", "sqs MessageSystemAttributes", "sqs Entries"),
    }
)
"""Headers of S3 that ask for what no bucket here has (requester pays, restores); their values are not looked at. An
unknown runtime is Lambda's own error, which comes behind the look-up of the function; so are unknown attributes SQS's,
behind that of the queue."""
SERVED = {manifest.name: sorted(manifest.operations) for manifest in registry.discover()}


class Asker:
    """A keep-alive connection."""

    def __init__(self, platform: RunningPlatform, account: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(platform.url).netloc, timeout=60)
        self._account = account

    def ask(self, service: str, operation: str, protocol: str, violation: Violation) -> tuple[int, str] | None:
        """Status and body of the answer; None when the request now means another operation, as without UploadId."""
        sent = request_of(model_of(service, protocol).operation_model(operation), protocol, violation.params)
        if decode(sent).operation not in ("", operation):
            return None
        headers = {name: value.replace("AKIAEXAMPLE", self._account) for name, value in sent.headers.items()}
        self._connection.request(sent.method, sent.target, sent.body.buffered or b"", headers)
        answer = self._connection.getresponse()
        code = answer.headers.get("x-amzn-errortype", "")
        return answer.status, f"{code} {answer.read().decode(errors='replace')}"

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


@pytest.fixture
def asker(platform: RunningPlatform, account: str) -> Iterator[Asker]:
    """Asks as an account of this test's own, which has the bucket that the requests name."""
    location = {"LocationConstraint": "eu-west-1"}
    s3 = platform.client("s3", account=account, region="eu-west-1")
    s3.create_bucket(Bucket=NAMES["Bucket"], CreateBucketConfiguration=location)
    asker = Asker(platform, account)
    yield asker
    asker.close()
    s3.delete_bucket(Bucket=NAMES["Bucket"])  # nothing got into it
    s3.close()


def problem(service: str, status: int, answer: str) -> str | None:
    """What is wrong with a refusal."""
    if not 400 <= status < 500 and "NotImplemented" not in answer:
        return f"status {status}"
    if service == "s3" or status == 501:
        return None
    if not any(code in answer for code in CODES.get(service, COMMON)):
        return "another code"
    own = "ValidationError" in answer or "ValidationException" in answer
    return "another text" if own and not TEXT.search(json.dumps(answer)) else None


@pytest.mark.parametrize("service", MOUNTED)
def test_each_broken_constraint_is_refused(asker: Asker, service: str) -> None:
    """AWS checks requests against their models before anything else looks at them."""
    wrong, count = [], 0
    for protocol in catalogue().entries[service].protocols:
        for name in SERVED[service]:
            for violation in violations(model_of(service, protocol).operation_model(name), protocol):
                if f"{service} {violation.path.partition('.')[0]}" in IGNORED:
                    continue
                if (found := asker.ask(service, name, protocol, violation)) is None:
                    continue
                count += 1
                if wrongness := problem(service, *found):
                    wrong.append(f"{name} {violation.path} {violation.constraint}: {wrongness}: {found[1][:300]}")
    print(f"{service}: {count} violations of {len(SERVED[service])} operations")
    assert count > len(SERVED[service]) // 4
    assert not wrong, "\n".join(wrong[:40])
