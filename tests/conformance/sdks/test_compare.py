"""A conversation that did not take place is no proof."""

import pytest

from tests.conformance.sdks.cases import cases_of
from tests.conformance.sdks.compare import assert_all_well
from tests.conformance.sdks.conversation import Exchange


def test_a_service_without_exchanges_is_not_well() -> None:
    """None at all, and none of one of the services."""
    with pytest.raises(AssertionError):
        assert_all_well("go current", ["sqs"], [])


def test_a_case_that_is_missing_is_not_well() -> None:
    """The number of a service's cases is held."""
    exchanges = [Exchange(case=case, heard=None, result={"unknown": True}) for case in cases_of("sqs")]
    with pytest.raises(AssertionError, match=rf"go current, sqs: {len(exchanges) - 1} cases"):
        assert_all_well("go current", ["sqs"], exchanges[1:])
