"""Go's SDK v1, its last version and one of 2019, on every operation and exception that it has.

AWS: github.com/aws/aws-sdk-go, private/protocol. It refuses what botocore lets pass (root elements, times, numbers).
"""

import pytest

from tests.conformance.botocore_side import SERVICES
from tests.conformance.sdks.cases import cases_of
from tests.conformance.sdks.compare import assert_all_well
from tests.conformance.sdks.conversation import converse
from tests.conformance.sdks.programs import go

YOUNGER = frozenset({"pipes", "scheduler"})
"""Services of 2022: the SDK of 2019 does not have them (go/younger.go)."""
KNOWN = [(version, one) for one in SERVICES for version in ("current", "old") if version != "old" or one not in YOUNGER]


@pytest.mark.parametrize(("version", "service"), KNOWN)
async def test_go_reads_every_answer_and_is_read(version: str, service: str) -> None:
    """Requests arrive signed and whole; results and errors have every member that this version of the SDK knows."""
    assert_all_well(f"go {version}", [service], await converse(go(version), cases_of(service)))


async def test_a_go_program_of_2019_speaks_to_sqs_in_the_query_protocol() -> None:
    """SQS took JSON in 2023; programs from before are answered in XML."""
    exchanges = await converse(go("old"), cases_of("sqs"))
    assert {exchange.heard.protocol for exchange in exchanges if exchange.heard} == {"query"}
