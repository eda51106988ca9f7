"""What S3 asks of the statements of a bucket's policy: that each of them can mean the bucket or objects in it.

Pure but for `actions.json`, read at first use: the actions on buckets and on objects, and for each condition key the
actions that it applies to, null where those are all. An action with wildcards stands for all that it matches.
AWS: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3". Its refusals, as S3 gives
them: versitygw issues 645, 646 and 648, noobaa-core issue 10058 (Resource "*"), humanmade/S3-Uploads issue 239
(conditions of some actions only).
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from undercast.core.record import record
from undercast.services.s3.errors import MalformedPolicy

_OTHER_KINDS = frozenset({"listallmybuckets"})
"""Actions on an account, of which no source tells how S3 refuses them: they are not looked at."""

_VARIABLE = re.compile(r"\$\{[^}]*\}")


@record
class _Words:
    """What `actions.json` holds, in lower case."""

    of_objects: frozenset[str]
    of_buckets: frozenset[str]
    keys: Mapping[str, frozenset[str] | None]
    """Condition key without "s3:", one with a tag's name up to the slash -> actions."""


@cache
def _words() -> _Words:
    found = json.loads(Path(__file__).with_name("actions.json").read_text("utf-8"))
    return _Words(
        of_objects=_lower(found["object"]),
        of_buckets=_lower(found["bucket"]),
        keys={key.lower(): None if names is None else _lower(names) for key, names in found["keys"].items()},
    )


def _lower(names: list[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)


def check_statements(bucket: str, document: Mapping[str, Any]) -> None:
    """Raises MalformedPolicy for a statement that is none of this bucket's."""
    statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
    if not statements:
        raise MalformedPolicy("Could not parse the policy: Statement is empty!")
    for statement in statements:
        _check(bucket, statement)


def _check(bucket: str, statement: Mapping[str, Any]) -> None:
    actions = [_matching(action) for action in _texts(statement.get("Action", statement.get("NotAction")))]
    names = [_name(bucket, entry) for entry in _texts(statement.get("Resource", statement.get("NotResource")))]
    if "Action" in statement and "Resource" in statement:
        _check_kinds(actions, names)
    _check_conditions(actions if "Action" in statement else [], statement.get("Condition", {}))


def _matching(action: str) -> frozenset[str]:
    """The actions that an entry of Action means. Raises MalformedPolicy for one that means none."""
    vendor, _, name = action.lower().partition(":")
    every = _words().of_objects | _words().of_buckets | _OTHER_KINDS
    if action == "*":
        return every
    pattern = _pattern(name)
    found = frozenset(known for known in every if pattern.fullmatch(known)) if vendor == "s3" else frozenset()
    if not found:
        raise MalformedPolicy("Policy has invalid action")
    return found


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text).replace(r"\*", ".*").replace(r"\?", "."))


def _name(bucket: str, resource: str) -> str:
    """What an ARN names, its policy variables as "*". Raises unless it can be the bucket or an object in it."""
    head, _, name = _VARIABLE.sub("*", resource).partition(":::")
    if not head.endswith(":s3") or not _pattern(name.partition("/")[0]).fullmatch(bucket):
        raise MalformedPolicy("Policy has invalid resource")
    return name


def _check_kinds(actions: list[frozenset[str]], names: list[str]) -> None:
    of_objects = any("/" in name or name.endswith("*") for name in names)
    of_buckets = any("/" not in name for name in names)
    words = _words()
    for meant in actions:
        fitting = (of_objects and meant & words.of_objects) or (of_buckets and meant & words.of_buckets)
        if not fitting and not meant & _OTHER_KINDS:
            raise MalformedPolicy("Action does not apply to any resource(s) in statement")


def _check_conditions(actions: list[frozenset[str]], block: Mapping[str, Any]) -> None:
    """A key of S3's must be one, and apply to each of the actions."""
    for by_key in block.values():
        for key in by_key:
            vendor, _, name = key.lower().partition(":")
            if vendor != "s3":
                continue
            name = name.partition("/")[0] + "/" if "/" in name else name
            if name not in _words().keys:
                raise MalformedPolicy("Policy has an invalid condition key")
            applies = _words().keys[name]
            if applies is not None and not all(meant & applies for meant in actions):
                text = "Conditions do not apply to combination of actions and resources in statement"
                raise MalformedPolicy(text)


def _texts(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())
