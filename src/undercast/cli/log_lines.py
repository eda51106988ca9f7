"""How the platform's own log lines look on standard error: one line each, whatever a caller put into them.

Names and keys of callers are in some lines. They must neither look like a line of the platform nor reach the terminal
as a command. AWS: none.
"""

import logging
import sys
from typing import Any

from undercast.cli.output import printable


class LineFormatter(logging.Formatter):
    """Escapes line breaks and control characters; a traceback follows its line, every line of it marked."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:
        """See logging.Formatter."""
        return _marked(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:
        """See logging.Formatter."""
        return _marked(stack_info)


def install() -> None:
    """Send warnings and errors of everything in this process to standard error in this form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def _marked(text: str) -> str:
    return "\n".join(f"  | {printable(line)}" for line in text.split("\n"))
