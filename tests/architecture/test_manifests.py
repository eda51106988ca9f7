"""The manifests say the truth about every operation and every input member (I9)."""

import ast
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from undercast.core.service import Manifest
from undercast.services import catalogue
from undercast.services.registry import discover, problems

SESSION = botocore.session.get_session()
SAID = ("members", "effective", "service")
"""Modules of a service that only say which members there are."""
NOT_BY_NAME = {
    "s3": {
        r"Checksum(CRC32|CRC32C|CRC64NVME|SHA1|SHA256)": "checksums.py makes the name from the algorithm's",
        r"CopySource(If(None)?Match|If(Unm|M)odifiedSince)": "conditions.py puts CopySource before a read's names",
    },
    "iam": {r"(New)?(User|Group)Name": "kinds.py makes the name from the kind of entity"},
    "kinesis": {"ScalingType": "its enum has one value, and the model's check takes no other"},
}
"""Service -> effective members that the code of an operation does not name -> how they come to act."""


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


def test_a_service_that_answers_itself_says_where() -> None:
    """The gateway has to know before the service is loaded."""
    assert {manifest.name for manifest in discover() if manifest.site is not None} == set(catalogue.addresses())


def test_every_service_is_known_with_its_tables_before_it_is_loaded() -> None:
    """A start applies migrations from each folder's schema.py and names services by their folders."""
    assert sorted(catalogue.names()) == sorted(manifest.name for manifest in discover())
    schemas = catalogue.schemas()
    assert [name for name in catalogue.names() if not (schemas.state[name] or schemas.journal[name])] == []


@cache
def module(name: str) -> tuple[frozenset[str], frozenset[str]] | None:
    """The texts, keywords and attributes of its code, and what it imports; None for what is none, or only says."""
    if name.rpartition(".")[2] in SAID:
        return None
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:  # a name in a module
        return None
    if spec is None or spec.origin is None:
        return None
    named, imported = set[str](), set[str]()
    for node in ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            named.add(node.value)
        elif isinstance(node, ast.keyword | ast.Attribute):
            named.add(str(node.arg if isinstance(node, ast.keyword) else node.attr))
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}
    return frozenset(named), frozenset(imported)


def named_for(manifest: Manifest, operation: str) -> frozenset[str]:
    """What the code names that an operation may come to.

    That is its own module, those of what is around it, that of the service's access, and what these import of the
    service.
    """
    function: Any = manifest.operations[operation]
    todo = {manifest.access.__module__} if manifest.access is not None else set()
    while function is not None:
        todo.add(function.__globals__["__name__"])
        function = getattr(function, "__wrapped__", None)
    folder = next(one for one in catalogue.folders() if one.rpartition(".")[2].rstrip("_") == manifest.name)
    named, seen = set[str](), set[str]()
    while todo:
        name = todo.pop()
        seen.add(name)
        if (found := module(name)) is not None:
            named |= found[0]
            todo |= {one for one in found[1] if one.startswith(f"{folder}.")} - seen
    return frozenset(named)


@pytest.mark.parametrize("manifest", tuple(discover()), ids=lambda manifest: manifest.name)
def test_every_effective_member_is_named_in_the_code_of_its_operation(manifest: Manifest) -> None:
    """The table alone has no effect. What NOT_BY_NAME excepts must need it."""
    unnamed = {operation: members - named_for(manifest, operation) for operation, members in manifest.effective.items()}
    excepted = NOT_BY_NAME.get(manifest.name, {})
    found = [(operation, member) for operation, members in sorted(unnamed.items()) for member in sorted(members)]
    assert [one for one in found if not any(re.fullmatch(pattern, one[1]) for pattern in excepted)] == []
    assert [one for one in excepted if not any(re.fullmatch(one, member) for _, member in found)] == []
