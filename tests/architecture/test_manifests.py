"""The manifests say the truth about every operation and every input member (I9)."""

import botocore.session
import pytest

from undercast.core.service import Manifest
from undercast.services import catalogue
from undercast.services.registry import discover, problems

SESSION = botocore.session.get_session()


def members_of(service: str, operation: str) -> frozenset[str] | None:
    model = SESSION.get_service_model(service)
    if operation not in model.operation_names:
        return None
    shape = model.operation_model(operation).input_shape
    return frozenset(shape.members) if shape else frozenset()


@pytest.mark.parametrize("manifest", tuple(discover()), ids=lambda manifest: manifest.name)
def test_every_member_of_every_operation_is_classed_once(manifest: Manifest) -> None:
    """Effective, stored or refused: a parameter is never accepted and ignored."""
    assert problems(manifest, members_of) == []


def test_services_of_the_foundation_are_found() -> None:
    """Discovery needs no central list; these five are the foundation's."""
    assert {"s3", "iam", "sts", "logs", "lambda"} <= {manifest.name for manifest in discover()}


def test_every_service_is_known_with_its_tables_before_it_is_loaded() -> None:
    """A start applies migrations from each folder's schema.py and names services by their folders."""
    assert sorted(catalogue.names()) == sorted(manifest.name for manifest in discover())
    schemas = catalogue.schemas()
    assert [name for name in catalogue.names() if not (schemas.state[name] or schemas.journal[name])] == []
