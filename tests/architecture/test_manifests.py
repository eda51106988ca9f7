"""The manifests say the truth about every operation and every input member (I9)."""

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import botocore.session
import pytest

from undercast.core.service import Manifest
from undercast.services import catalogue
from undercast.services.registry import discover, problems

SESSION = botocore.session.get_session()
SAID = ("members.py", "service.py")
"""Files of a service that only say which members there are."""
NOT_BY_NAME = {
    "s3": {
        r"Checksum(CRC32|CRC32C|CRC64NVME|SHA1|SHA256)": "checksums.py makes the name from the algorithm's",
        r"CopySource(If(None)?Match|If(Unm|M)odifiedSince)": "conditions.py puts CopySource before a read's names",
    },
    "kinesis": {"ScalingType": "its enum has one value, and the model's check takes no other"},
}
"""Service -> effective members that its code does not name -> how they come to act."""


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


def named_in_code(service: str) -> frozenset[str]:
    """The texts, keywords and attributes of a service's code."""
    found: set[str] = set()
    folder = next(folder for folder in catalogue.folders() if folder.rpartition(".")[2].rstrip("_") == service)
    spec = find_spec(folder)
    assert spec is not None and spec.submodule_search_locations is not None
    for path in Path(spec.submodule_search_locations[0]).rglob("*.py"):
        for node in () if path.name in SAID else ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
            elif isinstance(node, ast.keyword | ast.Attribute):
                found.add(str(node.arg if isinstance(node, ast.keyword) else node.attr))
    return frozenset(found)


@pytest.mark.parametrize("manifest", tuple(discover()), ids=lambda manifest: manifest.name)
def test_every_effective_member_is_named_in_the_code_of_its_service(manifest: Manifest) -> None:
    """The table alone has no effect. What NOT_BY_NAME excepts must need it."""
    named = named_in_code(manifest.name)
    unnamed = {member for members in manifest.effective.values() for member in members if member not in named}
    excepted = NOT_BY_NAME.get(manifest.name, {})
    assert [member for member in sorted(unnamed) if not any(re.fullmatch(one, member) for one in excepted)] == []
    assert [one for one in excepted if not any(re.fullmatch(one, member) for member in unnamed)] == []
