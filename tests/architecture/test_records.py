"""Frozen data is a record: the methods of a frozen dataclass are a third of a start's CPU (ADR 67)."""

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src" / "undercast"
EXCEPTIONS = {
    ("services/logs/models.py", "Position"): "it is ordered, and a record is not",
    ("services/xray/assembly.py", "Trace"): "it has cached properties, and a record has no place for them",
}


def frozen(tree: ast.Module) -> set[str]:
    """The classes that are frozen dataclasses, however the decorator is imported."""
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call)
        and ast.unparse(decorator.func).endswith("dataclass")
        and any(keyword.arg == "frozen" for keyword in decorator.keywords)
    }


def test_a_frozen_dataclass_is_found() -> None:
    """By name or by module, and no other class."""
    source = """
@dataclass(frozen=True, slots=True)
class One: ...
@dataclasses.dataclass(frozen=True)
class Two: ...
@dataclass(slots=True)
class Changes: ...
@record
class Written: ...
"""
    assert frozen(ast.parse(source)) == {"One", "Two"}


def test_frozen_data_is_a_record() -> None:
    """An exception that is none any more goes from the list."""
    found = {
        (str(path.relative_to(SOURCE)), name)
        for path in SOURCE.rglob("*.py")
        for name in frozen(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == EXCEPTIONS.keys()
