"""What a JSON text that somebody else wrote says.

`json.loads` raises RecursionError, no ValueError, for a text that is nested deeper than the interpreter's stack: who
expects text that is no JSON would let it pass. Here both are one error. `json_text` takes care of large texts.
RFC 8259, section 9: "An implementation may set limits on the maximum depth of nesting." AWS: none.
"""

import json
from collections.abc import Callable
from json import JSONDecodeError
from typing import Any

Hook = Callable[[Any], Any]


def parse(
    text: str | bytes,
    *,
    object_hook: Hook | None = None,
    object_pairs_hook: Hook | None = None,
    parse_constant: Hook | None = None,
) -> Any:
    """Raises ValueError alone, whatever the text is; JSONDecodeError where it is no JSON or nested too deeply."""
    try:
        return json.loads(
            text, object_hook=object_hook, object_pairs_hook=object_pairs_hook, parse_constant=parse_constant
        )
    except RecursionError:
        told = text if isinstance(text, str) else text.decode(errors="replace")
        raise JSONDecodeError("Nested too deeply", told, 0) from None
