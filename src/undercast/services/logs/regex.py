"""The regular expressions of filter patterns, matched in time linear in the message by RE2.

Python's `re` would let one pattern stop the platform for hours. AWS's subset has no groups and no back-references:
literals, ".", classes, \\d \\D \\s \\S \\w \\W \\xhh, ? * + {n} {n,} {n,m}, |, ^ and $.
AWS: CloudWatch Logs User Guide, "Supported regular expressions (regex) syntax".
"""

import re
from collections.abc import Callable

import re2

from undercast.services.logs.errors import invalid

_TOKEN = re.compile(
    r"\[\^?\]?(?:\\.|[^\]\\])*\]|\\x[0-9a-fA-F]{2}|\\[dDsSwW]|\\[^0-9A-Za-z]|[^\\()\[]",
    re.DOTALL,
)
_LINEAR = re2.Options()
_LINEAR.log_errors = False
_LINEAR.max_mem = 1 << 20


def compile_regex(text: str) -> Callable[[str], bool]:
    """Whether a message contains a match. Raises InvalidParameterException for what AWS's subset lacks."""
    at = 0
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise invalid("Invalid filter pattern")
        at = token.end()
    try:
        pattern = re2.compile(text.encode(errors="replace"), _LINEAR)
    except re2.error:
        raise invalid("Invalid filter pattern") from None
    # Bytes: a message may hold half a surrogate pair, which UTF-8 has not.
    return lambda message: pattern.search(message.encode(errors="replace")) is not None
