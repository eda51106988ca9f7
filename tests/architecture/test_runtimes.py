"""Lambda accepts what the sandbox knows, and both know what AWS's models know."""

from botocore.session import get_session

from undercast.sandbox.runtimes.table import RUNTIMES
from undercast.services.lambda_.runtimes import KNOWN


def test_every_identifier_that_lambda_accepts_is_in_the_table_of_runtimes() -> None:
    """A function that can be created is never of an unknown runtime."""
    assert set(RUNTIMES) == set(KNOWN)


def test_every_identifier_of_awss_model_is_known() -> None:
    """The model's enumeration; `custom` is the placeholder of a service that is not Lambda's API for zip functions."""
    named = get_session().get_service_model("lambda").shape_for("Runtime").enum  # type: ignore[attr-defined]
    assert set(named) - {"custom"} <= set(RUNTIMES)
