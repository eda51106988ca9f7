"""The AWS SDK for JavaScript v3 on every operation and exception that it has.

The services of `SAMPLE`, one of each protocol at least, always; the others with the slow tests.
AWS: @aws-sdk/client-*; its schemas refuse wrong types where botocore passes them on.
"""

import pytest

from tests.conformance.botocore_side import SERVICES
from tests.conformance.sdks.cases import cases_of
from tests.conformance.sdks.compare import assert_all_well
from tests.conformance.sdks.conversation import converse
from tests.conformance.sdks.programs import node

SAMPLE = ("cloudwatch", "dynamodb", "kinesis", "lambda", "s3", "sns", "sqs", "sts")


@pytest.mark.parametrize(
    "service", [pytest.param(name, marks=() if name in SAMPLE else pytest.mark.slow) for name in SERVICES]
)
async def test_javascript_reads_every_answer_and_is_read(service: str) -> None:
    """Requests arrive signed and whole; results and errors have every member that this version of the SDK knows."""
    assert_all_well("node", [service], await converse(node(), cases_of(service)))


@pytest.mark.parametrize("service", ["cloudwatch"])
async def test_javascript_reads_rpc_v2_cbor(service: str) -> None:
    """A service that answers in Smithy RPC v2 CBOR is read in it."""
    exchanges = await converse(node(), cases_of(service), protocol="smithy-rpc-v2-cbor")
    assert_all_well("node rpc-v2-cbor", [service], exchanges)
