"""The AWS SDK for Java 2 on every operation and exception that it has.

A sample of each protocol always, the rest with the slow tests: a Java machine starts slowly.
AWS: software.amazon.awssdk; it speaks CBOR to Kinesis.
"""

import pytest

from tests.conformance.botocore_side import SERVICES
from tests.conformance.sdks.cases import cases_of
from tests.conformance.sdks.compare import assert_all_well
from tests.conformance.sdks.conversation import converse
from tests.conformance.sdks.programs import java

NOT_CALLED = frozenset({"WriteGetObjectResponse"})
"""Java insists on a host of its own for it."""
SAMPLE = ("sts", "dynamodb", "logs", "kinesis", "lambda", "s3")


async def test_java_reads_a_result_and_an_error_of_each_protocol() -> None:
    """A sample of each: query, json 1.0 and 1.1, CBOR, rest-json, rest-xml."""
    cases = []
    for service in SAMPLE:
        every = [case for case in cases_of(service) if case.operation not in NOT_CALLED]
        cases += [case for case in every if case.error is None][:12]
        cases += [case for case in every if case.error is not None][:6]
    assert_all_well("java sample", SAMPLE, await converse(java(), cases))


@pytest.mark.slow
@pytest.mark.parametrize("service", SERVICES)
async def test_java_reads_every_answer_and_is_read(service: str) -> None:
    """Requests arrive signed and whole; results and errors have every member that this version of the SDK knows."""
    cases = [case for case in cases_of(service) if case.operation not in NOT_CALLED]
    assert_all_well("java", [service], await converse(java(), cases))
