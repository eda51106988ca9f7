"""What the commands print: colour where there is a terminal, plain text where there is none, JSON where asked."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn


def fail(message: str, fix: str = "") -> NoReturn:
    """Say what went wrong and what to do, and exit 1."""
    print(f"undercast: {message}", file=sys.stderr)
    if fix:
        print(f"  {fix}", file=sys.stderr)
    raise SystemExit(1)


def write_page(page: Path, text: str) -> None:
    """Write an HTML page. Exits where that is not possible."""
    try:
        page.write_text(text)
    except OSError as error:
        fail(f"{page} cannot be written: {error.strerror}", "name a file: --page FILE.html")


@contextmanager
def working(text: str) -> Iterator[None]:
    """Show that something is under way, while the block lasts: a spinner on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console  # imported here: most commands print a line and are done

    with Console(stderr=True).status(text):
        yield


def printable(text: str) -> str:
    """The text with line breaks, control and direction characters spelled out, as "\\n" or "\\x1b"."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def styled(text: str, style: str) -> str:
    """The text in an ANSI style ("32" green, "31" red, "2" dim) when standard output is a terminal."""
    return f"\x1b[{style}m{text}\x1b[0m" if sys.stdout.isatty() else text


def show(answer: Mapping[str, Any], as_json: bool) -> None:
    """A flat or nested answer as aligned lines, or as JSON."""
    if as_json:
        print(json.dumps(answer, indent=2, default=str))
        return
    for line in _lines(answer, ""):
        print(line)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
    """Rows under a head: a table on a terminal, aligned columns elsewhere; `empty` where there is no row."""
    if not rows:
        print(empty)
        return
    cells = [tuple(printable(cell) for cell in row) for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        drawn = Table(*head)
        for row in cells:
            drawn.add_row(*(Text(cell) for cell in row))
        Console().print(drawn)
        return
    lines = [tuple(head), *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())


def _lines(answer: Mapping[str, Any], indent: str) -> list[str]:
    width = max((len(key) for key in answer), default=0)
    lines: list[str] = []
    for key, value in answer.items():
        if isinstance(value, Mapping):
            lines.append(f"{indent}{key}")
            lines.extend(_lines(value, indent + "  "))
        elif isinstance(value, list):
            lines.append(f"{indent}{key:<{width}}  {'; '.join(map(str, value)) or 'none'}")
        else:
            lines.append(f"{indent}{key:<{width}}  {value}")
    return lines
