"""`except Exception` stands only where a failure that nobody foresaw has an owner (ADR 0023)."""

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"
OWNERS = {
    "undercast/gateway/dispatch.py": "an unknown failure of an operation becomes a 500",
    "undercast/http/server.py": "an unknown failure of a handler or a body ends that request alone",
    "undercast/http/http2.py": "the same, of a stream of HTTP/2",
    "undercast/events/router.py": "a failing target is retried, whatever it raised",
    "undercast/events/settlement.py": "a delivery whose outcome cannot be written is delivered again",
    "undercast/events/opening.py": "a store that fails now is asked again",
    "undercast/events/poller.py": "a source that cannot be read is read on, a batch that fails is the source's again",
    "undercast/events/alarm.py": "a schedule that fails keeps no other one, and no later round, from its time",
    "undercast/store/database.py": "a callback behind a commit fails by itself: the commit stands, the others run",
    "undercast/core/recurring.py": "one failing round of periodic work is not the last one",
    "undercast/sandbox/client/undercast_runtime_client.py": "in a sandbox: the user's handler may raise anything",
}


def broad(path: Path) -> list[int]:
    """Lines that catch everything and keep it: one that cleans up and raises again is none."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler) and not isinstance(node.body[-1], ast.Raise):
            names = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if any(name is None or (isinstance(name, ast.Name) and name.id in _EVERYTHING) for name in names):
                found.append(node.lineno)
    return found


_EVERYTHING = {"Exception", "BaseException"}


def test_only_owners_catch_everything() -> None:
    """Elsewhere an error that is not expected must reach its owner."""
    found = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py") if broad(path)}
    strangers = {path for path in found - OWNERS.keys() if not path.startswith("undercast/cli/")}
    assert strangers == set()
    assert found >= OWNERS.keys(), "an owner that catches nothing any more goes from the list"
