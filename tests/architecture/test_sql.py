"""SQL stays in what SQLite and PostgreSQL share."""

import ast
import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"
_OWN = re.compile(r"(?:^|;)\s*(INSERT\s+OR\s+\w+|REPLACE\s+INTO|UPDATE\s+OR\s+\w+)\b", re.MULTILINE)


def own(text: str) -> list[str]:
    """What in these texts of a program only SQLite understands."""
    texts = (node.value for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
    found = (_OWN.search(one) for one in texts if isinstance(one, str))
    return [match[1] for match in found if match is not None]


def test_conflicts_are_said_as_both_databases_understand_them() -> None:
    """ON CONFLICT (store/statements.py), not INSERT OR REPLACE. See "State" in the plan."""
    found = {str(path.relative_to(SOURCE)): own(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")}
    assert len(found) > 100
    assert {path: texts for path, texts in found.items() if texts} == {}


def test_what_only_sqlite_understands_is_found() -> None:
    """In plain and in formatted text; not in a docstring that speaks of it."""
    program = '"""Not INSERT OR REPLACE."""\na = "INSERT OR REPLACE INTO a VALUES (?)", f"REPLACE INTO {b}"\n'
    assert sorted(own(program)) == ["INSERT OR REPLACE", "REPLACE INTO"]
