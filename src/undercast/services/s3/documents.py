"""Parsed AWS structures as JSON text, as they lie in the store.

Pure. Timestamps survive the way there and back; everything else is what JSON has.
AWS: none; this is our own storage form.
"""

import json
from datetime import datetime
from typing import Any

from undercast.services.s3.models import DataKey

_MOMENT = "$datetime"


def dumps(value: Any) -> str:
    """JSON text of a structure that may hold datetimes."""
    return _dumps(value)


def loads(text: str) -> Any:
    """The structure that `dumps` was given."""
    if _MOMENT in text:
        return json.loads(text, object_hook=_decode)
    return json.loads(text)


def of_data_key(found: DataKey | None) -> str:
    """A column's text; "" for none."""
    return "" if found is None else dumps([found.sealed, dict(found.context)])


def data_key(text: str) -> DataKey | None:
    """What `of_data_key` was given."""
    if text == "":
        return None
    sealed, context = loads(text)
    return DataKey(sealed=sealed, context=context)


def _encode(value: object) -> dict[str, str]:
    if isinstance(value, datetime):
        return {_MOMENT: value.isoformat()}
    raise TypeError(f"{type(value).__name__} cannot be stored")


# Made once: json.dumps makes an encoder at every call that asks for anything but its defaults.
_dumps = json.JSONEncoder(default=_encode, separators=(",", ":"), ensure_ascii=False).encode


def _decode(value: dict[str, Any]) -> Any:
    if len(value) == 1 and _MOMENT in value:
        return datetime.fromisoformat(value[_MOMENT])
    return value
