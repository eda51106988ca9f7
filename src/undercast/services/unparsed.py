"""What AWS says of a text that is no JSON, Lambda of a payload, EventBridge of a pattern: the sentences of Jackson.

As callers of AWS have met them: "Unrecognized token 'Hello': was expecting (JSON String, Number, Array, Object or token
'null', 'true' or 'false')", "Unexpected character ('c' (code 99)): was expecting double-quote to start field name",
"Invalid UTF-8 start byte 0x87". Jackson's line with the place in the source, which follows them, is left out.
"""

import re
from json import JSONDecodeError

_VALUE = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
_WANTED = {
    "Expecting value": f"expected a valid value {_VALUE}",
    "Expecting property name enclosed in double quotes": "was expecting double-quote to start field name",
    "Expecting ':' delimiter": "was expecting a colon to separate field name and value",
}
_BEHIND_A_VALUE = ",]}"
"""Where a value is missing, Jackson has another sentence than for a value that is none."""
_TOKEN = re.compile(r"[^\W\d]\w*")


def reason(error: ValueError) -> str:
    """Why the text is no JSON; of another error its own words."""
    if isinstance(error, UnicodeDecodeError):
        if error.end >= len(error.object) and error.reason == "unexpected end of data":
            return "Unexpected end-of-input"
        kind, at = ("start", error.start) if error.reason == "invalid start byte" else ("middle", error.end)
        return f"Invalid UTF-8 {kind} byte 0x{error.object[at]:02x}"
    if not isinstance(error, JSONDecodeError):
        return str(error)
    text, at, wanted = error.doc, error.pos, _WANTED.get(error.msg, "")
    if error.msg == "Nested too deeply":
        return error.msg
    if at >= len(text) or error.msg.startswith("Unterminated string"):
        return "Unexpected end-of-input"
    if error.msg == "Expecting value" and (token := _TOKEN.match(text, at)):
        return f"Unrecognized token '{token[0][:256]}': was expecting {_VALUE}"
    told = f"Unexpected character ('{text[at]}' (code {ord(text[at])}))"
    return told if not wanted or text[at] in _BEHIND_A_VALUE else f"{told}: {wanted}"
