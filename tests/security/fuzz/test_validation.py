"""Each constraint of each operation served, broken by one request: AWS's refusal, never a failure, never a success.

Generated from botocore's models; sent to a real platform. AWS: "Common errors" (ValidationError, ValidationException).
"""

import hashlib
import http.client
import json
import re
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.conformance.botocore_side import model_of, request_of
from tests.platform import RunningPlatform
from tests.security.fuzz.corpus import MOUNTED
from tests.security.fuzz.violations import NAMES, Violation, violations
from undercast.core.errors import ServiceError
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
"""How each service says it, the others by one of COMMON."""
S3_CODES = {
    ("body", "required"): ("MissingRequestBodyError", "MalformedXML"),
    ("body", "enum"): ("MalformedXML", "MalformedACLError", "InvalidArgument", "InvalidRequest"),
    ("body", "at least"): ("MalformedXML", "InvalidArgument", "InvalidTag"),
    ("header", "enum"): ("InvalidArgument", "InvalidRequest"),
    ("header", "pattern"): ("InvalidArgument",),
    ("querystring", "enum"): ("InvalidArgument",),
    ("querystring", "required"): ("InvalidArgument",),
    ("querystring", "minimum"): ("InvalidArgument",),
    ("querystring", "maximum"): ("InvalidArgument",),
}
"""(where the member travels, what is broken) -> S3's codes for it, each with status 400. AWS: "List of error codes"."""
S3_OWN = {
    "StorageClass": ("InvalidStorageClass",),
    "CreateBucketConfiguration": ("IllegalLocationConstraintException", "InvalidLocationConstraint"),
    "VersioningConfiguration": ("IllegalVersioningConfigurationException",),
    "ACL": ("InvalidArgument", "IllegalLocationConstraintException"),  # CreateBucket's region comes first
    "ObjectOwnership": ("InvalidArgument", "IllegalLocationConstraintException"),
    "ChecksumType": ("InvalidRequest", "MalformedXML"),
    "TransitionDefaultMinimumObjectSize": ("MalformedXML", "InvalidRequest"),
}
"""Top-level members for which S3 has codes of their own."""
TEXT = re.compile(r"\d+ validation errors? detected: Value .* at '.*' failed to satisfy constraint: ", re.DOTALL)
IGNORED = frozenset(
    {
        *("s3 RequestPayer", "s3 OptionalObjectAttributes", "lambda Runtime", "sqs AttributeNames", "sqs Entries"),
        *("sqs Attributes", "sqs MessageSystemAttributeNames", "sqs MessageSystemAttributes"),
    }
)
"""Headers of S3 that ask for what no bucket here has (requester pays, restores). An unknown runtime is Lambda's own
error, which comes behind the look-up of the function; so are unknown attributes SQS's, behind that of the queue."""
KEYS = (NAMES["Key"], NAMES["CopySource"].rpartition("/")[2])
"""The objects that the requests name."""
SERVED = {manifest.name: sorted(manifest.operations) for manifest in registry.discover()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was broken, and where it travels: body, header, querystring or uri."""

    operation: str
    violation: Violation
    where: str


class Asker:
    """A keep-alive connection."""

    def __init__(self, platform: RunningPlatform, account: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(platform.url).netloc, timeout=60)
        self._account = account

    def ask(self, service: str, operation: str, protocol: str, violation: Violation) -> tuple[int, str] | None:
        """Status and body of the answer; None when the request now means another operation, as without UploadId."""
        sent = request_of(model_of(service, protocol).operation_model(operation), protocol, violation.params)
        try:
            if decode(sent).operation not in ("", operation):
                return None
        except ServiceError:
            pass  # refused for its head alone: the platform's answer is looked at
        headers = {name: value.replace("AKIAEXAMPLE", self._account) for name, value in sent.headers.items()}
        body = sent.body.buffered or b""
        if service == "s3":
            headers.setdefault("content-md5", b64encode(hashlib.md5(body).digest()).decode())
        self._connection.request(sent.method, sent.target, body, headers)
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
    bucket = {"Bucket": NAMES["Bucket"]}
    s3.create_bucket(**bucket, CreateBucketConfiguration=location, ObjectOwnership="ObjectWriter")
    for key in KEYS:
        s3.put_object(**bucket, Key=key, Body=b"kept")
    asker = Asker(platform, account)
    yield asker
    asker.close()
    for key in KEYS:
        assert s3.get_object(**bucket, Key=key)["Body"].read() == b"kept"
        s3.delete_object(**bucket, Key=key)
    s3.delete_bucket(**bucket)  # nothing else got into it
    s3.close()


REFUSED = re.compile(r"the parameter ([\w.]+)(?:=\S*)? of (\w+)")


def s3_problem(asked: Asked, status: int, answer: str) -> str | None:
    """Code and status fit the place and the constraint."""
    if status != 400:
        return f"status {status}"
    if asked.operation.startswith("Head"):
        return None  # without a body to say more in
    found = re.search(r"<Code>(\w+)</Code>", answer)
    top = asked.violation.path.partition(".")[0]
    place = (asked.where, asked.violation.constraint)
    allowed = (*S3_OWN.get(top, ()), *(S3_CODES.get(place, ()) if top not in S3_OWN or asked.where == "body" else ()))
    return None if found is not None and found[1] in allowed else f"another code for {place}"


def problem(service: str, asked: Asked, status: int, answer: str) -> str | None:
    """What is wrong with a refusal."""
    if status == 501:
        named = REFUSED.search(answer)
        found = named is not None and set(named[1].split(".")) & set(asked.violation.path.split("."))
        return None if found else "a refusal of something else"
    if service == "s3":
        return s3_problem(asked, status, answer)
    if not 400 <= status < 500:
        return f"status {status}"
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
                model: Any = model_of(service, protocol).operation_model(name).input_shape
                top = model.members[violation.path.partition(".")[0]]
                where = top.serialization.get("location", "body")
                asked = Asked(operation=name, violation=violation, where=where)
                if wrongness := problem(service, asked, *found):
                    wrong.append(f"{name} {violation.path} {violation.constraint}: {wrongness}: {found[1][:300]}")
    print(f"{service}: {count} violations of {len(SERVED[service])} operations")
    assert count > len(SERVED[service]) // 4
    assert not wrong, "\n".join(wrong[:40])
