"""Text that somebody else wrote is parsed by `json_values`, whose one error is ValueError.

`json.loads` under `except ValueError` lets the RecursionError of what is nested deeply pass.
"""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "undercast"
OWNERS = {
    "core/json_text.py": "it is the other parser, and catches both",
    "core/json_values.py": "it is the parser",
    "cli/client.py": "what the platform itself answered; it stands outside of the server",
    "sandbox/client/bootstrap.py": "in a sandbox: it imports nothing of the platform",
    "sandbox/launcher/rehearsal.py": "a file of the platform's own, read before a sandbox begins",
}
_NOT_JSON = {"ValueError", "JSONDecodeError"}
_PARSERS = {"json.loads", "json.load"}


def _names(node: ast.expr | None) -> set[str]:
    found = node.elts if isinstance(node, ast.Tuple) else [node] if node is not None else []
    return {ast.unparse(one).rpartition(".")[2] for one in found}


def _guarded(node: ast.AST) -> list[ast.stmt]:
    """The statements for which this one catches what is no JSON."""
    if isinstance(node, ast.Try | ast.TryStar):
        return node.body if any(_names(one.type) & _NOT_JSON for one in node.handlers) else []
    if isinstance(node, ast.With | ast.AsyncWith):
        for item in node.items:
            call = item.context_expr
            if not isinstance(call, ast.Call) or not ast.unparse(call.func).endswith("suppress"):
                continue
            if any(_names(one) & _NOT_JSON for one in call.args):
                return node.body
    return []


def parses(source: str) -> list[int]:
    """Lines with `json.loads` whose ValueError is caught."""
    calls = (
        call
        for node in ast.walk(ast.parse(source))
        for statement in _guarded(node)
        for call in ast.walk(statement)
        if isinstance(call, ast.Call) and ast.unparse(call.func) in _PARSERS
    )
    return sorted({call.lineno for call in calls})


def test_text_of_others_is_parsed_where_depth_is_no_other_error() -> None:
    """A payload, a parameter, a packet: nested too deeply is one more way not to be JSON."""
    texts = {str(path.relative_to(SOURCE)): path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py")}
    found = {path: parses(text) for path, text in texts.items() if "json.load" in text}
    assert {path: lines for path, lines in found.items() if lines and path not in OWNERS} == {}
    assert {path for path, lines in found.items() if lines} >= OWNERS.keys() - {"core/json_values.py"}


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("try:\n    a = json.loads(b)\nexcept ValueError:\n    a = None", [2]),
        ("try:\n    a = f(json.loads(b))\nexcept (KeyError, json.JSONDecodeError):\n    a = None", [2]),
        ("with suppress(ValueError):\n    a = json.loads(b)", [2]),
        ("try:\n    a = json.loads(b)\nexcept KeyError:\n    a = None", []),
        ("try:\n    a = json_values.parse(b)\nexcept ValueError:\n    a = None", []),
        ("a = json.loads(b)", []),
    ],
)
def test_the_rule_finds_what_it_forbids(source: str, lines: list[int]) -> None:
    """The rule itself is tried."""
    assert lines == parses(source)
